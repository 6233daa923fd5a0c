r"""Source: the outside world, one number a channel a step.

    graded    x[t] = clip(round((raw[t] - offset) * gain), -127, 127)        8-bit messages, float value x / 128
    delta     +1 on channel c, or on channel C + c, when raw moved up, or down, by a threshold since the last event
    token     one spike, on the line of the token that raw is
    table     row raw of a learnt table of such 8-bit messages, (tokens, lines); float value x / 128
    spikes    raw itself, which is 0 or 1 already (graphs of other frameworks)
    counts    raw itself, so many spikes a step, at most 127

The encoders run on the host; the chip sees the integers. A model of ours is trained on the same integers. A graph of
another framework was trained on the raw values: its float law reads these (``reads_raw``), and the integers take a
message times 2^-exponent for them.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import log2
from typing import ClassVar

import numpy as np

from ..errors import InputError
from ..printable import outline
from .arithmetic import Array
from .node import State, Step
from .table import MOST_ROWS, check_tokens, no_table, on_lines

GRADED_MAX = 127
_FAR = 2.0**52
LATE = 16  # events due at once, four times the spread of the fitted data: the input is on another scale
DELTA_A_UNIT = 4.0  # events for a change by 1, where the scale was not measured
MOST_TOKENS = 2**12  # a line of the chip each
GRADED_BITS = 7  # the float value of a graded input is x * 2^-7
SIGNED = ("graded", "table")
"""Kinds whose messages are signed 8-bit values."""


@dataclass(frozen=True)
class Source:
    """Input lines. ``graded`` says whether a message carries a signed 8-bit value or is a spike."""

    channels: int
    graded: bool = True

    kind: ClassVar[str] = "source"
    lava_process: ClassVar[str] = "RingBuffer"
    gated: ClassVar[bool] = True

    @property
    def message_bits(self) -> int:
        return GRADED_BITS + 1 if self.graded else 1

    @property
    def neurons(self) -> int:
        return self.channels

    @property
    def ports(self) -> dict[str, int]:
        return {}

    @property
    def state_words(self) -> int:
        return 0

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        """Pass on the input from the host (the simulation puts it on the port ``input``)."""
        return Step(state, inputs["input"])


@dataclass(frozen=True)
class InputSeen:
    """Input statistics of an encoder: ``values`` per channel, how many were clipped, the smallest and the largest."""

    values: int
    clipped: Array  # (channels,)
    low: Array  # (channels,)
    high: Array  # (channels,)

    __repr__ = outline

    def __add__(self, other: InputSeen) -> InputSeen:
        low, high = np.minimum(self.low, other.low), np.maximum(self.high, other.high)
        return InputSeen(self.values + other.values, self.clipped + other.clipped, low, high)


@dataclass(frozen=True)
class Encoder:
    """Turn raw sequences (samples, steps, channels) into the integers the source sends.

    ``kind`` is 'graded' (``gain`` and ``offset`` a raw channel), 'delta' (``gain`` is 1 / threshold a channel), 'token'
    (one raw channel; both unused, one a token), 'table' (one raw channel; its rows are the ``table``, int8 (tokens,
    lines)), or 'spikes' or 'counts' (both unused; anything but 0 and 1, or whole numbers from 0, is refused). With
    ``reads_raw`` the float law reads the raw values; a graded gain is then one for all channels, and 0 until it is
    measured.
    ``constants`` lines more carry 1 in every step of a sample; all lines then carry values.
    """

    kind: str
    gain: Array
    offset: Array
    reads_raw: bool = field(default=False, metadata={"omit": True})  # files of before lack it
    constants: int = field(default=0, metadata={"omit": True})
    table: Array = field(default_factory=no_table, metadata={"omit": True})

    __repr__ = outline

    @classmethod
    def of_graph(cls, kind: str, lines: int) -> Encoder:
        """Return an encoder, its scale not measured yet, for so many lines of a graph that brings none."""
        if kind == "delta" and lines % 2:
            hint = "graded, spikes and counts need one line a channel"
            raise InputError(f"encoder delta sends on 2 lines a channel, the graph's input has {lines}", hint)
        channels = lines // 2 if kind == "delta" else lines
        measured = kind in ("graded", "delta")
        gain = np.zeros(channels) if measured else np.ones(channels)
        return cls(kind, gain, np.zeros(channels), reads_raw=kind in ("graded", "counts"))

    @classmethod
    def of_tokens(cls, tokens: int) -> Encoder:
        """Return an encoder of tokens 0 to ``tokens`` - 1, a line each."""
        if not 1 <= tokens <= MOST_TOKENS:
            hint = "choose --encoder table, which has a row a token on the host"
            raise InputError(f"{tokens:,} tokens need a line each, at most {MOST_TOKENS:,} are taken", hint)
        return cls("token", np.ones(tokens), np.zeros(tokens))

    @classmethod
    def of_table(cls, table: Array) -> Encoder:
        """Return an encoder of tokens, a row of ``table`` int8 (tokens, lines) each."""
        if not 1 <= len(table) <= MOST_ROWS:
            hint = f"1 to {MOST_ROWS:,} are taken"
            raise InputError(f"{len(table):,} tokens need a row of the table each", hint)
        return cls("table", np.ones(1), np.zeros(1), table=table)

    @property
    def tokens(self) -> int:
        """How many tokens it knows; 0 if it reads none."""
        return {"token": len(self.gain), "table": len(self.table)}.get(self.kind, 0)

    @property
    def channels(self) -> int:
        """How many raw channels it reads."""
        return 1 if self.kind == "token" else len(self.gain)

    @property
    def source(self) -> Source:
        channels = len(self.gain)
        lines = {"delta": 2 * channels, "table": self.table.shape[1]}.get(self.kind, channels)
        return Source(lines + self.constants, graded=self.constants > 0 or self.kind in (*SIGNED, "counts"))

    @property
    def unmeasured(self) -> bool:
        """Whether its scale is still to be measured."""
        return self.kind in ("graded", "delta") and not self.gain.any()

    @property
    def assumed(self) -> Encoder:
        """Return the encoder with the scale of values from -1 to 1 where none was measured."""
        if not self.unmeasured:
            return self
        return replace(self, gain=np.full(len(self.gain), GRADED_MAX if self.kind == "graded" else DELTA_A_UNIT))

    @property
    def exponent(self) -> float:
        """Return what a message is worth to the float law: message * 2^-exponent."""
        if self.kind not in SIGNED:
            return 0
        return log2(self.assumed.gain[0]) if self.reads_raw else GRADED_BITS

    @property
    def largest(self) -> float:
        """Return the largest magnitude of a message, as the float law reads it."""
        return GRADED_MAX * 2.0**-self.exponent if self.reads_raw else 1.0

    @property
    def reach(self) -> tuple[Array, Array]:
        """Return the lowest and the highest raw value of each channel that a graded message holds unclipped.

        Both are the offset if the gain of the channel is 0.
        """
        if self.kind == "table":
            return np.zeros(1), np.full(1, len(self.table) - 1.0)
        if self.kind in ("spikes", "counts", "token"):
            return np.zeros(len(self.gain)), np.full(len(self.gain), GRADED_MAX if self.kind == "counts" else 1.0)
        width = self.raw(GRADED_MAX)
        return self.offset - width, self.offset + width

    def raw(self, scaled: float) -> Array:
        """Return how much ``scaled`` units of the encoder are in each raw channel; 0 where it is silent."""
        return np.divide(scaled, self.gain, out=np.zeros(len(self.gain)), where=self.gain != 0)

    def encode(self, raw: Array) -> Array:
        """Return int64 (samples, steps, source channels)."""
        return self._encode(raw)[0]

    def clipped(self, raw: Array) -> Array:
        """Return how many values of each raw channel were clipped: out of range, or too fast for events."""
        return self._encode(raw)[1]

    def encode_and_see(self, raw: Array) -> tuple[Array, InputSeen]:
        """Return the result of `encode`, and the input statistics."""
        encoded, clipped = self._encode(raw)
        if self.kind == "token":  # what it saw of a line is whether its token came
            seen = np.bincount(np.asarray(raw, np.int64).ravel(), minlength=len(self.gain))
            return encoded, InputSeen(raw.shape[0] * raw.shape[1], clipped, 0 * self.gain, (seen > 0) + 0.0)
        low, high = (raw.min(axis=(0, 1)), raw.max(axis=(0, 1))) if raw.size else (0 * self.gain, 0 * self.gain)
        return encoded, InputSeen(raw.shape[0] * raw.shape[1], clipped, low, high)

    def _encode(self, raw: Array) -> tuple[Array, Array]:
        encoded, clipped = self._encode_channels(raw)
        if not self.constants:
            return encoded, clipped
        ones = np.ones((*encoded.shape[:2], self.constants), encoded.dtype)
        return np.concatenate([encoded, ones], axis=2), clipped

    def _encode_channels(self, raw: Array) -> tuple[Array, Array]:
        if self.kind == "spikes":
            return _as_spikes(np.asarray(raw)), np.zeros(len(self.gain), dtype=np.int64)
        if self.kind == "token":
            return on_lines(np.asarray(raw), len(self.gain)), np.zeros(len(self.gain), dtype=np.int64)
        if self.kind == "table":
            rows = self.table[check_tokens(np.asarray(raw), len(self.table))[..., 0]]
            return rows.astype(np.int64), np.zeros(1, dtype=np.int64)
        if self.kind == "counts":
            counts = _as_counts(np.asarray(raw))
            return np.minimum(counts, GRADED_MAX), np.count_nonzero(counts > GRADED_MAX, axis=(0, 1))
        if self.kind == "delta":
            return _send_on_delta(self._scaled(raw))
        rounded = np.rint(self._scaled(raw))
        clipped = np.count_nonzero(np.abs(rounded) > GRADED_MAX, axis=(0, 1))
        return np.clip(rounded, -GRADED_MAX, GRADED_MAX).astype(np.int64), clipped

    def _scaled(self, raw: Array) -> Array:
        with np.errstate(over="ignore"):  # infinity is out of range
            scaled = (np.asarray(raw, dtype=np.float64) - self.offset) * self.gain
        return np.clip(scaled, -_FAR, _FAR, out=scaled)

    def for_float(self, raw: Array) -> Array:
        """Return what the float law reads for raw sequences: they themselves, or what was encoded."""
        if not self.reads_raw:
            return self.to_float(self.encode(raw))
        return np.asarray(_as_counts(raw) if self.kind == "counts" else raw, dtype=np.float64)

    def to_float(self, encoded: Array) -> Array:
        """Return what the float model reads for the same integers."""
        return encoded * 2.0**-GRADED_BITS if self.kind in SIGNED else encoded.astype(np.float64)

    def for_network(self, raw: Array) -> Array:
        """Return what a network of ours reads, float32: what was encoded, or tokens where it has the table."""
        if self.kind == "table":
            return np.asarray(check_tokens(np.asarray(raw), len(self.table)), np.float32)
        if self.kind != "graded" or self.constants:
            return np.asarray(self.to_float(self.encode(raw)), np.float32)
        whole = np.rint(self._scaled(raw)) + 0.0  # no integer is -0; floats take half the time
        return np.asarray(np.clip(whole, -GRADED_MAX, GRADED_MAX, out=whole) * 2.0**-GRADED_BITS, np.float32)


_ENCODE = "--encoder graded sends real values, --encoder counts whole numbers; or make spikes of them first"
_AS_COUNTS = "--encoder graded sends real values"


def _as_spikes(raw: Array) -> Array:
    wrong = int(np.count_nonzero((raw != 0) & (raw != 1)))
    if wrong:
        raise InputError(f"{wrong} of {raw.size} input values are neither 0 nor 1, this model reads spikes", _ENCODE)
    return raw.astype(np.int64)


def _as_counts(raw: Array) -> Array:
    """Return whole numbers from 0; those far beyond a message stay beyond it."""
    wrong = np.argwhere((raw < 0) | (raw != np.rint(raw)))
    if len(wrong):
        sample, step, channel = wrong[0]
        first = f"{raw[sample, step, channel]:g} at sample {sample}, step {step}, channel {channel}"
        message = f"{len(wrong):,} of {raw.size:,} input values are no counts, whole numbers from 0: first {first}"
        raise InputError(message, _AS_COUNTS)
    return np.minimum(raw, _FAR).astype(np.int64)


def _send_on_delta(scaled: Array) -> tuple[Array, Array]:
    """Emit at most one event a channel a step, up in the first half of the lines and down in the second.

    Return the events, and for each channel the number of steps in which LATE or more events were due, though only one
    is sent.
    """
    samples, steps, channels = scaled.shape
    events = np.zeros((samples, steps, 2 * channels), dtype=np.int64)
    level = scaled[:, 0].copy()
    late = np.zeros(channels, dtype=np.int64)
    for t in range(1, steps):
        due = scaled[:, t] - level
        late += np.count_nonzero(np.abs(due) >= LATE, axis=0)
        move = np.trunc(np.clip(due, -1, 1))
        events[:, t, :channels] = move > 0
        events[:, t, channels:] = move < 0
        level += move
    return events, late

r"""Postsynaptic neurons with learning outputs: besides spikes they send y1, y2 and y3 to the learning engine each step.

    PlasticLIF        y1 = pseudo-derivative   y2 = its trace           y3 = signal          three-factor, s-tllr
    SelectiveChannel  y1 = delta B             y2 = 128 (1 - Abar)      y3 = signal C psi    rtrl, hybrid
    ErrorNeuron       y1 = y2 = 0                                       y3 = error           readout's own synapses

A trace has 7 bits without sign, as on the chip; a signed value v is sent as v + 64, saturated at -64 and 63 (N19), and
the rule's factor (y3-64) subtracts the offset. All arithmetic is that of docs/numerics.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar, NamedTuple, Protocol

import numpy as np

from ...errors import InputError
from ...nodes.arithmetic import Array, multiply_shift, saturate
from ...nodes.lif import IntegerLIF
from ...nodes.node import State
from ...nodes.readout import IntegerReadout
from ...nodes.scan import IntegerScan
from ..noise import noise
from ..surrogate import PsiLIF
from .randoms import first_counter
from .rule import SIGN_OFFSET, TRACE_MAX

_TO_TRACE = 9  # from 16 bits to the 7 of a trace
_Y2_BITS = 9  # 1 - Abar has 16 bits, y2 keeps 7 of them
_RANDOM_BITS = 16
SIGNAL_SHIFT = 8  # a signal of 16 bits times C of 16 bits fits a word


class Emission(NamedTuple):
    """One step: the new state, messages (n,), y1 to y3 (3, n), and how many values saturated."""

    state: State
    message: Array
    y: Array
    saturated: int = 0


class PostNeuron(Protocol):
    """A population after plastic synapses; ``ports`` as in `nodes.node`, the first is that of the plastic synapses."""

    external: ClassVar[bool]

    @property
    def neurons(self) -> int: ...

    @property
    def ports(self) -> dict[str, int]: ...

    def initial(self) -> State: ...

    def step(self, state: State, inputs: dict[str, Array], t: int) -> Emission: ...


def as_trace(value: Array, shift: Array | int = 0, random: Array | None = None) -> tuple[Array, int]:
    """N19. Shift right, saturate at -64 and 63, add 64; also count what saturated.

    Rounds to nearest or, with ``random`` numbers of 16 bits, stochastically.
    """
    part = np.left_shift(1, shift) >> 1 if random is None else (np.left_shift(random, shift) >> _RANDOM_BITS)
    shifted = (value + part) >> shift
    clipped = np.clip(shifted, -SIGN_OFFSET, TRACE_MAX - SIGN_OFFSET)
    return clipped + SIGN_OFFSET, int(np.count_nonzero(clipped != shifted))


@dataclass(frozen=True)
class PlainLIF:
    """An ordinary LIF: the learning engine keeps y1 to y3 itself, from the spikes (two-factor rules)."""

    lif: IntegerLIF

    external: ClassVar[bool] = False

    @property
    def neurons(self) -> int:
        return self.lif.size

    @property
    def ports(self) -> dict[str, int]:
        return {"i": self.neurons}

    def initial(self) -> State:
        return self.lif.initial(())

    def step(self, state: State, inputs: dict[str, Array], t: int) -> Emission:
        after, spikes, lost = self.lif.step(state, {"i": inputs["i"]})
        return Emission(after, spikes, np.zeros((3, self.neurons), np.int64), lost)


@dataclass(frozen=True)
class PlasticLIF:
    """A LIF that sends its pseudo-derivative, the trace of it (``psi_tau`` steps), and the signal of port ``e``."""

    soma: PsiLIF
    signal_shift: int = 0
    psi_tau: float = 10.0

    external: ClassVar[bool] = True

    @property
    def neurons(self) -> int:
        return self.soma.lif.size

    @property
    def ports(self) -> dict[str, int]:
        return {"i": self.neurons, "e": self.neurons}

    def initial(self) -> State:
        return self.soma.lif.initial(()) | {"psi": np.zeros(self.neurons, np.int64)}

    def step(self, state: State, inputs: dict[str, Array], t: int) -> Emission:
        """y2 is sent before this step's psi joins it (the non-causal branch of S-TLLR); it holds the mean of psi."""
        after, spikes, psi, lost = self.soma.step(state, inputs["i"])
        y3, cut = as_trace(inputs["e"], self.signal_shift)
        kept = round(2**16 * exp(-1 / self.psi_tau))
        before = multiply_shift(state["psi"], kept, 16)
        joined = before + multiply_shift(psi, 2**16 - kept, 16)
        y = np.stack([psi >> _TO_TRACE, before >> _TO_TRACE, y3])
        return Emission({**after, "psi": joined}, spikes, y, lost + cut)


@dataclass(frozen=True)
class SelectiveChannel:
    """Channels of one scan state and a soma each, without conv taps.

    N19: y1 is rounded to nearest; y2 and y3 stochastically: a slow decay and a small signal are right in the mean.
    ``dt`` and ``B`` arrive one step ahead of the ``u`` they belong to, and are held for it. In the step a presynaptic
    spike is sent, the channel thus knows the gate delta B and the decay Abar of the step in which it will arrive, and
    the engine's ``x0`` meets the right y1 and y2 (docs/onchip.md, Timing). ``C`` and ``e`` belong to the step.
    The shifts are one a channel: slow channels have small gates, and their tags units of their own.
    """

    scan: IntegerScan
    soma: PsiLIF
    immediate_shift: Array | int
    signal_shift: Array | int
    seed: int = 0

    external: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.scan.state_words != 1:
            message = f"a selective channel on the learning engine has one state, this scan has {self.scan.state_words}"
            raise InputError(message, "use the trace process, which supports more states")

    @property
    def neurons(self) -> int:
        return self.scan.neurons

    @property
    def ports(self) -> dict[str, int]:
        return self.scan.ports | {"e": self.neurons}

    def initial(self) -> State:
        return {
            **self.scan.initial(()), **self.soma.lif.initial(()),
            "dt": np.zeros(self.neurons, np.int64), "B": np.zeros(1, np.int64),
        }  # fmt: skip

    def step(self, state: State, inputs: dict[str, Array], t: int) -> Emission:
        arrived = {"u": inputs["u"], "dt": state["dt"], "B": state["B"], "C": inputs["C"]}
        scanned, current, lost = self.scan.step({"h": state["h"]}, arrived)
        soma, spikes, psi, lost_soma = self.soma.step(state, current)
        gate, decay = self.ahead(inputs["dt"], inputs["B"])
        fade = np.minimum((2**16 - decay + self._random("y2", t, _Y2_BITS)) >> _Y2_BITS, TRACE_MAX)
        y1, cut = as_trace(gate, self.immediate_shift)
        read = saturate(multiply_shift(inputs["e"], inputs["C"], SIGNAL_SHIFT))[0]
        seen = multiply_shift(read, psi, 16)
        y3, cut_signal = as_trace(seen, self.signal_shift, self._random("y3", t, _RANDOM_BITS))
        held = {"dt": inputs["dt"], "B": inputs["B"]}
        lost += lost_soma + cut + cut_signal
        return Emission({**scanned, **soma, **held}, spikes, np.stack([y1, fade, y3]), lost)

    def ahead(self, dt: Array, b: Array) -> tuple[Array, Array]:
        """Return the gate delta B and the decay in 16 bits, (n,) each, of what has just arrived."""
        nothing = np.zeros(self.neurons, np.int64)
        words = self.scan.words(nothing[:, None], {"u": nothing, "dt": dt, "B": b, "C": np.zeros_like(b)})
        return multiply_shift(words.delta, b, self.scan.b_shift), words.decay[:, 0]

    def _random(self, stream: str, t: int, bits: int) -> Array:
        return noise(self.seed, first_counter(stream, t, (self.neurons,)), (self.neurons,), bits)


@dataclass(frozen=True)
class ErrorNeuron:
    """The readout and its error: target minus value where the port ``gate`` is on, 0 elsewhere.

    The message is the error as a signed number of 7 bits, for the synapses that carry it back to a hidden layer.
    """

    readout: IntegerReadout
    error_shift: int

    external: ClassVar[bool] = True

    @property
    def neurons(self) -> int:
        return self.readout.neurons

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons, "target": self.neurons, "gate": self.neurons}

    def initial(self) -> State:
        return self.readout.initial(())

    def step(self, state: State, inputs: dict[str, Array], t: int) -> Emission:
        after, value, lost = self.readout.step(state, {"a": inputs["a"]})
        error = np.where(inputs["gate"] != 0, inputs["target"] - value, 0)
        y3, cut = as_trace(error, self.error_shift)
        silent = np.zeros_like(y3)
        return Emission(after, y3 - SIGN_OFFSET, np.stack([silent, silent, y3]), lost + cut)

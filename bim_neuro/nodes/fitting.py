"""Fit an encoder to training sequences, and report channels whose statistics depend on a few outliers.

    graded    low..high is the 0.1 to 99.9 % range of a channel    gain = 127 / (the wider side of the centre)
    delta     an event each quarter of a standard deviation        gain = 4 / deviation

A few samples must not set the scale: if at most 5 % of the samples reach `GAP` times further from the median than all
others, their values beyond the others are left out of the statistics, and clipped when encoded. A constant channel gets
the gain 0: it sends nothing, in training and after.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..errors import Finding, InputError
from .arithmetic import Array
from .source import GRADED_MAX, Encoder

GAP = 8.0
"""Factor by which outlier samples must exceed the others to be left out; below it they cost at most 3 of 7 bits."""
FEW_SAMPLES, FEW_VALUES = 0.05, 0.02
"""Largest share of samples that is left out, and of values unless all are in one sample."""
ROUNDING = 16 * float(np.finfo(np.float32).eps)
"""A channel that varies by less than this part of its magnitude holds float32 rounding, not a signal."""
SURVEYED_AT_ONCE = 2**22
"""Numbers that are surveyed at a time, in float64, if a channel is not more."""
_NAMED = 5
_FINEST_GRID = 7  # bits behind the point of values that may be sent as they are

Column = Callable[[int], Array]
"""Gives the values (samples, steps) of a channel."""


class RawRows(Protocol):
    """Sequences (samples, steps, channels): an array, or samples that are read when they are asked for."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Any]: ...


@dataclass(frozen=True)
class Fit:
    """An encoder, and warnings about the sequences it was fitted to."""

    encoder: Encoder
    findings: tuple[Finding, ...]


class _Survey(NamedTuple):
    """Statistics per channel: the median, and which samples are outliers."""

    median: Array  # (channels,)
    limit: Array  # (channels,) the largest distance from the median that counts; inf: all do
    samples: Array  # (channels,) how many samples go beyond


def fit_encoder(kind: str, raw: Array) -> Encoder:
    """Fit an encoder to training sequences (samples, steps, channels)."""
    return fit(kind, raw).encoder


def fit(kind: str, raw: RawRows, places: Array | None = None, lengths: Array | None = None) -> Fit:
    """Fit an encoder and name degenerate channels; ``places`` (samples,) are the samples' numbers in their file.

    Of samples of several ``lengths`` the steps that count are read, the last of them as often as padding follows.
    Some channels are surveyed at a time, so that a file larger than memory may be fitted to. InputError where no
    channel moves.
    """
    places = np.arange(len(raw)) if places is None else places
    channels = raw.shape[2]
    least = 2 if kind == "delta" else 1  # sums of one channel alone would be added up in another order
    count = min(-(-prod(raw.shape) // SURVEYED_AT_ONCE), channels // least)
    surveys, gains, offsets, lone = [], [], [], []
    for group in np.array_split(np.arange(channels), max(1, count)):
        x = _values(raw, slice(group[0], group[-1] + 1), lengths)
        surveys.append(_survey(x))
        part = _delta(x, surveys[-1]) if kind == "delta" else _graded(kind, x, surveys[-1])
        gains.append(part.gain)
        offsets.append(part.offset)
        lone.append(_in_one_sample(x, surveys[-1]))
        del x
    encoder = Encoder(kind, np.concatenate(gains), np.concatenate(offsets))
    survey = _Survey(*map(np.concatenate, zip(*surveys, strict=True)))

    def column(channel: int) -> Array:
        return _values(raw, slice(channel, channel + 1), lengths)[..., 0]

    if not encoder.gain.any():
        raise InputError(
            f"every one of the {channels} channels of x is constant in training: there is nothing to learn from",
            f"channel 0 is {column(0)[0, 0]:g} at every step of every sample",
        )
    alone = np.flatnonzero(np.concatenate(lone))
    return Fit(
        encoder,
        (
            *_outliers(column, survey, places),
            *_lone(column, survey, places, alone),
            *_constant(column, encoder, places),
        ),
    )


def _values(raw: RawRows, channels: slice, lengths: Array | None) -> Array:
    """Return float64 (samples, steps, some channels), sample by sample where ``raw`` is no array."""
    if lengths is None and isinstance(raw, np.ndarray):
        return np.asarray(raw[..., channels], np.float64, order="C")
    x = np.empty((*raw.shape[:2], channels.stop - channels.start))
    for index, sample in enumerate(raw):
        x[index] = sample[:, channels]
        if lengths is not None:
            x[index, lengths[index] :] = x[index, lengths[index] - 1]
    return x


def measured(encoder: Encoder, raw: Array) -> tuple[Encoder, str]:
    """Return a graph's encoder with its scale from sequences (samples, steps, channels), and how it was chosen.

    Whole multiples of a power of two keep it, so that nothing is rounded. Else 127 is the largest magnitude, or, where
    that lies more than `GAP` times beyond the others, their 99.9 % quantile.
    """
    if encoder.kind == "delta":
        return fit_encoder("delta", raw), "an event is a quarter of each channel's standard deviation"
    size = np.abs(np.asarray(raw, np.float64)).ravel()
    size = size[size > 0]
    if not size.size:
        return encoder.assumed, "all of it is 0, so 127 is 1"
    largest = float(size.max())
    for bits in range(_FINEST_GRID + 1):
        gain = 2.0**bits
        if largest * gain <= GRADED_MAX and (size * gain == np.rint(size * gain)).all():
            return replace(encoder, gain=np.full(len(encoder.gain), gain)), f"a message is the value times {gain:g}"
    common = float(np.quantile(size, 0.999))
    where = "the largest magnitude"
    if largest > GAP * common:
        largest, where = common, "the 99.9 % quantile of the magnitudes"
    gain = GRADED_MAX / largest
    return replace(encoder, gain=np.full(len(encoder.gain), gain)), f"127 is {largest:.4g}, {where}"


def _survey(x: Array) -> _Survey:
    """Find the outlier samples: as many as allowed that lie a gap beyond all others."""
    median = np.median(x.reshape(-1, x.shape[2]), axis=0)
    reach = np.maximum(x.max(axis=1) - median, median - x.min(axis=1))  # (samples, channels)
    ordered = -np.sort(-reach, axis=0)
    few = min(max(1, int(FEW_SAMPLES * len(x))), len(x) - 1)
    limit, samples = np.full(x.shape[2], np.inf), np.zeros(x.shape[2], dtype=int)
    for channel in range(x.shape[2]):
        rest = ordered[1 : few + 1, channel]
        gaps = np.flatnonzero((ordered[:few, channel] > GAP * rest) & (rest > ROUNDING * abs(median[channel])))
        for last in gaps[::-1]:
            beyond = np.count_nonzero(np.abs(x[..., channel] - median[channel]) > rest[last])
            if last == 0 or beyond <= FEW_VALUES * x[..., channel].size:
                limit[channel], samples[channel] = rest[last], last + 1
                break
    return _Survey(median, limit, samples)


def _graded(kind: str, x: Array, survey: _Survey) -> Encoder:
    low, high = _each_channel(x, survey, lambda values: np.percentile(values, [0.1, 99.9], axis=0))
    centre, spread = _wider_side(low, high)
    rare = spread <= ROUNDING * np.maximum(np.abs(low), np.abs(high))
    if rare.any():  # the channel varies in less than one value of a thousand: no quantiles
        whole = _each_channel(x, survey, lambda values: np.stack([values.min(axis=0), values.max(axis=0)]))
        low, high = np.where(rare, whole, [low, high])
        centre, spread = _wider_side(low, high)
    return Encoder(kind, _gain(GRADED_MAX, spread, np.maximum(np.abs(low), np.abs(high))), centre)


def _delta(x: Array, survey: _Survey) -> Encoder:
    mean, deviation = _each_channel(x, survey, lambda values: np.stack([values.mean(axis=0), values.std(axis=0)]))
    return Encoder("delta", _gain(4.0, deviation, np.abs(mean)), mean)


def _each_channel(x: Array, survey: _Survey, statistic: Callable[[Array], Array]) -> Array:
    """Return two statistics per channel, (2, channels), without outliers."""
    pairs = np.asarray(statistic(x.reshape(-1, x.shape[2])))
    for channel in np.flatnonzero(np.isfinite(survey.limit)):
        values = x[..., channel].ravel()
        pairs[:, channel] = statistic(values[np.abs(values - survey.median[channel]) <= survey.limit[channel]])
    return pairs


def _wider_side(low: Array, high: Array) -> tuple[Array, Array]:
    centre = np.where(low < 0, (low + high) / 2, low)
    return centre, np.maximum(high - centre, centre - low)


def _gain(largest: float, spread: Array, size: Array) -> Array:
    moves = spread > ROUNDING * size
    return np.where(moves, largest / np.where(moves, spread, 1.0), 0.0)


def _outliers(column: Column, survey: _Survey, places: Array) -> Iterator[Finding]:
    """Name the furthest value of each channel whose lone samples were left out."""
    found = np.flatnonzero(survey.samples)
    for channel in found[:_NAMED]:
        x = column(channel)
        distance = np.abs(x - survey.median[channel])
        sample, step = np.unravel_index(int(distance.argmax()), distance.shape)
        times = float(distance[sample, step] / survey.limit[channel])
        others = f" ({survey.samples[channel]} samples go that way)" if survey.samples[channel] > 1 else ""
        yield Finding(
            "outlier",
            "input",
            f"channel {channel} is {x[sample, step]:g} at sample {places[sample]}, step {step}, {times:,.0f} "
            f"times further out than all other samples{others}; its range is fitted without it, so it is clipped",
            times,
            GAP,
            "if it is an artefact of the recording, remove or correct the sample",
            "warning",
        )
    yield from _more("outlier", "also have a few samples far outside of all others", found)


def _moved(x: Array, median: Array) -> Array:
    """Return where x leaves its median by more than rounding."""
    distance = x - median
    np.abs(distance, out=distance)
    return np.asarray(distance > ROUNDING * np.abs(median))


def _in_one_sample(x: Array, survey: _Survey) -> Array:
    """Return which channels of x (samples, steps, channels) vary in one of several samples only."""
    return np.asarray((_moved(x, survey.median).any(axis=1).sum(axis=0) == 1) & (len(x) > 1))


def _lone(column: Column, survey: _Survey, places: Array, found: Array) -> Iterator[Finding]:
    """Report the channels ``found`` to vary in one sample only."""
    for channel in found[:_NAMED]:
        x = column(channel)
        moved = _moved(x, survey.median[channel])
        sample, step = np.argwhere(moved)[0]
        steps = np.count_nonzero(moved)
        more = f" and {steps - 1} later steps" if steps > 1 else ""
        yield Finding(
            "lone-sample",
            "input",
            f"channel {channel} is {survey.median[channel]:g} at every step of every sample but one: it is "
            f"{x[sample, step]:g} at sample {places[sample]}, step {step}{more}, which alone sets its range",
            1,
            None,
            "remove the channel, or give samples in which it varies",
            "warning",
        )
    yield from _more("lone-sample", "also vary in one sample only", found)


def _constant(column: Column, encoder: Encoder, places: Array) -> Iterator[Finding]:
    """Report constant channels."""
    found = np.flatnonzero(encoder.gain == 0)
    for channel in found[:_NAMED]:
        x = column(channel)
        low, high = x.min(), x.max()
        what = f"{low:g}" if low == high else f"{low:.9g} to {high:.9g}, float32's rounding,"
        yield Finding(
            "constant-channel",
            "input",
            f"channel {channel} is constant in training: {what} at every step from sample {places.min()}, step 0, on; "
            "it carries no information and is always sent as 0",
            0,
            None,
            "remove the channel, or give samples in which it varies",
            "warning",
        )
    yield from _more("constant-channel", "are constant too", found)


def _more(rule: str, what: str, found: Array) -> Iterator[Finding]:
    rest = found[_NAMED:]
    if len(rest):
        names = ", ".join(str(channel) for channel in rest[:20])
        yield Finding(
            rule, "input", f"{len(rest)} more channels {what}: {names}{', ...' if len(rest) > 20 else ''}", len(rest),
            severity="warning",
        )  # fmt: skip

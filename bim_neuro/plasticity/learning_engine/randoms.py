r"""The random numbers of stochastic rounding, in two modes.

``lava``     the streams of Lava 0.10's CPU model. One number a step serves every trace of all neurons, one number an
             epoch every weight and every tag, and the second stream has the same seed in every layer. Each rounding is
             right in the mean, but all synapses round up together: the error does not average out over synapses.
``synapse``  an independent number for every trace, weight and tag: a hash of (seed, stream, step, index), so it does
             not depend on the order of evaluation and is the same in numpy and in the compiled kernels.

A value v + f, 0 <= f < 1, is rounded up where the number is below f. Weights and tags have f in units of 2^-7; for
them numbers from 0 to 127 say the same. (Lava's fractional impulses are rounded up twice as often as they should be,
8 bits of fraction against a random number of 7; impulses are whole here, so it does not matter.)
"""

from __future__ import annotations

from math import prod
from typing import Protocol

import numpy as np

from ...errors import InputError
from ...nodes.arithmetic import Array
from ..noise import noise

STREAMS = {"x": 1, "y": 2, "w": 3, "t": 4, "y2": 5, "y3": 6}
_LAVA_WEIGHT_SEED = 2


class Randoms(Protocol):
    """The source of random numbers of plastic synapses.

    ``trace`` answers with numbers in [0, 1) for the traces of ``lines`` neurons at ``step`` of the epoch that ends with
    step ``last``, ``round`` with numbers from 0 to 127 for the synapses of ``shape`` at the epoch's end.
    """

    mode: str
    seed: int

    def trace(self, side: str, step: int, last: int, shape: tuple[int, int]) -> Array: ...

    def round(self, target: str, epoch: int, shape: tuple[int, ...]) -> Array: ...


class LavaRandoms:
    """Lava's own streams; steps must be requested in order."""

    mode = "lava"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._traces = {"x": _Stream(seed), "y": _Stream(seed + 2)}
        self._rounding = _Stream(_LAVA_WEIGHT_SEED)

    def trace(self, side: str, step: int, last: int, shape: tuple[int, int]) -> Array:
        """One number for all; it is drawn at the epoch's last step and serves all its steps. Two draws a step."""
        return np.full((1, 1), self._traces[side].at(2 * last))

    def round(self, target: str, epoch: int, shape: tuple[int, ...]) -> Array:
        return np.full((1, 1), int(self._rounding.at(epoch) * 128))


class _Stream:
    """The n-th draw of a numpy generator; n must not decrease."""

    def __init__(self, seed: int) -> None:
        self.generator, self.drawn, self.last = np.random.default_rng(seed), -1, 0.0

    def at(self, place: int) -> float:
        if place < self.drawn:
            raise ValueError(f"draw {place} is gone, {self.drawn} draws were made")
        for _ in range(place - self.drawn):
            self.last = float(self.generator.random())
        self.drawn = place
        return self.last


class SynapseRandoms:
    """Independent numbers from the hash of `noise`, each stream with counters of its own."""

    mode = "synapse"

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def trace(self, side: str, step: int, last: int, shape: tuple[int, int]) -> Array:
        return noise(self.seed, first_counter(side, step, shape), shape, 53) * 2.0**-53

    def round(self, target: str, epoch: int, shape: tuple[int, ...]) -> Array:
        return noise(self.seed, first_counter(target, epoch, shape), shape, 7)


def first_counter(stream: str, step: int, shape: tuple[int, ...]) -> int:
    """Return the counter of a stream's first number at a step (or epoch)."""
    return int((STREAMS[stream] << 56) + step * prod(shape))


def randoms(mode: str, seed: int) -> Randoms:
    """Return the random numbers of a mode, 'lava' or 'synapse'."""
    modes: dict[str, type[LavaRandoms] | type[SynapseRandoms]] = {"lava": LavaRandoms, "synapse": SynapseRandoms}
    if mode not in modes:
        raise InputError(f"no random mode '{mode}'", f"one of {', '.join(modes)}")
    return modes[mode](seed)

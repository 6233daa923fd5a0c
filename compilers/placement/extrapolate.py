"""Extrapolation: the cores of a model too large for this computer, which repeats one part many times.

The part is cut and packed as `place` does; each repetition has cores of its own, and no arrays are made for them.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

from ...errors import InputError
from ...graph import IntegerGraph
from ...hardware import HardwareProfile
from ...nodes.arithmetic import ceil_div
from .memory import Footprint
from .partition import partition


@dataclass(frozen=True)
class Extrapolation:
    """A model of ``neurons`` on ``target``: the ``cores`` it needs and the ``limit``, the cores of the target.

    ``filled`` is the used share of each resource on the used cores; ``most_neurons`` is the size of the largest model
    of this kind that fits.
    """

    target: str
    neurons: int
    synapses: int
    cores: int
    limit: int
    most_neurons: int
    filled: dict[str, float]

    @property
    def fits(self) -> bool:
        return self.cores <= self.limit

    @property
    def binding(self) -> str:
        """The resource that fills the cores first."""
        return max(self.filled, key=self.filled.__getitem__)


def extrapolate(part: IntegerGraph, profile: HardwareProfile, neurons: int) -> Extrapolation:
    """Return the extrapolation to a model of at least ``neurons`` that repeats ``part``; the input is not counted."""
    if profile.usable_cores is None:
        raise InputError(f"{profile.name} has no cores to count")
    footprint = Footprint(part, profile)
    held = sum(part.nodes[layer].neurons for layer in footprint.layers)  # a scan and its soma are one neuron
    cores = partition(footprint)
    needs = [footprint.used(footprint.together(core)) for core in cores]
    times = ceil_div(neurons, held)
    return Extrapolation(
        target=profile.name,
        neurons=times * held,
        synapses=times * sum(edge.synapse.nonzero for edge in part.edges),
        cores=times * len(cores),
        limit=profile.usable_cores,
        most_neurons=profile.usable_cores // len(cores) * held,
        filled={
            name: sum(need[name] for need in needs) / (limit * len(cores))
            for name, limit in footprint.limits.items()
            if 0 < limit < inf
        },
    )

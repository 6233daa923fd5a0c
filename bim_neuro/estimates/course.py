"""Course: how long a run takes wherever its cores stand, for many placements of the same cores at once.

    us(places) = sum over steps of weight(t) * max(still(t), messages over each link * the time of one)

``still`` is what the step takes without links; only they depend on the places.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..compilers.placement.mesh import Mesh
from ..graph import PlacedGraph
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array
from ..record import RunRecord
from .latency import still_us
from .links import between_chips, crossings, messages_at_steps
from .step_time import NS_PER_US

_CELLS = 2**22  # loads of links, steps and placements that are looked at together


@dataclass(frozen=True)
class Course:
    """``weights`` counts each step of the chip; ``ends`` (flows, 2) are the cores of each flow by their order."""

    mesh: Mesh
    still: Array
    weights: Array
    layers: tuple[str, ...]
    messages: Array
    ends: Array
    which: Array
    share: Array
    each_us: tuple[float, float]

    @classmethod
    def of(cls, placed: PlacedGraph, record: RunRecord, profile: HardwareProfile, answer: bool) -> Course:
        """Return the course of a sample, or with ``answer`` of its answer."""
        order = {index: core for core, index in enumerate(dict.fromkeys(core.index for core in placed.cores))}
        layers = tuple(dict.fromkeys(flow.layer for flow in placed.flows))
        still, timing = still_us(placed, record, profile), profile.timing
        whole, rest = divmod(placed.graph.latency + record.steps if answer else len(still), len(still))
        return cls(
            Mesh.of(profile, len(order)),
            still,
            whole + (np.arange(len(still)) < rest),
            layers,
            messages_at_steps(layers, record, placed.graph),
            np.array([(order[flow.source], order[flow.target]) for flow in placed.flows], np.int64).reshape(-1, 2),
            np.array([layers.index(flow.layer) for flow in placed.flows], np.int64),
            np.array([flow.neurons / placed.graph.nodes[flow.layer].neurons for flow in placed.flows]),
            ((timing.hop_ns.value or 0.0) / NS_PER_US, (timing.chip_hop_ns.value or 0.0) / NS_PER_US),
        )

    @property
    def least(self) -> float:
        """The time if no step waited for a link."""
        return float(self.still @ self.weights)

    @property
    def waits(self) -> bool:
        """Whether a step could wait for a link: it does not if even all messages over one link take less."""
        every = np.zeros(len(self.still))
        for layer in range(len(self.layers)):
            every += self.share[self.which == layer].sum() * self.messages[layer]
        return bool((every * max(self.each_us) > self.still).any())

    def us(self, sites: Array) -> Array:
        """Return the time with core i at ``sites[:, i]``, (placements,)."""
        links = 4 * self._shape(sites)[0] * self._shape(sites)[1]
        every = max(1, _CELLS // (links * max(len(self.still), len(self.layers), 1)))
        parts = [self._us(sites[first : first + every]) for first in range(0, len(sites), every)]
        return np.concatenate(parts)

    def _us(self, sites: Array) -> Array:
        shape = self._shape(sites)
        x, y = (axis[:, self.ends] for axis in self.mesh.position(sites))
        loads = np.zeros((len(sites), 4 * shape[0] * shape[1], len(self.layers)))
        for layer in range(len(self.layers)):
            own = self.which == layer
            loads[:, :, layer] = crossings(x[:, own], y[:, own], self.share[own], shape).reshape(len(sites), -1)
        each = np.where(between_chips(self.mesh, shape).ravel(), self.each_us[1], self.each_us[0])
        longest = (loads @ self.messages * each[:, None]).max(axis=1)
        return np.asarray(np.maximum(self.still, longest) @ self.weights)

    def _shape(self, sites: Array) -> tuple[int, int]:
        x, y = self.mesh.position(sites)
        return int(y.max(initial=0)) + 1, int(x.max(initial=0)) + 1

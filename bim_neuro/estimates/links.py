"""Links: how many messages cross each link of the mesh, by the ways that dimension-order routing takes.

A message goes along its row to its target's column, then along that column (X, then Y: Timcheck, Pierro and Shrestha,
arXiv 2601.10035). Each direction of a link is a link of its own; one that leads to another chip is slower. A layer's
messages are spread evenly over its neurons, and one goes to each core that needs it on its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from ..compilers.placement.mesh import Mesh
from ..graph import IntegerGraph, PlacedGraph
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array
from ..record import RunRecord
from .step_time import at_chip_steps, chip_steps

_CELLS = 2**22  # loads of links and steps that are looked at together


class Links(NamedTuple):
    """The links that are used, between the cores ``source`` and ``target`` (links,), and their ``share`` of messages.

    ``share`` (links, layers) is sparse: times a layer's messages it gives those that cross the link. ``chips`` is true
    where a link leads to another chip, ``layers`` names the columns.
    """

    source: Array
    target: Array
    chips: Array
    share: Any
    layers: tuple[str, ...]

    def busiest(self, messages: Array, chips: bool) -> tuple[Array, Array]:
        """Return the largest load of each step and its link, (steps,), for messages (layers, steps); links of a kind.

        Without such a link the load is 0 and the link -1.
        """
        steps = messages.shape[1]
        load, link = np.zeros(steps), np.full(steps, -1)
        kind = np.flatnonzero(self.chips == chips)
        every = max(1, _CELLS // max(1, steps))
        for first in range(0, len(kind), every):
            chosen = kind[first : first + every]
            loads = np.asarray(self.share[chosen] @ messages)
            most, where = loads.max(axis=0), loads.argmax(axis=0)
            link = np.where(most > load, chosen[where], link)
            load = np.maximum(load, most)
        return load, link


_NO_LINKS = Links(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, bool), sparse.csr_matrix((0, 0)), ())


@dataclass(frozen=True)
class BusyLink:
    """A link of the mesh, from core to core, and the messages that cross it in a step."""

    source: int
    target: int
    between_chips: bool
    messages: float


@dataclass(frozen=True)
class LinkTraffic:
    """The largest ``loads`` of a link in each step, (2, steps): on the mesh and between chips; which one, and all."""

    loads: Array
    which: Array
    links: Links

    @classmethod
    def of(cls, placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> LinkTraffic:
        """Return the traffic of a sample of the run."""
        links = link_shares(placed, profile)
        messages = messages_at_steps(links.layers, record, placed.graph)
        kinds = [links.busiest(messages, chips) for chips in (False, True)]
        return cls(np.stack([load for load, _ in kinds]), np.stack([which for _, which in kinds]), links)

    @classmethod
    def none(cls, graph: IntegerGraph, record: RunRecord) -> LinkTraffic:
        """Return that of messages which cross no link."""
        loads = np.zeros((2, chip_steps(graph, record)))
        return cls(loads, np.full(loads.shape, -1), _NO_LINKS)

    def busiest(self, profile: HardwareProfile) -> BusyLink | None:
        """Return the link that takes longest in a step; without times the one with most messages, None without any."""
        if not self.loads.any():
            return None
        each = np.array([profile.timing.hop_ns.value or 0.0, profile.timing.chip_hop_ns.value or 0.0])
        worth = self.loads * (each if each.any() else np.ones(2))[:, None]
        kind, step = np.unravel_index(int(worth.argmax()), worth.shape)
        link = int(self.which[kind, step])
        ends = int(self.links.source[link]), int(self.links.target[link])
        return BusyLink(*ends, bool(kind), float(self.loads[kind, step]))


def messages_at_steps(layers: tuple[str, ...], record: RunRecord, graph: IntegerGraph) -> Array:
    """Return a sample's messages of some layers at the steps of the chip, (layers, steps)."""
    rows = [at_chip_steps(record.layers[layer].messages / record.samples, layer, graph) for layer in layers]
    return np.array(rows).reshape(len(layers), chip_steps(graph, record))


def link_shares(placed: PlacedGraph, profile: HardwareProfile) -> Links:
    """Return the links of a placement and the share of each layer's messages that crosses them."""
    layers = tuple(dict.fromkeys(flow.layer for flow in placed.flows))
    if not layers:
        return _NO_LINKS
    mesh = Mesh.of(profile, 1)
    ends = np.array([(flow.source, flow.target) for flow in placed.flows], np.int64)
    which = np.array([layers.index(flow.layer) for flow in placed.flows])
    senders = np.array([flow.neurons for flow in placed.flows], np.float64)
    x, y = mesh.position(ends)
    shape = int(y.max()) + 1, int(x.max()) + 1
    columns = []
    for at, layer in enumerate(layers):
        own = which == at
        counts = crossings(x[None, own], y[None, own], senders[own], shape)
        columns.append(sparse.csc_matrix(counts.reshape(-1, 1) / placed.graph.nodes[layer].neurons))
    share = sparse.hstack(columns).tocsr()
    used = np.flatnonzero(share.getnnz(axis=1))
    return _named(used, share[used], mesh, shape, layers)


def crossings(x: Array, y: Array, senders: Array, shape: tuple[int, int]) -> Array:
    """Return how many senders use each link, (ways, direction, row, column): east, west, south, north of a core.

    ``x`` and ``y`` (ways, flows, 2) are the columns and rows of both ends, for several placements of the same flows.
    A flow is added where it begins to use the links of a row or column and taken back where it ends, so that a running
    sum counts it.
    """
    (x0, x1), (y0, y1) = np.moveaxis(x, 2, 0), np.moveaxis(y, 2, 0)
    counts = np.zeros((len(x), 4, *shape))
    way = np.broadcast_to(np.arange(len(x))[:, None], x0.shape)
    many = np.broadcast_to(senders, x0.shape)
    _add(counts[:, 0], counts[:, 1], (way, y0, x0), (way, y0, x1), x0 < x1, many, axis=2)
    _add(counts[:, 2], counts[:, 3], (way, y0, x1), (way, y1, x1), y0 < y1, many, axis=1)
    return counts


Place = tuple[Array, Array, Array]
"""Which placement, row and column."""


def _add(ahead: Array, back: Array, begin: Place, end: Place, forwards: Array, senders: Array, *, axis: int) -> None:
    """Count the flows along one axis: those with rising coordinates in ``ahead``, the others in ``back``."""
    for counts, taken, sign in ((ahead, forwards, 1), (back, ~forwards, -1)):
        np.add.at(counts, tuple(at[taken] for at in begin), sign * senders[taken])
        np.add.at(counts, tuple(at[taken] for at in end), -sign * senders[taken])
        np.cumsum(counts, axis=axis, out=counts)
    back[...] = np.roll(back, 1, axis=axis)  # a link back stands at the core it starts from; the last sum is 0


def between_chips(mesh: Mesh, shape: tuple[int, int]) -> Array:
    """Return which links lead to another chip, (direction, row, column), as `crossings` counts them."""
    direction, y, x = np.indices((4, *shape))
    to_x, to_y = _ends(direction, x, y)
    return np.asarray((x // mesh.columns != to_x // mesh.columns) | (y // mesh.rows != to_y // mesh.rows))


def _ends(direction: Array, x: Array, y: Array) -> tuple[Array, Array]:
    return (
        x + (direction == 0).astype(int) - (direction == 1),
        y + (direction == 2).astype(int) - (direction == 3),
    )


def _named(used: Array, share: Any, mesh: Mesh, shape: tuple[int, int], layers: tuple[str, ...]) -> Links:
    """Return links with the cores at both ends, from their index in (direction, row, column)."""
    direction, y, x = np.unravel_index(used, (4, *shape))
    across = between_chips(mesh, shape).ravel()[used]
    return Links(mesh.index(x, y), mesh.index(*_ends(direction, x, y)), across, share, layers)

"""Plane order: LIF neurons behind one convolution, numbered as its accumulators lie: tile, row, column, channel.

They read the accumulators where those are, and nothing is turned to NIR's order (channel, row, column); whoever hears
them counts its senders in the same order. Nobody outside sees it: a layer that is watched, or whose messages are the
output, keeps NIR's order.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from ..graph import Edge, IntegerGraph
from ..nodes import Conv, Dense, IntegerLIF, Sparse
from ..nodes.arithmetic import Array
from .forms import Form, is_calm
from .kernels import layout
from .kernels.fire import LANES
from .planes import accumulators, count_channels, tiling
from .shapes import Shape, gain


@dataclass(frozen=True)
class PlaneOrder:
    """So many ``tiles`` of so many ``channels`` each, at so many ``places``."""

    tiles: int
    channels: int
    places: int

    def take(self, values: Array) -> Array:
        """Return values of neurons, one a row, from NIR's order."""
        grid = values.reshape(self.tiles, self.channels, self.places, *values.shape[1:])
        return grid.swapaxes(1, 2).reshape(values.shape)

    def put_back(self, values: Array) -> Array:
        """Return values (..., neurons) in NIR's order."""
        planes = values.reshape(*values.shape[:-1], self.tiles, self.places, self.channels)
        return planes.swapaxes(-1, -2).reshape(values.shape)


def plane_orders(graph: IntegerGraph, looped: Collection[str]) -> dict[str, PlaneOrder]:
    """Return the layers that can be numbered so, by name; what forms a loop (``looped``) cannot."""
    return {name: order for name in graph.nodes if name not in looped and (order := _order(graph, name))}


def _order(graph: IntegerGraph, name: str) -> PlaneOrder | None:
    node, into = graph.nodes[name], graph.into(name)
    if not isinstance(node, IntegerLIF) or len(into) != 1 or not _is_light(graph, into[0]):
        return None
    conv = into[0].synapse
    if not isinstance(conv, Conv) or not is_calm(node, gain(into[0])) or not _all_listen(graph, name, conv):
        return None
    tiles, channels = tiling(conv, layout.LIGHT)
    whole = tiles * channels == len(conv.weight) and channels * conv.out[2] % LANES == 0
    fits = whole and channels > 1 and conv.post * channels < 2**32
    return PlaneOrder(tiles, channels, conv.out[1] * conv.out[2]) if fits else None


def _is_light(graph: IntegerGraph, edge: Edge) -> bool:
    """Whether an edge is a convolution of one group that spikes meet, whose sums fit 16 bits."""
    conv = edge.synapse
    if not isinstance(conv, Conv) or conv.groups != 1 or graph.nodes[edge.source].message_bits != 1:
        return False
    return not conv.fault() and accumulators(conv, 1, spikes=True)[0] == layout.LIGHT


def _all_listen(graph: IntegerGraph, name: str, conv: Conv) -> bool:
    """Whether all who hear a layer can count it in plane order."""
    heard = [edge for edge in graph.edges if edge.source == name]
    return all(
        isinstance(edge.synapse, Dense | Sparse)
        or (isinstance(edge.synapse, Conv) and edge.synapse.grid == conv.out and _is_light(graph, edge))
        for edge in heard
    )


def plane_form(node: IntegerLIF, law: Form, order: PlaneOrder) -> Form:
    """Return what the kernel reads of a layer in plane order, from its form in NIR's.

    Biases that a channel shares are laid out once, for the fewest whole channels that fill whole vectors.
    """
    head, rows = law.words[: layout.LIF_WORDS], law.words[layout.LIF_WORDS :][: node.size]
    biases = order.take(rows).reshape(order.tiles, order.places, order.channels)
    period = order.places * order.channels
    if (biases == biases[:, :1]).all():
        period = int(np.lcm(order.channels, LANES))
        biases = np.tile(biases[:, 0], period // order.channels)
    words = np.concatenate([head, [period], biases.reshape(-1)])
    return replace(law, kind=layout.PLANE_LIF, words=words, state_words=node.size)


def heard(shape: Shape, order: PlaneOrder) -> Shape:
    """Return a synapse as its kernel reads it, the senders counted in plane order."""
    fan = shape.fan if isinstance(shape.fan, int) else order.take(shape.fan)
    shape = replace(shape, nonzero=order.take(shape.nonzero), fan=fan)
    if shape.kind == layout.CONV:
        words = np.array(shape.words)
        count_channels(words, order.tiles, order.channels)
        return replace(shape, words=words)
    if shape.kind == layout.SPARSE:
        return _heard_by_lists(shape, order)
    return replace(shape, rows=order.take(shape.rows))


def _heard_by_lists(shape: Shape, order: PlaneOrder) -> Shape:
    old = order.take(np.asarray(shape.words)[:-1])
    starts = np.concatenate([[0], np.cumsum(shape.fan)])
    which = np.repeat(old - starts[:-1], shape.fan) + np.arange(starts[-1])
    return replace(shape, rows=shape.rows[which], lists=np.asarray(shape.lists)[which], words=starts)

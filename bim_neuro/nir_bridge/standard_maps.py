"""Feature maps in the standard layer: convolutions as Conv2d between nodes that keep their shape.

NIR can flatten a map but not fold a row of neurons into one. So a node is written as a map if nothing but convolutions
leads to it, and its bias is one a channel; whoever else reads it reads a Flatten. A convolution that reads a row of
neurons, or whose border Conv2d cannot say, is written as a matrix, as synapses are that a map sends one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from math import prod
from typing import Any

import nir
import numpy as np

from ..errors import InputError
from ..graph import Edge, FloatGraph
from ..nodes import Conv, Source, Sparse
from ..nodes.arithmetic import Array

MOST_WEIGHTS = 2**28
"""Of a matrix that stands for synapses NIR has no node for."""
Grid = tuple[int, int, int]


def grids(graph: FloatGraph) -> dict[str, Grid]:
    """Return {node: (channels, rows, columns)} of the nodes that are written as maps."""
    out: dict[str, set[Grid]] = {name: set() for name in graph.nodes}
    for edge in graph.edges:
        if isinstance(edge.synapse, Conv):
            out[edge.source].add(edge.synapse.grid)
    found: dict[str, Grid] = {}
    for name in graph.order:
        into, node = graph.into(name), graph.nodes[name]
        convs = [edge.synapse.out for edge in into if isinstance(edge.synapse, Conv) and edge.source in {*found, name}]
        maps = out[name] if isinstance(node, Source) else set(convs) | out[name]
        if len(maps) == 1 and len(convs) == len(into):
            (grid,) = maps
            bias = np.asarray(getattr(node, "bias", np.zeros(1)))
            if per_channel(bias, grid) is not None and all(as_conv2d(edge.synapse) for edge in into):
                found[name] = grid
    return found


def per_channel(values: Array, grid: Grid) -> Array | None:
    """Return one value a channel, None if those of a channel differ."""
    by_channel = np.broadcast_to(values, prod(grid)).reshape(grid[0], -1)
    return by_channel[:, 0].copy() if (by_channel == by_channel[:, :1]).all() else None


def shaped(node: Any, grid: Grid) -> Any:
    """Return a NIR node of as many neurons as a map has, in the shape of the map."""
    if isinstance(node, nir.Input):
        return nir.Input(np.array(grid))
    values = {field.name: getattr(node, field.name) for field in fields(node)}
    arrays = {name: value.reshape(grid) for name, value in values.items() if isinstance(value, np.ndarray)}
    return type(node)(**arrays)


def as_conv2d(synapse: Any, bias: Array | None = None) -> Any:
    """Return a Conv2d, None where its border is not the same on both sides, even with taps of zero added."""
    if not isinstance(synapse, Conv):
        return None
    weight, padding = _ungrouped(synapse), []
    for axis in (0, 1):
        before, after = synapse.padding[2 * axis : 2 * axis + 2]
        step, more = synapse.dilation[axis], abs(before - after)
        if min(before, after) < 0 or more % step:
            return None
        zeros = [(0, 0)] * 4
        zeros[2 + axis] = (more // step, 0) if before < after else (0, more // step)
        weight = np.pad(weight, zeros)
        padding.append(max(before, after))
    weight, padding = _squared(weight, padding, synapse.dilation)
    shift = np.zeros(len(weight)) if bias is None else bias
    node = nir.Conv2d(
        synapse.grid[1:], weight, synapse.stride, tuple(padding), synapse.dilation, 1, np.asarray(shift, np.float32)
    )
    node.output_type = {"output": np.array(synapse.out)}  # nir takes a kernel's columns to be as many as its rows
    return node


def _squared(weight: Array, padding: list[int], dilation: Sequence[int]) -> tuple[Array, list[int]]:
    """Return a kernel with zeros around it where that makes it square: nir 1.0.8 reads no other in a checked graph."""
    rows, columns = weight.shape[2:]
    axis, more = (0, columns - rows) if rows < columns else (1, rows - columns)
    if more % 2:
        return weight, padding
    zeros = [(0, 0)] * 4
    zeros[2 + axis] = (more // 2, more // 2)
    wider = [*padding]
    wider[axis] += more // 2 * dilation[axis]
    return np.pad(weight, zeros), wider


def as_matrix(edge: Edge, post: int) -> Array:
    """Return the weights (post, pre) of synapses that NIR has no node for."""
    synapse = edge.synapse
    assert isinstance(synapse, Sparse | Conv)
    if synapse.pre * post > MOST_WEIGHTS:
        claim = f"synapse '{edge.name}' joins {synapse.pre:,} neurons to {post:,} one by one"
        raise InputError(
            f"{claim}: NIR has no node for that, and as a matrix it may have {MOST_WEIGHTS:,} weights",
            "give the neurons of a channel one threshold, leak and resistance: it stays a convolution",
        )
    return np.asarray((synapse.unrolled() if isinstance(synapse, Conv) else synapse).matrix().toarray())


def _ungrouped(conv: Conv) -> Array:
    """Return the weights to all input channels, zeros beyond a group's own: nir's type check knows no groups."""
    if conv.groups == 1:
        return np.asarray(conv.weight, np.float32)
    outputs, inputs = len(conv.weight) // conv.groups, conv.weight.shape[1]
    whole = np.zeros((len(conv.weight), conv.grid[0], *conv.weight.shape[2:]), np.float32)
    for group in range(conv.groups):
        rows, lines = (slice(group * count, (group + 1) * count) for count in (outputs, inputs))
        whole[rows, lines] = conv.weight[rows]
    return whole

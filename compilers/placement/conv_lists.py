"""What a part of a feature map reads through a convolution, and its lists, without a word for each pair of neurons.

As Intel's compiler makes them: one list for each input channel and tap of the kernel, its entries the weights to the
output channels, shared by all places. A core holds the lists, and in them the channels, that its own neurons use; a tap
that falls beyond the border at each of its places has none there, nor one whose weights are all zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...nodes import Conv
from ...nodes.arithmetic import Array
from .parts import Part, boxes


class Reads(NamedTuple):
    """``targets`` (pre,): the neurons of a part that each sender reaches; ``lengths``: the entries of each list."""

    targets: Array
    lengths: Array


def cumulative(conv: Conv) -> Array:
    """Count the nonzero weights of the output channels before each, (Co + 1, Ci / groups, kernel rows, columns)."""
    below = np.zeros((len(conv.weight) + 1, *conv.weight.shape[1:]), np.int32)
    np.cumsum(conv.weight != 0, axis=0, out=below[1:])
    return below


def reads(conv: Conv, below: Array, part: Part) -> Reads:
    """Return what a part of the map that ``conv`` leads to reads, with ``below`` as `cumulative` counts it."""
    total = np.zeros(conv.grid, np.int64)
    used = np.zeros((len(conv.weight), *conv.weight.shape[2:]), bool)  # taps inside the border, by output channel
    lists = np.zeros((conv.grid[0], *conv.weight.shape[2:]), bool)
    for channels, rows, columns in boxes(part, conv.out):
        kept = _kept(conv, below, channels)
        for i, j, here, there in conv.taps():
            down, across = (_met((rows, columns)[k], here[k], there[k], conv.stride[k]) for k in (0, 1))
            if down.start < down.stop and across.start < across.stop:
                total[:, down, across] += kept[:, i, j, None, None]
                used[channels, i, j] = True
                lists[:, i, j] |= kept[:, i, j] > 0
    entries = used.reshape(conv.groups, -1, *used.shape[1:]).sum(axis=1)
    return Reads(total.reshape(-1), np.repeat(entries, conv.weight.shape[1], axis=0)[lists])


def fan_in(conv: Conv) -> Array:
    """Count the nonzero weights into each neuron, (post,)."""
    into = np.zeros(conv.out, np.int64)
    nonzero = np.count_nonzero(conv.weight, axis=1)
    for i, j, here, _ in conv.taps():
        into[:, here[0], here[1]] += nonzero[:, i, j, None, None]
    return into.reshape(-1)


def _kept(conv: Conv, below: Array, channels: slice) -> Array:
    """Count the nonzero weights from each input channel to some output channels, (Ci, kernel rows, columns)."""
    starts = np.arange(conv.groups) * (len(conv.weight) // conv.groups)
    low, high = (
        np.clip(end, starts, starts + len(conv.weight) // conv.groups) for end in (channels.start, channels.stop)
    )
    return np.asarray(below[high] - below[low]).reshape(conv.grid[0], *conv.weight.shape[2:])


def _met(wanted: slice, here: slice, there: slice, stride: int) -> slice:
    """Return the senders, of those ``there`` that serve the places ``here``, whose places are wanted."""
    first, last = max(wanted.start, here.start), min(wanted.stop, here.stop)
    start = there.start + stride * (first - here.start)
    return slice(start, max(start, start + stride * (last - first - 1) + 1), stride)

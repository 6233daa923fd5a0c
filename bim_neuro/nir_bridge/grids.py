"""Grids: NIR's convolutions and pools as one kernel on a grid of neurons, and what of their fields cannot be one.

A Conv1d is a grid of one row. A sum pool is a kernel of ones with a group a channel, an average pool one of
1 / (rows * columns), what lies beyond the border counted, as PyTorch does by default.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from ..errors import Finding
from ..nodes.arithmetic import Array
from ..nodes.synapses import Conv
from ..nodes.synapses.conv import MOST_TAPS
from .hdf5 import NirNode

CONVS = {"Conv1d": 1, "Conv2d": 2}
POOLS = ("SumPool2d", "AvgPool2d")
ON_GRIDS = (*CONVS, *POOLS)
MOST_PLACES = 2**31 - 1
"""Neurons that a layer may have; a stride, a padding or a shape beyond it is no field of a network."""
Shape = tuple[int, ...]


def conv_of(node: NirNode, read: Shape) -> Conv:
    """Return the map of a convolution or pool that reads a wire of shape ``read``; `misfits_on_grid` found nothing."""
    grid = _grid(node, read) or (0, 0, 0)
    weight, stride, dilation = _weight(node, grid), _pair(node, "stride"), _pair(node, "dilation")
    groups = grid[0] if node.type in POOLS else _groups(node)
    return Conv(weight, grid, stride, _border(node), dilation, groups)


def misfits_on_grid(name: str, node: NirNode, read: Shape | None) -> Iterator[Finding]:
    """Yield what of a convolution or pool is no map on a grid; ``read`` is the shape of its wire, None if not known."""
    who = f"node '{name}' ({node.type})"
    if (found := list(_fields(name, who, node))) or read is None:
        yield from found
        return
    grid = _grid(node, read)
    if grid is None:
        needed = "channels and columns" if node.type == "Conv1d" else "channels, rows and columns"
        hint = "give the Input its shape, or the layer its input_shape"
        yield Finding("shape", name, f"{who} receives {_said(read)}, it needs {needed}", len(read), 0, hint)
        return
    if node.type in CONVS:
        inputs = node.fields["weight"].shape[1] * _groups(node)
        if inputs != grid[0]:
            yield Finding("shape", name, f"{who} takes {inputs} channels, it receives {grid[0]}", grid[0], inputs)
            return
    kernel, border, dilation = _kernel(node), _border(node), _pair(node, "dilation")
    padded = tuple(grid[1 + axis] + border[2 * axis] + border[2 * axis + 1] for axis in (0, 1))
    if any(dilation[axis] * (kernel[axis] - 1) >= padded[axis] for axis in (0, 1)):
        said = f"{who} has a kernel of {_said(kernel)}, larger than its padded input of {_said(padded)}"
        yield Finding("shape", name, said, hint="pad the input, or use a smaller kernel")
        return
    if prod(kernel) > MOST_TAPS:
        said = f"{who} has a kernel of {_said(kernel)}, {prod(kernel):,} taps, {MOST_TAPS:,} are allowed"
        yield Finding("shape", name, said, prod(kernel), MOST_TAPS)
        return
    conv = conv_of(node, read)
    if max(conv.pre, conv.post) > MOST_PLACES:
        yield Finding(
            "shape", name, f"{who} has {conv.post:,} neurons, {MOST_PLACES:,} are allowed", conv.post, MOST_PLACES
        )
    elif fault := conv.fault():
        yield Finding("shape", name, f"{who} has {fault}")


def shape_after(node: NirNode, read: Shape) -> Shape:
    """Return the shape of what a convolution or pool sends."""
    out = conv_of(node, read).out
    return (out[0], out[2]) if node.type == "Conv1d" else out


def _fields(name: str, who: str, node: NirNode) -> Iterator[Finding]:
    """Yield what is wrong with the fields alone."""
    axes = CONVS.get(node.type, 0)
    if axes and node.fields["weight"].ndim != axes + 2:
        got = node.fields["weight"].ndim
        yield Finding("shape", name, f"{who} has weights of {got} axes, it needs {axes + 2}", got, axes + 2)
        return
    word = node.texts.get("padding", "valid")
    if word not in ("same", "valid"):
        yield Finding("shape", name, f"{who} has padding '{word:.20}', it may be 'same', 'valid' or whole numbers")
    for key, least in (("stride", 1), ("dilation", 1), ("kernel_size", 1), ("padding", 0), ("groups", 1)):
        values = node.fields.get(key, np.full(1, least))
        few = (1,) if key == "groups" or axes == 1 else (1, 2)
        if values.size not in few:
            yield Finding(
                "shape", name, f"{who} has {values.size} values of {key}, {' or '.join(map(str, few))} may be"
            )
        elif not all(_is_whole(value, least) for value in values.ravel()):
            wrong = next(float(value) for value in values.ravel() if not _is_whole(value, least))
            yield Finding(
                "shape", name, f"{who} has {key} {wrong:g}, it needs a whole number from {least}", wrong, least
            )
    groups = node.fields.get("groups", np.ones(1)).ravel()[0]
    if axes and groups >= 1 and len(node.fields["weight"]) % groups:
        said = f"{who} has {len(node.fields['weight'])} output channels in {groups:g} groups, which do not divide them"
        yield Finding("shape", name, said, float(groups), len(node.fields["weight"]))
    if axes and word == "same" and (np.array(_pair(node, "stride")) != 1).any():
        yield Finding("shape", name, f"{who} has padding 'same' and a stride, which PyTorch does not define")
    bias = node.fields.get("bias")
    if axes and bias is not None and bias.size not in (1, len(node.fields["weight"])):
        said = f"{who} has {bias.size} biases for {len(node.fields['weight'])} output channels"
        yield Finding("shape", name, said, bias.size, len(node.fields["weight"]))


def _is_whole(value: float, least: int) -> bool:
    return least <= value <= MOST_PLACES and float(value).is_integer()


def _grid(node: NirNode, read: Shape) -> tuple[int, int, int] | None:
    """Return (channels, rows, columns) of what a node reads: the wire's own, or as its input_shape says."""
    axes = CONVS.get(node.type, 2)
    if len(read) > axes + 1 and prod(read[: -axes - 1]) == 1:  # leading axes of one: a batch
        read = read[-axes - 1 :]
    if len(read) != axes + 1:
        inner = tuple(int(size) for size in node.fields.get("input_shape", np.zeros(0)).ravel())
        size = prod(inner) if len(inner) == axes and min(inner) > 0 else 0
        if not size or prod(read) % size:
            return None
        read = (prod(read) // size, *inner)
    return (read[0], 1, read[1]) if axes == 1 else (read[0], read[1], read[2])


def _weight(node: NirNode, grid: tuple[int, int, int]) -> Array:
    if node.type in POOLS:
        rows, columns = _pair(node, "kernel_size")
        worth = 1.0 if node.type == "SumPool2d" else 1.0 / (rows * columns)
        return np.broadcast_to(worth, (grid[0], 1, rows, columns))  # takes no memory before it is known to fit
    weight = node.fields["weight"].astype(np.float64)
    return weight[:, :, None, :] if node.type == "Conv1d" else weight


def _pair(node: NirNode, key: str) -> tuple[int, int]:
    """Return a field along rows and columns; one number stands for both, an absent one is 1."""
    values = [int(value) for value in node.fields.get(key, np.ones(1)).ravel()]
    if node.type == "Conv1d":
        return (0 if key == "padding" else 1, values[0])
    return (values[0], values[-1])


def _kernel(node: NirNode) -> tuple[int, int]:
    """Return the kernel's rows and columns."""
    if node.type in POOLS:
        return _pair(node, "kernel_size")
    shape = node.fields["weight"].shape
    return (1, shape[2]) if node.type == "Conv1d" else (shape[2], shape[3])


def _border(node: NirNode) -> tuple[int, int, int, int]:
    """Return top, bottom, left and right; 'same' puts the odd one behind, as PyTorch does."""
    if node.texts.get("padding") == "same":
        dilation, kernel = _pair(node, "dilation"), _kernel(node)
        total = [dilation[axis] * (kernel[axis] - 1) for axis in (0, 1)]
        return total[0] // 2, total[0] - total[0] // 2, total[1] // 2, total[1] - total[1] // 2
    rows, columns = _pair(node, "padding") if "padding" in node.fields else (0, 0)
    return rows, rows, columns, columns


def _groups(node: NirNode) -> int:
    return int(node.fields.get("groups", np.ones(1)).ravel()[0])


def _said(shape: Shape) -> str:
    return " x ".join(map(str, shape))

r"""Maps: linear maps between neurons put after each other, scaled and added, and kept as small as they are.

    outer o inner        conv o conv is a conv where no tap of the outer one meets the border of the inner one's output
    factor o map         a factor a channel keeps a conv, a factor a neuron makes it sparse
    map + map            two convs of one geometry stay one

What fits none of these becomes sparse, and dense only beside what is dense. Nothing is unrolled without need.
"""

from __future__ import annotations

from math import gcd, prod

import numpy as np
from scipy.sparse import csr_array, diags_array

from ..nodes import Dense, Diagonal
from ..nodes.arithmetic import Array
from ..nodes.synapses import Conv, Sparse, sparse_of

Map = Dense | Diagonal | Sparse | Conv
_SPARSE_BYTES = 16
"""What one weight of a sparse map takes: its value, its column, and its share of the copies made on the way."""


def compose(outer: Map, inner: Map) -> Map:
    """Return the map that applies ``inner`` first, then ``outer``."""
    if isinstance(outer, Diagonal):
        return scaled(inner, outer.weight)
    if isinstance(inner, Diagonal):
        return _fed(outer, inner.weight)
    if isinstance(inner, Dense):
        return Dense(outer.apply(inner.weight.T.astype(np.float64)).T)
    if isinstance(outer, Dense):
        return Dense((_matrix(inner).T @ outer.weight.T).T)
    if isinstance(outer, Conv) and isinstance(inner, Conv) and (joined := _conv_of_conv(outer, inner)):
        return joined
    return sparse_of(_matrix(outer) @ _matrix(inner))


def scaled(map_: Map, factor: Array) -> Map:
    """Return the map with each neuron it leads to multiplied by its own ``factor`` (post,)."""
    if isinstance(map_, Conv):
        if (each := _one_a_channel(factor, map_.out)) is None:
            return scaled(map_.unrolled(), factor)
        return map_.with_weight(map_.weight * each[:, None, None, None])
    if isinstance(map_, Sparse):
        return sparse_of(diags_array(factor) @ map_.matrix())
    return Diagonal(factor * map_.weight) if isinstance(map_, Diagonal) else Dense(factor[:, None] * map_.weight)


def keeps(map_: Map, factor: Array) -> bool:
    """Whether a map stays of its kind when each neuron it leads to is multiplied by its own ``factor``."""
    return not isinstance(map_, Conv) or _one_a_channel(factor, map_.out) is not None


def added(left: Map, right: Map) -> Map:
    """Return the sum of two maps between the same neurons."""
    if isinstance(left, Diagonal) and isinstance(right, Diagonal):
        return Diagonal(left.weight + right.weight)
    if isinstance(left, Conv) and isinstance(right, Conv) and left.geometry == right.geometry:
        return left.with_weight(left.weight + right.weight)
    if isinstance(left, Dense) or isinstance(right, Dense):
        return Dense(_dense(left) + _dense(right))
    return sparse_of(_matrix(left) + _matrix(right))


def ends(map_: Map) -> tuple[int, int]:
    """Return how many neurons a map leads to, and from how many (post, pre)."""
    if isinstance(map_, Conv | Sparse):
        return map_.post, map_.pre
    return len(map_.weight), map_.weight.shape[-1]


def is_zero(map_: Map) -> bool:
    """Whether nothing passes."""
    return not map_.weight.any()


def bytes_of(map_: Map) -> int:
    """Return what a map's arrays take."""
    rest = map_.column.nbytes + map_.start.nbytes if isinstance(map_, Sparse) else 0
    return int(map_.weight.nbytes) + rest


def bytes_of_composed(outer: Map, inner: Map) -> int:
    """Return what `compose` may take, at most."""
    post, pre = ends(outer)[0], ends(inner)[1]
    if isinstance(outer, Dense) or isinstance(inner, Dense):
        unrolled = sum(_SPARSE_BYTES * m.count for m in (outer, inner) if isinstance(m, Conv | Sparse))
        return 8 * post * pre + unrolled
    if isinstance(outer, Diagonal) or isinstance(inner, Diagonal):
        whole, factor = (inner, outer.weight) if isinstance(outer, Diagonal) else (outer, inner.weight)
        if isinstance(whole, Conv) and _one_a_channel(factor, whole.out if whole is inner else whole.grid) is not None:
            return 8 * whole.weight.size
        return _SPARSE_BYTES * whole.count
    if isinstance(outer, Conv) and isinstance(inner, Conv) and _joins(outer, inner):
        return 8 * len(outer.weight) * inner.grid[0] * prod(_kernel(outer, inner, axis)[0] for axis in (0, 1))
    each = max(1, int(np.diff(_matrix(inner).indptr).max(initial=0)))
    return _SPARSE_BYTES * (outer.count + inner.count + min(post * pre, outer.count * each))


def bytes_of_added(left: Map, right: Map) -> int:
    """Return what `added` may take, at most."""
    if isinstance(left, Dense) or isinstance(right, Dense):
        post, pre = ends(left)
        return 24 * post * pre
    return bytes_of(left) if type(left) is type(right) is Diagonal else _SPARSE_BYTES * 2 * (left.count + right.count)


def _fed(map_: Map, factor: Array) -> Map:
    """Return the map with each neuron it comes from multiplied by its own ``factor`` (pre,)."""
    if isinstance(map_, Conv):
        if (each := _one_a_channel(factor, map_.grid)) is None:
            return sparse_of(map_.unrolled().matrix() @ diags_array(factor))
        outputs, inputs = len(map_.weight) // map_.groups, map_.weight.shape[1]
        by_output = np.repeat(each.reshape(map_.groups, inputs), outputs, axis=0)
        return map_.with_weight(map_.weight * by_output[:, :, None, None])
    if isinstance(map_, Sparse):
        return sparse_of(map_.matrix() @ diags_array(factor))
    return Diagonal(map_.weight * factor) if isinstance(map_, Diagonal) else Dense(map_.weight * factor)


def _one_a_channel(factor: Array, grid: tuple[int, int, int]) -> Array | None:
    """Return the factor of each channel; None where neurons of a channel differ."""
    by_channel = factor.reshape(grid[0], -1)
    return by_channel[:, 0] if by_channel.size and (by_channel == by_channel[:, :1]).all() else None


def _matrix(map_: Map) -> csr_array:
    if isinstance(map_, Conv):
        return map_.unrolled().matrix()
    if isinstance(map_, Sparse):
        return map_.matrix()
    return csr_array(diags_array(map_.weight) if isinstance(map_, Diagonal) else map_.weight)


def _dense(map_: Map) -> Array:
    return np.asarray(map_.weight if isinstance(map_, Dense) else _matrix(map_).toarray())


def _conv_of_conv(outer: Conv, inner: Conv) -> Conv | None:
    """Return one kernel for two, or None where the border between them would be seen.

    A place y of the outer grid reaches, by its tap j and the inner tap i, the sender
    s1 (s2 y + d2 j - p2) + d1 i - p1 = s1 s2 y + (s1 d2 j + d1 i) - (s1 p2 + p1).
    """
    if not _joins(outer, inner):
        return None
    (rows, step_rows), (columns, step_columns) = (_kernel(outer, inner, axis) for axis in (0, 1))
    groups = gcd(outer.groups, inner.groups)
    first, second = _grouped(inner, groups), _grouped(outer, groups)  # (groups, out, in, rows, columns)
    weight = np.zeros((groups, second.shape[1], first.shape[2], rows, columns))
    flat_first = first.reshape(*first.shape[:2], -1)
    for j in np.ndindex(second.shape[3:]):
        part = (second[..., j[0], j[1]] @ flat_first).reshape(*second.shape[:2], *first.shape[2:])
        down, across = (_reached(outer, inner, k, j[k], (step_rows, step_columns)[k]) for k in (0, 1))
        weight[..., down, across] += part
    padding: list[int] = []
    for axis, (size, step) in enumerate(((rows, step_rows), (columns, step_columns))):
        before = inner.stride[axis] * outer.padding[2 * axis] + inner.padding[2 * axis]
        stride, places = inner.stride[axis] * outer.stride[axis], outer.out[1 + axis]
        seen = stride * (places - 1) + step * (size - 1) + 1
        padding += [before, seen - before - inner.grid[1 + axis]]
    strides = (inner.stride[0] * outer.stride[0], inner.stride[1] * outer.stride[1])
    flat = weight.reshape(-1, *weight.shape[2:])
    top, bottom, left, right = padding
    return Conv(flat, inner.grid, strides, (top, bottom, left, right), (step_rows, step_columns), groups)


def _reached(outer: Conv, inner: Conv, axis: int, tap: int, step: int) -> slice:
    """Return where the inner kernel lies in the joined one, of dilation ``step``, behind a tap of the outer one."""
    first, size = inner.stride[axis] * outer.dilation[axis] * tap // step, inner.weight.shape[2 + axis]
    apart = inner.dilation[axis] // step if size > 1 else 1
    return slice(first, first + apart * (size - 1) + 1, apart)


def _kernel(outer: Conv, inner: Conv, axis: int) -> tuple[int, int]:
    """Return the size of the joined kernel along an axis, and its dilation: what all its offsets are multiples of."""
    outer_step, outer_size = inner.stride[axis] * outer.dilation[axis], outer.weight.shape[2 + axis]
    inner_step, inner_size = inner.dilation[axis], inner.weight.shape[2 + axis]
    step = gcd(outer_step if outer_size > 1 else 0, inner_step if inner_size > 1 else 0) or 1
    return (outer_step * (outer_size - 1) + inner_step * (inner_size - 1)) // step + 1, step


def _joins(outer: Conv, inner: Conv) -> bool:
    """Whether no tap of the outer conv lies beyond the inner one's output where the inner kernel would see a sender."""
    return all(outer.out) and not any(_border_seen(outer, inner, axis) for axis in (0, 1))


def _border_seen(outer: Conv, inner: Conv, axis: int) -> bool:
    places = outer.stride[axis] * np.arange(outer.out[1 + axis])[:, None]
    middle = np.unique(
        places + outer.dilation[axis] * np.arange(outer.weight.shape[2 + axis]) - outer.padding[2 * axis]
    )
    beyond = middle[(middle < 0) | (middle >= inner.out[1 + axis])]
    taps = inner.dilation[axis] * np.arange(inner.weight.shape[2 + axis]) - inner.padding[2 * axis]
    sender = inner.stride[axis] * beyond[:, None] + taps
    return bool(((sender >= 0) & (sender < inner.grid[1 + axis])).any())


def _grouped(conv: Conv, groups: int) -> Array:
    """Return the weights as (groups, out, in, rows, columns); for fewer groups, zeros where nothing is joined."""
    weight = conv.weight.astype(np.float64)
    outputs, inputs = len(weight) // conv.groups, weight.shape[1]
    full = np.zeros((len(weight), conv.grid[0] // groups, *weight.shape[2:]))
    for group in range(conv.groups):
        rows, within = slice(group * outputs, (group + 1) * outputs), group % (conv.groups // groups)
        full[rows, within * inputs : (within + 1) * inputs] = weight[rows]
    return full.reshape(groups, -1, *full.shape[1:])

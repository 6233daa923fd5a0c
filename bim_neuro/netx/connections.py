"""The connections of a layer of a .net file, as our synapses: one list a delay, and what comes back to the layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
from scipy.sparse import coo_array, csr_array

from ..compilers.align import MAX_DELAY
from ..compilers.two_lists import WIDE_MAX
from ..errors import DoesNotFit, Finding
from ..nodes import Conv, Dense, Shifted, Sparse
from ..nodes.arithmetic import Array
from ..nodes.synapses import WEIGHT_MAX, Synapse
from ..nodes.synapses.shifted import shifted_of
from ..nodes.synapses.sparse import sparse_of
from .file import NetLayer
from .weights import HIGHEST, LOWEST, held

FIELD_MAX = 127
"""The largest stride, padding, dilation, kernel or number of groups of Lava's Conv: its fields have 8 bits."""


@dataclass(frozen=True)
class Connections:
    """Synapses by delay from the layer before, those that come back a step later, and the shape they lead to."""

    forward: tuple[tuple[int, Synapse], ...]
    back: Synapse | None
    shape: tuple[int, ...]
    rows: Array
    """A row for the weights that share a scale: those into a neuron, or into a channel."""
    said: tuple[str, ...] = ()

    @property
    def delayed(self) -> bool:
        return any(delay for delay, _ in self.forward)

    @property
    def largest(self) -> int:
        return int(np.abs(self.rows).max(initial=0))

    @property
    def in_powers(self) -> bool:
        """Whether every weight is a number of 8 bits times a power of two, and none is of a kernel."""
        if any(isinstance(synapse, Conv) for _, synapse in self.forward):
            return False
        return bool((self.rows % (1 << _power(self.rows)) == 0).all())

    def with_powers(self) -> Connections:
        """Return the same weights with an exponent each."""
        forward = tuple((delay, _shifted(synapse)) for delay, synapse in self.forward)
        return replace(self, forward=forward, back=self.back and _shifted(self.back))


def _power(weight: Array) -> Array:
    """Return the least powers of two by which weights must be divided to have 8 bits."""
    return np.asarray(np.ceil(np.log2(np.maximum(np.abs(weight) / WEIGHT_MAX, 1))), dtype=np.int64)


def _shifted(synapse: Synapse) -> Shifted:
    assert isinstance(synapse, Dense | Sparse)
    matrix = coo_array(synapse.matrix() if isinstance(synapse, Sparse) else synapse.weight)
    weight, places = matrix.data.astype(np.int64), (np.asarray(matrix.row), np.asarray(matrix.col))
    power = _power(weight)
    return shifted_of(weight >> power, power, places, matrix.shape)


def connections_of(layer: NetLayer, before: tuple[int, ...]) -> Connections:
    """Return the connections of a layer that reads one of the shape ``before``."""
    return _convolution(layer, before) if layer.kind == "conv" else _dense(layer, prod(before))


def _dense(layer: NetLayer, pre: int) -> Connections:
    post = prod(layer.shape((1, 2, 3)))
    parts = [_matrix(layer, "weight", post, pre)]
    if layer.kind == "dense_rec":
        parts.append(_matrix(layer, "weight_rec", post, post))
    weight, *back = held(parts, layer.who)
    cut = int(sum(np.count_nonzero(now != was) for now, was in zip((weight, *back), parts, strict=True)))
    said = [f"'{layer.name}': {cut} weights are not as in the file, netx holds {LOWEST} to {HIGHEST}"] if cut else []
    delay, clipped = _delays(layer, weight.shape)
    if clipped:
        said.append(f"'{layer.name}': delays are cut off at {MAX_DELAY} steps, as in netx")
    return Connections(
        tuple(_by_delay(weight.astype(np.float64), delay)),
        Dense(back[0].astype(np.float64)) if back else None,
        (post,),
        np.concatenate([weight, *back], axis=1),
        tuple(said),
    )


def _matrix(layer: NetLayer, name: str, post: int, pre: int) -> Array:
    weight = layer.whole(name)
    if weight.ndim == 1 and weight.size == post * pre:
        weight = weight.reshape(post, pre)
    if weight.shape != (post, pre):
        raise _misfit(layer, f"has {name} of shape {weight.shape}, {(post, pre)} is needed")
    return weight


def _delays(layer: NetLayer, shape: tuple[int, ...]) -> tuple[Array, bool]:
    """Return the delay of every weight, and whether some were cut off."""
    if "delay" not in layer.fields:
        return np.zeros(shape, np.int64), False
    if layer.kind == "dense_rec":
        message = f"{layer.who} has delays; netx 0.6 loses the exponent of its weights there"
        raise DoesNotFit([Finding("netx-delay", layer.who, message, hint="leave the delays of recurrent layers out")])
    delay = layer.whole("delay")
    if delay.min(initial=0) < 0:
        raise _misfit(layer, f"has a delay of {delay.min()} steps, 0 to {MAX_DELAY} are allowed")
    if delay.ndim == 1 and delay.size == shape[0]:
        delay = delay[:, None]
    if delay.ndim and delay.shape not in (shape, (shape[0], 1), (shape[1],)):
        raise _misfit(layer, f"has delays of shape {delay.shape}, one a neuron, one an input or {shape} fit")
    clipped = bool(delay.max(initial=0) > MAX_DELAY)
    return np.broadcast_to(np.minimum(delay, MAX_DELAY), shape), clipped


def _by_delay(weight: Array, delay: Array) -> Iterator[tuple[int, Synapse]]:
    steps = np.unique(delay)
    if len(steps) == 1:
        yield int(steps[0]), Dense(weight)
        return
    used = [step for step in steps if weight[delay == step].any()] or [steps[0]]
    for step in used:
        yield int(step), sparse_of(csr_array(np.where(delay == step, weight, 0.0)))


def _convolution(layer: NetLayer, before: tuple[int, ...]) -> Connections:
    if len(before) != 3:
        raise _misfit(layer, f"reads {before}, a map of channels, rows and columns is needed")
    weight = layer.whole("weight")
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4:
        raise _misfit(layer, f"has weights of {weight.ndim} axes, 4 are needed")
    if (most := int(np.abs(weight).max(initial=0))) > WIDE_MAX:
        raise _misfit(layer, f"has a weight of {most}, at most {WIDE_MAX:,} are read")
    stride, padding, dilation = (
        _pair(layer, name, low) for name, low in (("stride", 1), ("padding", 0), ("dilation", 1))
    )
    groups = int(_small(layer, "groups", layer.whole("groups"), 1).ravel()[0])
    _small(layer, "kernel size", np.array(weight.shape[2:]), 1)
    channels, *grid = before
    (top, left), (rows, columns) = padding, grid
    conv = Conv(weight.astype(np.float64), (channels, rows, columns), stride, (top, top, left, left), dilation, groups)
    if fault := conv.fault():
        raise _misfit(layer, f"has {fault}")
    if conv.out != (shape := layer.shape((3,))):
        raise _misfit(layer, f"has the shape {shape}, its convolution makes {conv.out}")
    said = (f"'{layer.name}': its delays are not used, as in netx",) if "delay" in layer.fields else ()
    return Connections(((0, conv),), None, shape, weight.reshape(len(weight), -1), said)


def _pair(layer: NetLayer, name: str, low: int) -> tuple[int, int]:
    """Return a field along rows and columns; one number stands for both."""
    values = _small(layer, name, layer.whole(name), low)
    if values.shape not in ((), (2,)):
        raise _misfit(layer, f"has {values.size} values of {name}, one or two are needed")
    rows, columns = np.broadcast_to(values, 2).tolist()
    return rows, columns


def _small(layer: NetLayer, name: str, values: Array, low: int) -> Array:
    if not values.size or values.min() < low or values.max() > FIELD_MAX:
        said = values.ravel()[:4].tolist()
        raise _misfit(layer, f"has a {name} of {said}, Lava's Conv holds {low} to {FIELD_MAX}")
    return values


def _misfit(layer: NetLayer, what: str) -> DoesNotFit:
    return DoesNotFit([Finding("shape", layer.who, f"{layer.who} {what}")])

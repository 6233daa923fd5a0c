r"""S4D on processes that Lava ships: a diagonal state-space layer with fixed decays, between two linear maps.

    h[t] = a h[t-1] + u[t]         a complex product is four real ones, each a product neuron in the loop

The other factor of a product is a constant line that is on only during a sample: re re, im im, re im, im re. The state
itself is a sum at their ports.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil, log2

import numpy as np

from ..graph import Extra, FloatGraph
from ..model.s4d import S4D
from ..model.s4d_graph import weights_of
from ..nodes import Graded, Prod
from ..nodes.arithmetic import Array
from .lower_stock import Lowered
from .stock.projection import Signal, finest, reach
from .stock.wires import LINES, Wires

LEAST_BITS, MOST_BITS = 12, 14
"""Of a decay, unless others are asked for."""
_RESOLVED = 2  # units of the slowest leak
_SUM_BITS = 29  # of the weighted sums of Lava's Sparse, which are doubled and have a sign
_WEIGHT_BITS = 7
_FLOOR = 3  # units that the products and the shift of a step may cut off
_FINE = 7  # bits by which the exponent of a weight may lie below that of its neuron's largest


def lower_s4d(graph: FloatGraph, decay_bits: int = 0) -> Lowered:
    """Return a graph of `s4d_graph` lowered to processes that Lava ships, for the scale of its encoder.

    Real outputs are those of the readout times 2^-exponent. ``decay_bits`` 0 follows from the slowest state.
    """
    w, given = weights_of(graph), graph.encoder.assumed
    encoder = replace(given, constants=LINES, reads_raw=False)
    source, exponent = encoder.source, round(encoder.exponent)
    wires = Wires(graph.source, source.channels - LINES, exponent, {graph.source: source})
    largest = np.full(1, 127.0 if encoder.kind in ("graded", "counts") else 1.0)
    one = 1 / given.gain[:1] if given.reads_raw and given.kind == "graded" else np.full(1, 2.0**-exponent)
    x = Signal(graph.source, one, largest, signed=encoder.kind == "graded")
    bits = decay_bits or _bits(w.a)
    u = _linear(wires, x, "u", w.w_in, w.b_in)
    h, power = _add_loop(wires, u, w, bits)
    y = _add_y(wires, u, h, power, w)
    out = _linear(wires, y, graph.output, w.w_out, w.b_out, shared=True)
    wires.finish()
    how = f"The program is made of processes that Lava ships; its decays have {bits} bits."
    said = [*graph.extra.get("assumptions", ()), how]
    extra = Extra(assumptions=said, read_as=list(graph.extra.get("read_as", ())))
    lowered = FloatGraph(wires.nodes, wires.edges(), graph.dt, encoder, graph.task, graph.labels, extra)
    return Lowered(lowered, {graph.output: -log2(float(out.unit[0]))}, frozenset())


def _bits(a: Array) -> int:
    """Return the bits that the slowest state needs."""
    leak = max(float((1 - np.abs(a)).min()), 2.0**-MOST_BITS)
    return min(max(ceil(log2(_RESOLVED / leak)), LEAST_BITS), MOST_BITS)


def _linear(wires: Wires, x: Signal, name: str, weight: Array, bias: Array, shared: bool = False) -> Signal:
    """Add W x + b in units of its neurons, or in one unit of all."""
    unit = finest(x, weight, bias)
    unit = np.full(len(unit), unit.max()) if shared else unit
    real = weight * x.unit / unit[:, None]
    wires.nodes[name] = Graded(len(weight))
    top = np.maximum(np.abs(real).max(axis=1, initial=0.0), 1e-300)
    exponent = np.minimum(0, np.ceil(np.log2(top / (2**_WEIGHT_BITS - 1)))).astype(np.int64)
    mantissa = np.rint(real / 2.0 ** exponent[:, None]).astype(np.int64)
    wires.connect(x.name, name, "a", mantissa, exponent)
    held = wires.constant(name, "a", bias / unit)
    largest = reach(mantissa * 2.0 ** exponent[:, None] * x.largest, x.signed) + np.abs(held) + 2
    wires.nodes[name] = Graded(len(weight), largest=int(largest.max()))
    return Signal(name, unit, largest)


def _add_loop(wires: Wires, u: Signal, w: S4D, bits: int) -> tuple[Array, Array]:
    """Add the products of all states; return the bound of the states (D, N) and the power by which each reads u."""
    channels, states = w.a.shape
    count, one = channels * states, 2.0**bits
    rotates = np.iscomplexobj(w.a)
    held = _held(w.a, one)
    rest = 1 - np.abs(held) / one
    parts = 4 if rotates else 1
    summed = 2.0**_SUM_BITS / (2**_WEIGHT_BITS * parts * states)
    limit = min(2.0 ** (31 - bits) - 1, summed) - _FLOOR / rest
    power = np.floor(np.log2(np.maximum(limit, 1) * rest / u.largest[:, None])).astype(np.int64)
    largest = (u.largest[:, None] * 2.0**power + _FLOOR) / rest
    wires.nodes["kept"] = Prod(parts * count, bits, int(largest.max()) + 1)
    state, of = np.arange(count), np.arange(count) // states
    factors = [held.real, held.imag, held.imag, held.real][:parts]
    wires.constant("kept", "a2", np.concatenate([factor.ravel() for factor in factors]))
    reads_re = (0, 2) if rotates else (0,)
    for part in reads_re:
        rows = part * count + state
        wires.connect("u", "kept", "a1", np.ones(count), power.ravel(), places=(rows, of), delay=1)
        wires.connect("kept", "kept", "a1", np.ones(count), 0, places=(rows, state), delay=1)
        if rotates:
            wires.connect("kept", "kept", "a1", -np.ones(count), 0, places=(rows, count + state), delay=1)
    for part in (1, 3) if rotates else ():
        for other in (2, 3):
            rows = part * count + state
            wires.connect("kept", "kept", "a1", np.ones(count), 0, places=(rows, other * count + state), delay=1)
    return largest, power


def _held(a: Array, one: float) -> Array:
    """Return decays in units of 1 / ``one``: the nearest, but none whose state would not decay."""
    nearest = np.rint(a.real * one) + 1j * np.rint(a.imag * one)
    slower = a * np.minimum(1, (1 - 1 / one) / np.maximum(np.abs(a), 1 / one)) * one
    cut = np.trunc(slower.real) + 1j * np.trunc(slower.imag)
    return np.asarray(np.where(np.abs(nearest) <= one - 1, nearest, cut))


def _add_y(wires: Wires, u: Signal, h: Array, power: Array, w: S4D) -> Signal:
    """Add relu(Re C h + D u): h is read as its products and u."""
    channels, states = w.a.shape
    count, state = channels * states, np.arange(channels * states)
    of = state // states
    value = u.unit[:, None] * 2.0**-power  # of one unit of a state
    parts = [w.c.real, -w.c.real, -w.c.imag, -w.c.imag] if np.iscomplexobj(w.a) else [w.c]
    real = np.stack([(part * value).reshape(channels, states) for part in parts])  # (parts, D, N)
    skip = w.skip + w.c.real.sum(axis=1)
    bound = (np.abs(real) * (h + 1)).sum(axis=(0, 2)) + np.abs(skip) * u.unit * u.largest
    most = 2.0**_SUM_BITS / (2**_WEIGHT_BITS * channels)  # so that the readout's sums fit too
    unit = np.where(bound > 0, bound, 1.0) / (most - len(parts) * states - 2)
    rectify = w.activation == "relu"
    wires.nodes["y"] = Graded(channels, rectify=rectify, largest=int(most))
    whole = np.abs(np.concatenate([real.transpose(1, 0, 2).reshape(channels, -1), (skip * u.unit)[:, None]], axis=1))
    top = np.ceil(np.log2(np.maximum(whole.max(axis=1), 1e-300) / unit / (2**_WEIGHT_BITS - 1))).astype(np.int64)
    for number, part in enumerate(real):
        scaled = part / unit[:, None]
        own = np.ceil(np.log2(np.maximum(np.abs(scaled), 1e-300) / (2**_WEIGHT_BITS - 1))).astype(np.int64)
        exponent = np.maximum(own, top[:, None] - _FINE)
        mantissa = np.rint(scaled / 2.0**exponent).astype(np.int64).ravel()
        wires.connect("kept", "y", "a", mantissa, exponent.ravel(), places=(of, number * count + state))
    lines = np.arange(channels)
    mantissa = np.rint(skip * u.unit / unit / 2.0**top).astype(np.int64)
    wires.connect("u", "y", "a", mantissa, top, places=(lines, lines))
    return Signal("y", unit, np.full(channels, most), signed=not rectify)

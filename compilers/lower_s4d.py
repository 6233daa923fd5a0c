r"""S4D on processes that Lava ships: a diagonal state-space layer with fixed decays, between two linear maps.

    u[t] = W_in x[t] + b_in                                                         D channels
    h[t] = a h[t-1] + u[t]         a = exp(dt A), A = -exp(log_A_real) + i A_imag    D x N states
    y[t] = relu(Re sum_n 2 C (a - 1) / A h[t] + D u[t])                             zero-order hold, B = 1
    o[t] = W_out y[t] + b_out                                                       answer: the largest sum over time

The keys of the state dict are those of S4D's own code (Gu et al. 2022, arXiv 2206.11893): ``log_dt`` (D,),
``log_A_real`` and ``A_imag`` (D, N), ``C`` (D, N, 2), ``D`` (D,); ``encoder`` and ``decoder`` are linear layers.
Without ``A_imag`` states are real, C is (D, N) and its factor is 1.

A complex product is four real ones, each a product neuron in the loop whose other factor is a constant line that is on
only during a sample: re re, im im, re im, im re. The state itself is a sum at their ports. The float graph is exact but
for units: quantising rounds decays to ``decay_bits`` and weights to 8 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import log2
from typing import Any, NamedTuple

import numpy as np

from ..errors import InputError
from ..graph import Extra, FloatGraph
from ..nodes import Encoder, Graded, Prod
from ..nodes.arithmetic import Array
from .lower_stock import Lowered
from .stock.projection import Signal, finest, reach
from .stock.wires import LINES, Wires

DECAY_BITS = 12
_SUM_BITS = 29  # of the weighted sums of Lava's Sparse, which are doubled and have a sign
_WEIGHT_BITS = 7
_FLOOR = 3  # units that the products and the shift of a step may cut off
_FINE = 7  # bits by which the exponent of a weight may lie below that of its neuron's largest


class S4D(NamedTuple):
    """The weights, ready: ``a`` and ``c`` (D, N), complex or real."""

    w_in: Array
    b_in: Array
    a: Array
    c: Array
    skip: Array
    w_out: Array
    b_out: Array


def s4d_graph(
    state: Mapping[str, Any], encoder: Encoder, dt: float = 1e-3, labels: tuple[str, ...] = (),
    decay_bits: int = DECAY_BITS,
) -> Lowered:  # fmt: skip
    """Return the lowered graph of a state dict, to be compiled as any other. ``dt`` is the seconds of a step.

    Real outputs are those of the readout times 2^-exponent.

    >>> import torch
    >>> from bim_neuro.nodes import Encoder
    >>> encoder = Encoder("graded", gain=torch.full((2,), 127.0).numpy(), offset=torch.zeros(2).numpy())
    >>> linear, states = torch.nn.Linear(2, 3), torch.zeros(3, 4)
    >>> weights = {f"encoder.{name}": value for name, value in linear.state_dict().items()}
    >>> weights |= {f"decoder.{name}": value for name, value in torch.nn.Linear(3, 5).state_dict().items()}
    >>> weights |= {"log_dt": torch.zeros(3), "log_A_real": states, "C": states + 1, "D": torch.zeros(3)}
    >>> s4d_graph(weights, encoder).graph.nodes["readout"].neurons
    5
    """
    w, encoder = read_s4d(state), replace(encoder, constants=LINES)
    source = encoder.source
    lines, exponent = source.channels - LINES, round(encoder.exponent)
    if w.w_in.shape[1] != lines:
        raise InputError(f"encoder.weight has {w.w_in.shape[1]} inputs, the input has {lines} lines")
    wires = Wires("input", lines, exponent, {"input": source})
    largest = np.full(1, 127.0 if encoder.kind in ("graded", "counts") else 1.0)
    x = Signal("input", np.full(1, 2.0**-exponent), largest, signed=encoder.kind == "graded")
    u = _linear(wires, x, "u", w.w_in, w.b_in)
    h, power = _add_loop(wires, u, w, decay_bits)
    y = _add_y(wires, u, h, power, w)
    out = _linear(wires, y, "readout", w.w_out, w.b_out, shared=True)
    wires.finish(exact=True)
    said = f"An S4D of {w.a.shape[0]} channels and {w.a.shape[1]} states on processes that Lava ships; its decays have "
    extra = Extra(assumptions=[f"{said}{decay_bits} bits."])
    graph = FloatGraph(wires.nodes, wires.edges(), dt, encoder, "own", labels, extra)
    return Lowered(graph, {"readout": -log2(float(out.unit[0]))}, frozenset())


def read_s4d(state: Mapping[str, Any]) -> S4D:
    """Return the weights of a state dict; a missing key is refused by name."""
    needed = ("encoder.weight", "encoder.bias", "log_dt", "log_A_real", "C", "D", "decoder.weight", "decoder.bias")
    if missing := [name for name in needed if name not in state]:
        raise InputError(f"the state dict has no '{missing[0]}'", f"an S4D has {', '.join(needed)}, and perhaps A_imag")
    real = {name: np.asarray(_plain(value), dtype=np.float64) for name, value in state.items()}
    rate: Array = -np.exp(real["log_A_real"])
    c: Array = real["C"]
    if "A_imag" in real:
        rate, c = rate + 1j * real["A_imag"], 2 * (c[..., 0] + 1j * c[..., 1])
    step = np.exp(real["log_dt"])[:, None] * rate
    if rate.shape != c.shape or len(rate) != len(real["D"]):
        raise InputError(f"C is of {c.shape} states, log_A_real of {rate.shape}, D of {len(real['D'])} channels")
    a = np.exp(step)
    outer = (real["decoder.weight"], real["decoder.bias"])
    return S4D(real["encoder.weight"], real["encoder.bias"], a, c * (a - 1) / rate, real["D"], *outer)


def _plain(value: Any) -> Any:
    """Return a tensor without its gradient; an array as it is."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _linear(wires: Wires, x: Signal, name: str, weight: Array, bias: Array, shared: bool = False) -> Signal:
    """Add W x + b in units of its neurons, or in one unit of all."""
    unit = finest(x, weight, bias)
    unit = np.full(len(unit), unit.max()) if shared else unit
    real = weight * x.unit / unit[:, None]
    wires.nodes[name] = Graded(len(weight))
    top = np.maximum(np.abs(real).max(axis=1, initial=0.0), 1e-300)
    exponent = np.minimum(0, np.ceil(np.log2(top / (2**_WEIGHT_BITS - 1)))).astype(np.int64)
    wires.connect(x.name, name, "a", real / 2.0 ** exponent[:, None], exponent)
    wires.constant(name, "a", bias / unit, exact=True)
    rounded = np.rint(real / 2.0 ** exponent[:, None]) * 2.0 ** exponent[:, None]
    largest = reach(rounded * x.largest, x.signed) + np.abs(bias / unit) + 2
    wires.nodes[name] = Graded(len(weight), largest=int(largest.max()))
    return Signal(name, unit, largest)


def _add_loop(wires: Wires, u: Signal, w: S4D, bits: int) -> tuple[Array, Array]:
    """Add the products of all states; return the bound of the states (D, N) and the power by which each reads u."""
    channels, states = w.a.shape
    count, one = channels * states, 2.0**bits
    rotates = np.iscomplexobj(w.a)
    held = np.rint(w.a.real * one) / one + 1j * (np.rint(w.a.imag * one) / one)
    rest = np.maximum(1 - np.abs(held), 0.5 / one)
    parts = 4 if rotates else 1
    summed = 2.0**_SUM_BITS / (2**_WEIGHT_BITS * parts * states)
    limit = min(2.0 ** (31 - bits) - 1, summed) - _FLOOR / rest
    power = np.floor(np.log2(np.maximum(limit, 1) * rest / u.largest[:, None])).astype(np.int64)
    largest = (u.largest[:, None] * 2.0**power + _FLOOR) / rest
    wires.nodes["kept"] = Prod(parts * count, bits, int(largest.max()) + 1)
    state, of = np.arange(count), np.arange(count) // states
    factors = [w.a.real, w.a.imag, w.a.imag, w.a.real][:parts]
    wires.constant("kept", "a2", np.concatenate([factor.ravel() * one for factor in factors]), exact=True)
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


def _add_y(wires: Wires, u: Signal, h: Array, power: Array, w: S4D) -> Signal:
    """Add relu(Re C h + D u): h is read as its products and u."""
    channels, states = w.a.shape
    count, state = channels * states, np.arange(channels * states)
    of = state // states
    value = u.unit[:, None] * 2.0**-power  # of one unit of a state
    parts = [w.c.real, -w.c.real, -w.c.imag, -w.c.imag] if np.iscomplexobj(w.a) else [w.c]
    real = np.stack([(part * value).reshape(channels, states) for part in parts])  # (parts, D, N)
    skip = w.skip + w.c.real.sum(axis=1)
    bound = (np.abs(real) * h).sum(axis=(0, 2)) + np.abs(skip) * u.unit * u.largest
    most = 2.0**_SUM_BITS / (2**_WEIGHT_BITS * channels)  # so that the readout's sums fit too
    unit = np.where(bound > 0, bound, 1.0) / (most - len(parts) * states - 2)
    wires.nodes["y"] = Graded(channels, rectify=True, largest=int(most))
    whole = np.abs(np.concatenate([real.transpose(1, 0, 2).reshape(channels, -1), (skip * u.unit)[:, None]], axis=1))
    top = np.ceil(np.log2(np.maximum(whole.max(axis=1), 1e-300) / unit / (2**_WEIGHT_BITS - 1))).astype(np.int64)
    for number, part in enumerate(real):
        scaled = part / unit[:, None]
        own = np.ceil(np.log2(np.maximum(np.abs(scaled), 1e-300) / (2**_WEIGHT_BITS - 1))).astype(np.int64)
        exponent = np.maximum(own, top[:, None] - _FINE)
        mantissa = (scaled / 2.0**exponent).ravel()
        wires.connect("kept", "y", "a", mantissa, exponent.ravel(), places=(of, number * count + state))
    lines = np.arange(channels)
    wires.connect("u", "y", "a", skip * u.unit / unit / 2.0**top, top, places=(lines, lines))
    return Signal("y", unit, np.full(channels, most), signed=False)

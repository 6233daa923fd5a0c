"""Rounding: each constant in float and as the integers hold it; a large error is a finding.

The integers themselves are turned back into real numbers and compared. The error measures the effect of the constant,
not the number of lost bits:

    decay       the gain 1 / (1 - decay) at which a constant input settles; shown as the time constant -dt / ln(decay)
    threshold   its value
    weights     the share of the weights that are not 0 and became 0
    others      sum of errors / sum of magnitudes, so that a small bias among large ones may become 0
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import singledispatch
from math import inf, isfinite, log

import numpy as np

from ..errors import not_registered
from ..graph import FloatGraph, IntegerGraph
from ..nodes import (
    LIF,
    Cuba,
    Graded,
    IntegerCuba,
    IntegerGraded,
    IntegerLIF,
    IntegerProd,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Prod,
    Readout,
    Relay,
    Scan,
    Source,
)
from ..nodes.arithmetic import FACTOR_BITS, Z_BITS, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, DECAY_BITS
from ..nodes.node import IntegerNode, Node
from ..nodes.scan import U_MAX
from ..nodes.synapses import WEIGHT_MAX, WEIGHTED
from .calibrate import with_bounds
from .constants import FAR, ConstantPlace, Rounded
from .lost_weights import of_synapse
from .quantise import Units
from .quantise_nodes import LONG, exponent_for, state_exponent
from .quantise_weights import row_maximum
from .two_lists import whole_weights

LEAST_THRESHOLD = 8
"""In units of a weight's last bit; a smaller threshold distinguishes too few sums."""
NEGLIGIBLE = 0.01
"""Share of what a neuron needs to fire, or of the range of its message; a smaller bias may become 0."""
_EXACT = 1e-6


def rounding(graph: FloatGraph, integer: IntegerGraph, units: Units) -> tuple[Rounded, ...]:
    """Return every constant of the nodes, then of the synapses, in float and as the integers hold it."""
    found: list[Rounded] = []
    graph = with_bounds(graph)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # an infinite error is a finding
        for name, node in graph.nodes.items():
            found += of_node(node, integer.nodes[name], ConstantPlace(graph, name, units))
        for real, edge in zip(graph.edges, whole_weights(integer), strict=True):
            found += of_synapse(real.synapse, edge.synapse, edge, ConstantPlace(graph, edge.target, units))
    return tuple(found)


@singledispatch
def of_node(node: Node, got: IntegerNode, place: ConstantPlace) -> Iterator[Rounded]:
    """Yield the constants of a node; one without any yields nothing."""
    raise not_registered(node, "of_node", "compilers/rounding.py")


@of_node.register(Source)
@of_node.register(Graded)
@of_node.register(Prod)
def _(
    node: Source | Graded | Prod, got: Source | IntegerGraded | IntegerProd, place: ConstantPlace
) -> Iterator[Rounded]:
    yield from ()


@of_node.register
def _(node: LIF, got: IntegerLIF, place: ConstantPlace) -> Iterator[Rounded]:
    unity, unit = 2**DECAY_BITS, float(place.unit("i")[0])
    yield _decay(place, "tau", node.decay, 1 - got.dv / unity, DECAY_BITS)
    if node.current_decay:
        yield _decay(place, "tau of the current", node.current_decay, 1 - (got.du + 1) / unity, DECAY_BITS)
    if not _always_fires(node, got, place):
        yield _threshold(place, node.v_threshold, got.v_threshold, unit)
    needed = node.v_threshold * (1 - node.decay)  # a constant input below never fires
    yield from _vector(place, "bias", node.bias, got.bias * unit * 2.0**-ACCUMULATOR_SHIFT, needed)


@of_node.register
def _(node: Relay, got: IntegerRelay, place: ConstantPlace) -> Iterator[Rounded]:
    yield from _factor(place, "a", place.unit("a") * 2.0**place.exponent, got.multiplier * 2.0**-got.shift)
    yield from _vector(place, "bias", node.bias, got.bias * 2.0**-place.exponent, node.message_range)


@of_node.register
def _(node: Readout, got: IntegerReadout, place: ConstantPlace) -> Iterator[Rounded]:
    yield _decay(place, "tau", node.decay, got.decay / 2**FACTOR_BITS, FACTOR_BITS)
    yield from _factor(place, "a", place.unit("a") * 2.0**place.exponent, got.multiplier * 2.0**-got.shift)
    yield from _vector(place, "bias", node.bias, got.bias * 2.0**-place.exponent, node.v_range * (1 - node.decay))


@of_node.register
def _(node: Cuba, got: IntegerCuba, place: ConstantPlace) -> Iterator[Rounded]:
    decays = [("tau", node.decay, got.decay), ("tau of the current", node.current_decay, got.current_decay)]
    for what, asked, words in decays:
        if asked.any():
            yield _worst_decay(place, what, asked, words / 2**FACTOR_BITS)
    factor = place.unit("a") * node.gain
    unit = 2.0 ** -(place.exponent if node.counts == "none" else state_exponent(node, factor))
    yield from _factor(place, "a", factor / unit, got.multiplier * 2.0**-got.shift)
    if node.counts != "none":
        yield from _vector(place, "threshold", node.v_threshold, got.v_threshold * unit, 0.0)
    needed = float(np.abs(node.v_threshold * (1 - node.decay)).min(initial=0.0))
    yield from _vector(place, "bias", node.bias, got.bias * unit, needed)


@of_node.register
def _(node: Scan, got: IntegerScan, place: ConstantPlace) -> Iterator[Rounded]:
    u_exponent = exponent_for(node.ranges.u, U_MAX)
    d_exponent = got.d_shift - u_exponent + place.exponent
    yield _rates(place, node, got)
    yield from _factor(place, "u", place.unit("u") * 2.0**u_exponent, got.u_multiplier * 2.0**-got.u_shift)
    yield from _factor(place, "dt", place.unit("dt") * 2.0**Z_BITS, got.dt_multiplier * 2.0**-got.dt_shift)
    yield from _vector(place, "d_skip", node.d_skip, got.d_skip * 2.0**-d_exponent, 0.0)
    yield from _vector(place, "bias_u", node.bias_u, got.u_bias * 2.0**-u_exponent, node.ranges.u)
    yield from _vector(place, "bias_dt", node.bias_dt, got.dt_bias * 2.0**-Z_BITS, 1.0)


def _decay(place: ConstantPlace, what: str, asked: float, got: float, bits: int) -> Rounded:
    """Compare two decays by the steady state of a constant input; both are shown as time constants."""
    dt = place.graph.dt
    off = _off(_gain(asked), _gain(got))
    constant = place.rounded(what, _tau(asked, dt), _tau(got, dt), "s", off)
    if off <= FAR:
        return Rounded(constant)
    tau = _tau(asked, dt)
    became = "no leak" if got == 1 else f"{_tau(got, dt):.3g} s"
    steps = f"{float(f'{tau / dt:.3g}'):,.0f}"
    message = f"{what} of {tau:.3g} s is {steps} steps of {dt:g} s, a decay of {bits} bits makes it {became}"
    hint = f"use a longer step: a decay of {bits} bits holds up to {int(2 * FAR * 2**bits):,} steps"
    if tau / dt >= LONG:
        hint = f"is tau in seconds? If it is in milliseconds, it is {tau / 1000 / dt:,.3g} steps; else {hint}"
    return Rounded(constant, place.finding("rounded-decay", message, tau, _tau(got, dt), hint))


def _worst_decay(place: ConstantPlace, what: str, asked: Array, got: Array) -> Rounded:
    """Compare the decays of the neuron whose gain is most off."""
    off = [_off(_gain(a), _gain(g)) for a, g in zip(asked.tolist(), got.tolist(), strict=True)]
    worst = int(np.argmax(off))
    return _decay(place, what, float(asked[worst]), float(got[worst]), FACTOR_BITS)


def _rates(place: ConstantPlace, node: Scan, got: IntegerScan) -> Rounded:
    """Compare the decays of a scan's states without input, where delta is softplus(bias_dt), by its integer law."""
    asked = np.exp(np.logaddexp(0.0, node.bias_dt)[:, None] * node.a)
    nothing = {port: np.zeros(width, np.int64) for port, width in got.ports.items()}
    decay = got.words(got.initial(())["h"], nothing).decay / 2**FACTOR_BITS
    with np.errstate(divide="ignore"):
        off = np.abs(np.log((1 - asked) / (1 - decay)))
    worst = np.unravel_index(int(np.argmax(off)), off.shape)
    share = float(np.mean(np.expm1(off) > FAR))
    taus = _tau(float(asked[worst]), place.graph.dt), _tau(float(decay[worst]), place.graph.dt)
    constant = place.rounded("tau of a state at rest", *taus, "s", float(np.expm1(off[worst])))
    if share <= FAR:
        return Rounded(constant)
    message = f"{share:.0%} of the states' time constants are more than {FAR:.0%} off, one of {taus[0]:.3g} s becomes "
    message += f"{taus[1]:.3g} s" if isfinite(taus[1]) else "one without leak"
    return Rounded(constant, place.finding("rounded-decay", message, *taus, "a layer's rates share a power of two"))


def _always_fires(node: LIF, got: IntegerLIF, place: ConstantPlace) -> bool:
    """Whether a node has no input and its bias exceeds the threshold in one step: the threshold has no effect."""
    limit = got.v_threshold * 2**ACCUMULATOR_SHIFT
    return not place.graph.into(place.layer) and bool((node.bias > node.v_threshold).all() and (got.bias > limit).all())


def _threshold(place: ConstantPlace, asked: float, got: int, unit: float) -> Rounded:
    off = _off(asked, got * unit)
    constant = place.rounded("threshold", asked, got * unit, "", off)
    if off <= FAR and not (got < LEAST_THRESHOLD and off > _EXACT):
        return Rounded(constant)
    largest = place.largest_weight("i")
    units = f"{asked / unit:.3g} units of the largest weight / {WEIGHT_MAX}"
    message = f"a threshold of {asked:.3g} is {units} and becomes {got}"
    hint = f"the largest weight, {largest:.3g}, sets the scale of all: clip or prune those far above the others"
    return Rounded(constant, place.finding("rounded-threshold", message, asked, got * unit, hint))


def _vector(place: ConstantPlace, what: str, asked: Array, got: Array, needed: float) -> Iterator[Rounded]:
    """Compare one value per neuron; no finding where all are negligible beside ``needed``."""
    size = float(np.abs(asked).sum())
    if not size:
        return
    off, lost = float(np.abs(got - asked).sum()) / size, int(np.count_nonzero((asked != 0) & (got == 0)))
    means = float(np.abs(asked).mean()), float(np.abs(got).mean())
    constant = place.rounded(what, *means, f"mean of {asked.size}", off)
    if off <= FAR or float(np.abs(asked).max()) <= NEGLIGIBLE * needed:
        yield Rounded(constant)
        return
    message = f"{what} is {off:.0%} off, {lost:,} of {np.count_nonzero(asked):,} values became 0"
    hint = "the largest weight or bias sets the scale of the layer: clip or prune those far above the others"
    yield Rounded(constant, place.finding("rounded-bias", message, *means, hint))


def _factor(place: ConstantPlace, port: str, asked: Array, got: Array) -> Iterator[Rounded]:
    """Report the factors that rescale sums only where the error is large: a factor of 0 silences its neuron."""
    used = _rows_with_weights(place, port)
    if not used.any():
        return
    off = np.abs(got[used] / asked[used] - 1)
    worst = int(np.argmax(off))
    far = int(np.count_nonzero(off > FAR))
    if not far:
        return
    values = float(asked[used][worst]), float(got[used][worst])
    constant = place.rounded(f"scale of port {port}", *values, "message units", float(off[worst]))
    message = f"the weights into {far:,} of {off.size:,} neurons (port {port}) are so much smaller than those into the "
    message += f"others that the error of their scale exceeds {FAR:.0%}"
    hint = "factors of 16 bits share one power of two: scale the weights of these neurons up, or prune them"
    yield Rounded(constant, place.finding("rounded-scale", message, 0, far, hint))


def _rows_with_weights(place: ConstantPlace, port: str) -> Array:
    width = place.graph.nodes[place.layer].ports[port]
    used = np.zeros(width, bool)
    for edge in place.graph.into(place.layer):
        if edge.port == port and isinstance(edge.synapse, WEIGHTED):
            used |= row_maximum(edge.synapse, width) > 0
    return used


def _gain(decay: float) -> float:
    return 1 / (1 - decay) if decay < 1 else inf


def _tau(decay: float, dt: float) -> float:
    """Return the time constant of a decay in seconds."""
    return inf if decay >= 1 else -dt / log(decay) if decay > 0 else 0.0


def _off(asked: float, got: float) -> float:
    """Return the error relative to the value that was asked for."""
    if asked == got:
        return 0.0
    return inf if not asked or not isfinite(asked) or not isfinite(got) or not got else abs(got / asked - 1)

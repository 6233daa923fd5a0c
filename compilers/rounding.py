"""Rounding: each constant as the model asks for it and as the integers hold it; what is far off is a finding.

Measured on the very integers, turned back into real numbers. How far a constant is off says what it does, not how many
of its bits are lost:

    decay       the gain 1 / (1 - decay) at which a constant input settles; shown as the time constant -dt / ln(decay)
    threshold   its value
    weights     the share of the weights that are not 0 and became 0
    others      the sum of the errors over the sum of the magnitudes, so that a small bias among large ones may vanish
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import singledispatch
from math import inf, isfinite, log
from typing import NamedTuple

import numpy as np

from ..errors import Finding
from ..graph import Edge, FloatGraph, IntegerGraph
from ..nodes import LIF, Dense, Diagonal, IntegerLIF, IntegerReadout, IntegerRelay, IntegerScan, Readout, Relay, Scan
from ..nodes.arithmetic import FACTOR_BITS, Z_BITS, Array
from ..nodes.lif import ACCUMULATOR_SHIFT, DECAY_BITS
from ..nodes.node import IntegerNode, Node
from ..nodes.scan import U_MAX
from ..nodes.synapses import WEIGHT_MAX, Synapse
from .calibrate import bounded
from .quantise import LONG, Units, exponent_for

FAR = 0.1
"""The share from which on a constant is so far off that it is a finding."""
LEAST_THRESHOLD = 8
"""Units of a weight's last bit; below, a threshold tells few sums apart."""
NEGLIGIBLE = 0.01
"""Of what a neuron needs to fire, or of the range of its message: a bias below may vanish."""
_EXACT = 1e-6


@dataclass(frozen=True)
class Constant:
    """A constant of a layer, or of many the one that is furthest off, as ``asked`` and as ``got``.

    A time constant of None has no leak; ``off`` is None where nothing is left to compare.
    """

    layer: str
    constant: str
    asked: float | None
    got: float | None
    unit: str
    off: float | None


class Rounded(NamedTuple):
    """A constant, and the finding about it; None where it is near enough."""

    constant: Constant
    finding: Finding | None = None


def rounding(graph: FloatGraph, integer: IntegerGraph, units: Units) -> tuple[Rounded, ...]:
    """Return every constant of the nodes, then of the synapses, as the float graph asks for it and as it was got."""
    found: list[Rounded] = []
    graph = bounded(graph)
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):  # what is infinitely far off is a finding
        for name, node in graph.nodes.items():
            found += of_node(node, integer.nodes[name], _Place(graph, name, units))
        for real, edge in zip(graph.edges, integer.edges, strict=True):
            found += of_synapse(real.synapse, edge.synapse, edge, _Place(graph, edge.target, units))
    return tuple(found)


class _Place(NamedTuple):
    """Where a constant stands, and what integers are worth there."""

    graph: FloatGraph
    layer: str
    units: Units

    @property
    def exponent(self) -> int:
        return self.units.exponents[self.layer]

    def unit(self, port: str) -> Array:
        return self.units.sums[self.layer][port]

    def largest_weight(self, port: str) -> float:
        """Return the largest weight into a port, 0 where none leads there."""
        into = (e.synapse for e in self.graph.into(self.layer) if e.port == port)
        weights = (synapse.weight for synapse in into if isinstance(synapse, (Dense, Diagonal)))
        return max((float(np.abs(weight).max(initial=0.0)) for weight in weights), default=0.0)

    def rounded(self, what: str, asked: float, got: float, unit: str, off: float) -> Constant:
        return Constant(self.layer, what, _finite(asked), _finite(got), unit, _finite(off))

    def finding(self, rule: str, message: str, asked: float, got: float, hint: str) -> Finding:
        said = f"layer '{self.layer}': {message}"
        return Finding(rule, self.layer, said, _finite(got), _finite(asked), hint, severity="warning")


@singledispatch
def of_node(node: Node, got: IntegerNode, place: _Place) -> Iterator[Rounded]:
    """Yield the constants of a node; one without any yields nothing."""
    yield from ()


@of_node.register
def _(node: LIF, got: IntegerLIF, place: _Place) -> Iterator[Rounded]:
    unity, unit = 2**DECAY_BITS, float(place.unit("i")[0])
    yield _decay(place, "tau", node.decay, 1 - got.dv / unity, DECAY_BITS)
    if node.current_decay:
        yield _decay(place, "tau of the current", node.current_decay, 1 - (got.du + 1) / unity, DECAY_BITS)
    if not _always_fires(node, got, place):
        yield _threshold(place, node.v_threshold, got.v_threshold, unit)
    needed = node.v_threshold * (1 - node.decay)  # a constant input below never fires
    yield from _vector(place, "bias", node.bias, got.bias * unit * 2.0**-ACCUMULATOR_SHIFT, needed)


@of_node.register
def _(node: Relay, got: IntegerRelay, place: _Place) -> Iterator[Rounded]:
    yield from _factor(place, "a", place.unit("a") * 2.0**place.exponent, got.multiplier * 2.0**-got.shift)
    yield from _vector(place, "bias", node.bias, got.bias * 2.0**-place.exponent, node.message_range)


@of_node.register
def _(node: Readout, got: IntegerReadout, place: _Place) -> Iterator[Rounded]:
    yield _decay(place, "tau", node.decay, got.decay / 2**FACTOR_BITS, FACTOR_BITS)
    yield from _factor(place, "a", place.unit("a") * 2.0**place.exponent, got.multiplier * 2.0**-got.shift)
    yield from _vector(place, "bias", node.bias, got.bias * 2.0**-place.exponent, node.v_range * (1 - node.decay))


@of_node.register
def _(node: Scan, got: IntegerScan, place: _Place) -> Iterator[Rounded]:
    u_exponent = exponent_for(node.ranges.u, U_MAX)
    d_exponent = got.d_shift - u_exponent + place.exponent
    yield _rates(place, node, got)
    yield from _factor(place, "u", place.unit("u") * 2.0**u_exponent, got.u_multiplier * 2.0**-got.u_shift)
    yield from _factor(place, "dt", place.unit("dt") * 2.0**Z_BITS, got.dt_multiplier * 2.0**-got.dt_shift)
    yield from _vector(place, "d_skip", node.d_skip, got.d_skip * 2.0**-d_exponent, 0.0)
    yield from _vector(place, "bias_u", node.bias_u, got.u_bias * 2.0**-u_exponent, node.ranges.u)
    yield from _vector(place, "bias_dt", node.bias_dt, got.dt_bias * 2.0**-Z_BITS, 1.0)


def _decay(place: _Place, what: str, asked: float, got: float, bits: int) -> Rounded:
    """Compare two decays a step by what a constant input settles at; both are told as time constants."""
    dt = place.graph.dt
    off = _off(_gain(asked), _gain(got))
    constant = place.rounded(what, _tau(asked, dt), _tau(got, dt), "s", off)
    if off <= FAR:
        return Rounded(constant)
    tau = _tau(asked, dt)
    became = "no leak" if got == 1 else f"{_tau(got, dt):.3g} s"
    steps = f"{float(f'{tau / dt:.3g}'):,.0f}"
    message = f"{what} of {tau:.3g} s is {steps} steps of {dt:g} s, a decay of {bits} bits makes it {became}"
    hint = f"a longer step keeps it: a decay of {bits} bits holds {int(2 * FAR * 2**bits):,} steps"
    if tau / dt >= LONG:
        hint = f"is tau in seconds? If it is in milliseconds, it is {tau / 1000 / dt:,.3g} steps; else {hint}"
    return Rounded(constant, place.finding("rounded-decay", message, tau, _tau(got, dt), hint))


def _rates(place: _Place, node: Scan, got: IntegerScan) -> Rounded:
    """Compare the decays of a scan's states at rest, where delta is softplus(bias_dt), by its own integer law."""
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
    return Rounded(constant, place.finding("rounded-decay", message, *taus, "rates of a layer share one power of two"))


def _always_fires(node: LIF, got: IntegerLIF, place: _Place) -> bool:
    """Whether nothing leads into a node and its bias passes the threshold in one step, which then decides nothing."""
    limit = got.v_threshold * 2**ACCUMULATOR_SHIFT
    return not place.graph.into(place.layer) and bool((node.bias > node.v_threshold).all() and (got.bias > limit).all())


def _threshold(place: _Place, asked: float, got: int, unit: float) -> Rounded:
    off = _off(asked, got * unit)
    constant = place.rounded("threshold", asked, got * unit, "", off)
    if off <= FAR and not (got < LEAST_THRESHOLD and off > _EXACT):
        return Rounded(constant)
    largest = place.largest_weight("i")
    units = f"{asked / unit:.3g} units of the largest weight / {WEIGHT_MAX}"
    message = f"a threshold of {asked:.3g} is {units} and becomes {got}"
    hint = f"the largest weight, {largest:.3g}, sets the scale of the layer: clip or prune what is far above the others"
    return Rounded(constant, place.finding("rounded-threshold", message, asked, got * unit, hint))


def _vector(place: _Place, what: str, asked: Array, got: Array, needed: float) -> Iterator[Rounded]:
    """Compare a value a neuron; one that is nowhere above what is ``needed`` for a difference is no finding."""
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
    hint = "the largest weight or bias sets the scale of the layer: clip or prune what is far above the others"
    yield Rounded(constant, place.finding("rounded-bias", message, *means, hint))


def _factor(place: _Place, port: str, asked: Array, got: Array) -> Iterator[Rounded]:
    """Yield nothing unless factors that rescale sums of weights are far off: one that is 0 silences its neuron."""
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
    message = f"the weights into {far:,} of {off.size:,} neurons (port {port}) are so small beside those into others "
    message += f"that their scale is more than {FAR:.0%} off"
    hint = "factors of 16 bits share one power of two: scale the weights of these neurons up, or prune them"
    yield Rounded(constant, place.finding("rounded-scale", message, 0, far, hint))


def _rows_with_weights(place: _Place, port: str) -> Array:
    width = place.graph.nodes[place.layer].ports[port]
    used = np.zeros(width, bool)
    for edge in place.graph.into(place.layer):
        if edge.port == port and isinstance(edge.synapse, (Dense, Diagonal)):
            used |= np.abs(edge.synapse.weight).reshape(width, -1).max(axis=1, initial=0.0) > 0
    return used


@singledispatch
def of_synapse(synapse: Synapse, got: Synapse, edge: Edge, place: _Place) -> Iterator[Rounded]:
    """Yield the constants of a synapse; one without weights yields nothing."""
    yield from ()


@of_synapse.register(Dense)
@of_synapse.register(Diagonal)
def _(synapse: Dense | Diagonal, got: Dense | Diagonal, edge: Edge, place: _Place) -> Iterator[Rounded]:
    """Count the weights that became 0, and name the one that did it, if it was one."""
    nonzero = int(np.count_nonzero(synapse.weight))
    if not nonzero:
        return
    lost = (synapse.weight != 0) & (got.weight == 0)
    share = int(np.count_nonzero(lost)) / nonzero
    left = int(np.count_nonzero(got.weight))
    tap = f"[{edge.delay}]" if edge.delay else ""
    constant = place.rounded(f"weights of {edge.source}{tap}", nonzero, left, "not 0", share)
    if share <= FAR:
        yield Rounded(constant)
        return
    message = f"{nonzero - left:,} of {nonzero:,} weights from '{edge.source}{tap}' became 0"
    message += _outlier(synapse.weight, lost, shared=isinstance(place.graph.nodes[place.layer], LIF))
    hint = "weights have 8 bits and one scale a sum: clip or prune what is far above the others"
    yield Rounded(constant, place.finding("rounded-weights", message, nonzero, left, hint))


def _outlier(weight: Array, lost: Array, shared: bool) -> str:
    """Name the weight that sets the scale where most were lost, if the next one below it would have kept half of them.

    One scale is ``shared`` by all neurons of a layer, or each has its own.
    """
    size = np.abs(weight.reshape(1, -1) if shared else weight.reshape(len(weight), -1))
    gone = lost.reshape(size.shape)
    row = int(np.argmax(gone.sum(axis=1)))
    order = np.argsort(size[row])
    if size.shape[1] < 2 or size[row, order[-2]] == 0:
        return ""
    kept = np.rint(size[row] / size[row, order[-2]] * WEIGHT_MAX) > 0
    saved = int(np.count_nonzero(kept & gone[row]))
    if 2 * saved < gone[row].sum():
        return ""
    place = np.unravel_index(int(order[-1]) + row * size.shape[1], weight.shape)
    where = f"from neuron {place[-1]} to neuron {place[0]}"
    median = np.median(size[row][size[row] > 0])
    return f"; {saved:,} of them by one weight, {weight[place]:.3g} {where}, beside a median of {median:.3g}"


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


def _gain(decay: float) -> float:
    return 1 / (1 - decay) if decay < 1 else inf


def _tau(decay: float, dt: float) -> float:
    """Return the time constant of a decay in seconds."""
    return inf if decay >= 1 else -dt / log(decay) if decay > 0 else 0.0


def _off(asked: float, got: float) -> float:
    """Return how far one is from the other, as a share of what was asked."""
    if asked == got:
        return 0.0
    return inf if not asked or not isfinite(asked) or not isfinite(got) or not got else abs(got / asked - 1)

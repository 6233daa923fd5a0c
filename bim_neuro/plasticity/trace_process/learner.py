"""Learner: plays samples through the integer program, updates its 8-bit weights after each, keeps count.

After a sample, with P a product of a trace word and a learning signal (16 bits of error through the readout's weights):

    error[c]   = softmax(mean readout)[c] - target[c]            signal[d] = sum_c error[c] W_o[c, d]
    P_u, P_dt  = share[d] signal[d] R[d, j]    P_b, P_c = sum_d share[d] signal[d] R[d, n, j]    P_o = error[c] R_o[d]
    w          = clip(w - round(P m / 2^k))                      N22

``share`` makes up for the units of a trace. m and k are chosen once for each group of synapses, from the first
``WARM_UP`` samples, so that the update of a sample that the readout knows nothing about moves a weight by ``rate`` last
bits, root mean square; m has four bits.

Pruning (N23): a weight no further from 0 than theta of its group becomes 0, and theta follows eq 10 of the paper in
units of 2^-8,

    theta += THETA_STEP (wanted sparsity - sparsity)      after each sample; it falls when too much is gone

There is no float copy of a weight, so what is pruned comes back only by an update larger than theta.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from math import floor, log2
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...graph import IntegerGraph
from ...nodes import Dense, IntegerReadout, IntegerRelay
from ...nodes.arithmetic import FRACTION_BITS, Array, exp2_minus, multiply_shift, saturate
from ..record import LearnRecord
from ..request import ROUNDINGS, Plasticity
from .kernel import Channels, Constants, Readout, States, Traces, Weights, Words, play
from .law import NAMES, TraceProcess, round_words
from .pairs import pair_stdp, three_factor
from .play import play_exact

WARM_UP = 32
FINER = {"S": 3, "V": 3, "R": 1}  # chosen on training samples of digits.pt (docs/onchip.md)
MANTISSA_BITS = 4
THETA_BITS = 8
THETA_STEP = 2**THETA_BITS  # a last bit a sample where nothing is pruned and all should be
ERROR_BITS = 15
_CALIBRATION_BITS = 40
_UPDATE_DRAWS = 1 << 62  # the noise of updates has counters of its own


@dataclass(frozen=True)
class PlasticBlock:
    """An integer graph whose last block learns: names of its parts, and the constants of its trace process."""

    graph: IntegerGraph
    exponents: dict[str, int]  # of each layer's message
    edges: dict[str, str]  # edge name by group
    x: str  # the node the block reads
    relays: dict[str, str]  # relay by port
    process: TraceProcess
    omega: Array  # (T,)
    error_factor: tuple[int, int]
    readout: str
    plasticity: Plasticity

    @property
    def scan(self) -> str:
        """The node whose states the traces follow."""
        return next(edge.target for edge in self.graph.edges if edge.name == self.edges["w_dt"])

    def weights(self) -> dict[str, Array]:
        """Return the int8 weights of every dense projection of the block, as int64, by group."""
        found = {edge.name: edge.synapse for edge in self.graph.edges}
        return {group: np.asarray(found[name].weight, np.int64) for group, name in self.edges.items()}  # type: ignore[attr-defined]

    def with_weights(self, weights: dict[str, Array]) -> IntegerGraph:
        """Return the graph with these weights in it."""
        fresh = {self.edges[group]: Dense(weight.astype(np.int8)) for group, weight in weights.items()}
        edges = tuple(replace(e, synapse=fresh[e.name]) if e.name in fresh else e for e in self.graph.edges)
        return replace(self.graph, edges=edges)

    @cached_property
    def share(self) -> dict[str, Array]:
        """Return what a last bit of R is worth in each channel, in 2^-16 of the largest, (D,) by family.

        That is the trace's unit, and for u what the channel makes of its accumulator.
        """
        worth = {family: 2.0 ** self.process.units[f"R.{family}"] for family in ("dt", "u", "b", "c")}
        worth["u"] = worth["u"] * self.process.scan.u_multiplier
        return {family: np.rint(each / each.max() * (2**16 - 1)).astype(np.int64) for family, each in worth.items()}

    @cached_property
    def words(self) -> Words:
        """Return the constants as the kernel reads them."""
        process, scan, lif = self.process, self.process.scan, self.process.lif
        u, b, c = (self._relay(port) for port in ("u", "B", "C"))
        readout = self.graph.nodes[self.readout]
        assert isinstance(readout, IntegerReadout)
        numbers = {
            **{name: getattr(scan, name) for name in Constants._fields if hasattr(scan, name)},
            **{name: getattr(process, name) for name in Constants._fields if hasattr(process, name)},
            "du": lif.du, "dv": lif.dv, "v_threshold": lif.v_threshold,
            "relay_u_shift": u.shift, "relay_b_shift": b.shift, "relay_c_shift": c.shift,
            "readout_shift": readout.shift, "readout_decay": readout.decay,
            "bits": process.bits or _CALIBRATION_BITS, "rounding": ROUNDINGS.index(process.rounding),
        }  # fmt: skip
        d, n, classes = scan.neurons, scan.alpha.shape[1], readout.neurons
        channels = Channels(
            d_skip=scan.d_skip, u_multiplier=scan.u_multiplier, u_bias=scan.u_bias, dt_multiplier=scan.dt_multiplier,
            dt_bias=scan.dt_bias, relay_u_multiplier=u.multiplier, relay_u_bias=u.bias, lif_bias=lif.bias,
        )  # fmt: skip
        states = States(b_multiplier=b.multiplier, b_bias=b.bias, c_multiplier=c.multiplier, c_bias=c.bias)
        return Words(
            constants=Constants(**{name: int(numbers[name]) for name in Constants._fields}),
            channels=Channels(*(_whole(row, (d,)) for row in channels)),
            states=States(*(_whole(row, (n,)) for row in states)),
            readout=Readout(*(_whole(row, (classes,)) for row in (readout.multiplier, readout.bias))),
            alpha=_whole(scan.alpha, (d, n)),
            rate=_whole(process.rate, (d, n)),
            conv=_whole(process.conv, process.conv.shape),
            omega=_whole(self.omega, self.omega.shape),
            units=Traces(*(_whole(process.units[name], (d,)) for name in NAMES)),
        )

    def _relay(self, port: str) -> IntegerRelay:
        node = self.graph.nodes[self.relays[port]]
        assert isinstance(node, IntegerRelay)
        return node

    def traces(self) -> Traces:
        """Return room for every trace word."""
        shapes = self.process.shapes(self.weights()["w_u"].shape[1])
        return Traces(*(np.zeros(shapes[name], np.int64) for name in NAMES))

    def error(self, output: Array, target: int) -> Array:
        """Return softmax(output) - target in units of 2^-15, (C,), from the readout summed over a sample's steps."""
        factor, shift = self.error_factor
        odds = exp2_minus(np.minimum(multiply_shift(output.max() - output, factor, shift), 24 << FRACTION_BITS))
        error = (odds << ERROR_BITS) // int(odds.sum())
        error[target] -= 1 << ERROR_BITS
        return np.asarray(error)

    def products(self, traces: Traces, error: Array, w_o: Array) -> dict[str, Array]:
        """Return P of every group, in the shape of its weights."""
        whole, _ = saturate(error @ w_o)
        signal = {family: multiply_shift(whole, share, 16) for family, share in self.share.items()}
        return {
            "w_u": signal["u"][:, None] * traces.r_u,
            "w_dt": signal["dt"][:, None] * traces.r_dt,
            "w_b": np.einsum("d,dnj->nj", signal["b"], traces.r_b),
            "w_c": np.einsum("d,dnj->nj", signal["c"], traces.r_c),
            "w_o": error[:, None] * traces.r_o,
        }


class Heard(NamedTuple):
    """What a sample was: the block's input (T, M), its spikes and psi (T, D), and the readout summed over it, (C,)."""

    x: Array
    spikes: Array
    psis: Array
    output: Array


@dataclass(frozen=True)
class FixedRate:
    """A rate as the chip has it, ``mantissa / 2^shift``, and by how much that misses what was asked."""

    mantissa: int
    shift: int
    error: float


class Learner:
    """Learn on samples one after another. ``forgetful`` drops every trace but the last step's: the control."""

    def __init__(self, block: PlasticBlock, *, forgetful: bool = False) -> None:
        self.block, self.forgetful = block, forgetful
        self.weights = block.weights()
        self.rates: dict[str, FixedRate] = {}
        self.theta: dict[str, int] = {}
        self.traces = block.traces()  # of the sample that was played last
        self.heard: Heard | None = None
        self._samples = 0

    def run(self, x: Array, y: Array, *, progress: Callable[[int], None] | None = None) -> LearnRecord:
        """Learn on x (samples, T, M), what the block reads, and classes y (samples,)."""
        self.prepare(x, y)
        record = LearnRecord(np.zeros(len(x), bool))
        for index, (sample, target) in enumerate(zip(x, y, strict=True)):
            products, right, lost = self._play(sample, int(target))
            record.correct[index] = right
            record.saturated += lost
            self._update(products, record)
            self._prune()
            if progress:
                progress(1)
        return record

    def prepare(self, x: Array, y: Array) -> None:
        """Check the stream and choose the rates on its first samples, unless they are known."""
        check_stream(self.block, x, y)
        if not self.rates:
            self._choose_rates(x[:WARM_UP], y[:WARM_UP])

    def take(self, traces: Traces, heard: Heard, target: int, record: LearnRecord) -> None:
        """Learn from what a sample left that was played elsewhere: its traces, and what was heard of it."""
        self._samples += 1
        self._update(self._products(traces, heard, self.block.error(heard.output, target)), record)
        self._prune()

    def graph(self) -> IntegerGraph:
        """Return the integer graph with the weights as they are now."""
        return self.block.with_weights(self.weights)

    def _play(self, sample: Array, target: int, learning: bool = True) -> tuple[dict[str, Array], bool, int]:
        """Run one sample; return what its updates are made of, whether the answer was right, and lost trace words.

        Without ``learning`` the error is that of a readout that says nothing.
        """
        block, weights = self.block, self.weights
        steps = len(sample)
        spikes, psis = (np.zeros((steps, block.process.channels), np.int64) for _ in range(2))
        output = np.zeros(len(weights["w_o"]), np.int64)
        begin = steps - 1 if self.forgetful else 0
        for trace in self.traces:
            trace[...] = 0
        lost = play(
            block.words, Weights(**weights), np.ascontiguousarray(sample, np.int64), self.traces,
            self._samples * steps, begin, spikes, psis, output,
        )  # fmt: skip
        self._samples += 1
        error = block.error(output if learning else np.zeros_like(output), target)
        self.heard = Heard(sample, spikes, psis, output)
        products = self._products(self.traces, self.heard, error)
        return products, bool(output.argmax() == target), lost

    def _products(self, traces: Traces, heard: Heard, error: Array) -> dict[str, Array]:
        """Return what the updates of a sample are made of, by group, and 'stdp' where pairs count."""
        plasticity, w_o = self.block.plasticity, self.weights["w_o"]
        rule, omega = plasticity.rule, self.block.omega
        products = self.block.products(traces, error, w_o)
        if rule in ("stdp", "three-factor"):
            products = {"w_o": products["w_o"]}
        if rule in ("stdp", "hybrid"):
            products["stdp"] = -pair_stdp(plasticity, heard.x, heard.spikes)
        if rule == "s-tllr":
            shown = (omega[:, None] * heard.psis) >> 16
            signal, _ = saturate(error @ w_o)
            products["w_u"] = signal[:, None] * three_factor(plasticity, heard.x, heard.psis, shown, omega)
        return products

    def _choose_rates(self, x: Array, y: Array) -> None:
        """Choose for each group the m and k of N22 that `rate` asks for, from samples as if none were known yet."""
        squares: dict[str, list[float]] = {}
        for sample, target in zip(x, y, strict=True):
            for group, product in self._play(sample, int(target), learning=False)[0].items():
                squares.setdefault(group, []).append(float(np.mean(product.astype(np.float64) ** 2)))
        self._samples = 0
        for name, values in squares.items():
            typical, rate = float(np.mean(values)) ** 0.5, self._rate(name)
            if rate and not typical:
                message = f"the first {len(x)} samples leave '{name}' without an update, so it can have no rate"
                raise InputError(message, "a stronger input, a model that spikes, or more trace bits")
            self.rates[name] = as_rate(rate / max(typical, 1.0))

    def _rate(self, name: str) -> float:
        p = self.block.plasticity
        if _group(name) not in p.synapses:
            return 0.0
        if name == "stdp":
            return p.stdp_rate * (1 - p.mix if p.rule == "hybrid" else 1.0)
        return p.rate * (p.mix if p.rule == "hybrid" else 1.0)

    def _update(self, products: dict[str, Array], record: LearnRecord) -> None:
        """N22. Round once for each group; STDP joins the group it belongs to."""
        p = self.block.plasticity
        for place, (name, product) in enumerate(products.items()):
            group, rate = _group(name), self.rates[name]
            if not rate.mantissa:
                continue
            draw = _UPDATE_DRAWS + ((self._samples * 8 + place) << 32)
            step = round_words(product * rate.mantissa, rate.shift, p.rounding, p.seed, draw)
            before = self.weights[group]
            wanted = before - step
            self.weights[group] = np.clip(wanted, -p.weight_limit, p.weight_limit)
            record.add(group, before, wanted, self.weights[group])

    def _prune(self) -> None:
        """N23. Set to 0 what lies within theta, and move theta towards the wanted sparsity."""
        wanted = self.block.plasticity.sparsity
        for group in self.block.plasticity.synapses if wanted else ():
            theta, weight = self.theta.get(group, 0), self.weights[group]
            weight[np.abs(weight) <= theta >> THETA_BITS] = 0
            gap = wanted - float(np.mean(weight == 0))
            self.theta[group] = max(0, theta + round(THETA_STEP * gap))


def check_stream(block: PlasticBlock, x: Array, y: Array) -> None:
    """Refuse a stream whose shape or labels are not the block's."""
    weights = block.weights()
    wanted, classes = (len(block.omega), weights["w_u"].shape[1]), len(weights["w_o"])
    if x.ndim != 3 or x.shape[1:] != wanted or len(x) != len(y) or not len(x):
        shape = f"(samples, {wanted[0]}, {wanted[1]})"
        raise InputError(f"a learning stream of shape {x.shape} with {len(y)} labels, wanted {shape}")
    if y.min() < 0 or y.max() >= classes:
        raise InputError(f"labels run from {y.min()} to {y.max()}, the model has {classes} classes")


def _group(name: str) -> str:
    """Return which synapses a product moves."""
    return "w_u" if name == "stdp" else name


def as_rate(wanted: float) -> FixedRate:
    """Write a rate as a four-bit mantissa over a power of two; 0 stays 0."""
    if wanted <= 0:
        return FixedRate(0, 1, 0.0)
    shift = MANTISSA_BITS - 1 - floor(log2(wanted))
    if not 1 <= shift <= 62:
        raise InputError(f"a rate of {wanted:.3g} needs a shift of {shift} bits, a word has 1 to 62")
    mantissa = round(wanted * 2.0**shift)
    return FixedRate(mantissa, shift, mantissa * 2.0**-shift / wanted - 1)


def calibrate_units(block: PlasticBlock, x: Array) -> dict[str, Array]:
    """N20. Return the units (D,) that keep every trace of these samples a factor of two inside its bits.

    x (samples, T, M) is what the block reads; the traces are exact here. A channel's unit is no more than `FINER` bits
    below that of the largest channel, as it may do more in other samples; the traces of spikes (R.o) share one unit.
    """
    bits, exact = block.process.bits or _CALIBRATION_BITS, block.process.exact()
    largest = {name: np.full(block.process.channels, 2.0**-16) for name in NAMES}
    for sample in x:
        played = play_exact(block.graph, block.relays, exact, block.weights(), block.readout, block.omega, sample)
        for name in NAMES:
            seen = played.traces[f"max {name}"].reshape(block.process.channels, -1).max(axis=1)
            largest[name] = np.maximum(largest[name], seen)
    units = {name: np.floor(np.log2(value)).astype(np.int64) + 2 - (bits - 1) for name, value in largest.items()}
    finer = {name: 0 if name == "R.o" else FINER[name[0]] for name in NAMES}
    return {name: np.maximum(unit, unit.max() - finer[name]) for name, unit in units.items()}


def _whole(values: Array, shape: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.int64), shape))

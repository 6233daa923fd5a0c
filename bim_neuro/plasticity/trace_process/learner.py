"""Learner: runs samples through the integer program, updates its 8-bit weights after each, and keeps counts.

After a sample, with P a product of a trace word and a learning signal (16 bits of error through the readout's weights):

    error[c]   = softmax(mean readout)[c] - target[c]            signal[d] = sum_c error[c] W_o[c, d]
    P_u, P_dt  = share[d] signal[d] R[d, j]    P_b, P_c = sum_d share[d] signal[d] R[d, n, j]    P_o = error[c] R_o[d]
    w          = clip(w - round(P m / 2^k))                      N22

``share`` compensates for the units of a trace. m and k are chosen once for each group of synapses, from the first
``WARM_UP`` samples, so that an update with an untrained readout changes a weight by ``rate`` LSBs (RMS); m has four
bits.

Pruning (N23): a weight no further from 0 than theta of its group becomes 0, and theta follows eq 10 of the paper in
units of 2^-8,

    theta += THETA_STEP (wanted sparsity - sparsity)      after each sample; it falls when too much is gone

There is no float copy of a weight, so a pruned weight returns only by an update larger than theta.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ...errors import InputError
from ...graph import IntegerGraph
from ...nodes.arithmetic import Array, saturate
from ..record import LearnRecord
from .block import PlasticBlock, check_stream
from .kernel import play
from .law import round_words
from .pairs import pair_stdp, three_factor
from .parameters import EachTrace, Weights
from .rate import FixedRate, as_rate

WARM_UP = 32
THETA_BITS = 8
THETA_STEP = 2**THETA_BITS  # one LSB per sample if nothing is pruned and all should be
_UPDATE_DRAWS = 1 << 62  # the noise of updates has its own counters


class Heard(NamedTuple):
    """Record of a sample: the block's input (T, M), its spikes and psi (T, D), and the summed readout, (C,)."""

    x: Array
    spikes: Array
    psis: Array
    output: Array


class TraceLearner:
    """Learn on samples one after another. ``forgetful`` keeps only the traces of the last step, as a control."""

    def __init__(self, block: PlasticBlock, *, forgetful: bool = False) -> None:
        self.block, self.forgetful = block, forgetful
        self.weights = block.weights()
        self.rates: dict[str, FixedRate] = {}
        self.theta: dict[str, int] = {}
        self.traces = block.traces()  # of the last sample
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

    def take(self, traces: EachTrace, heard: Heard, target: int, record: LearnRecord) -> None:
        """Learn from a sample that was run elsewhere: from its traces and its record."""
        self._samples += 1
        self._update(self._products(traces, heard, self.block.error(heard.output, target)), record)
        self._prune()

    def answers(self, x: Array) -> Array:
        """Return the class (samples,) of each sample of x (samples, T, M) with the weights as they are now."""
        return np.asarray(self.listen(x)[0].argmax(1))

    def listen(self, x: Array) -> tuple[Array, Array]:
        """Return the summed readout (samples, C) and the spikes (samples, T, D) without learning."""
        p, weights = self.block.parameters, Weights(**self.weights)
        output = np.zeros((len(x), len(weights.w_o)), np.int64)
        spikes, psis = (np.zeros((*x.shape[:2], self.block.process.channels), np.int64) for _ in range(2))
        for i, sample in enumerate(np.ascontiguousarray(x, np.int64)):
            play(p, weights, sample, self.traces, 0, len(sample), spikes[i], psis[i], output[i])  # no trace moves
        return output, spikes

    def graph(self) -> IntegerGraph:
        """Return the integer graph with the weights as they are now."""
        return self.block.with_weights(self.weights)

    def _play(self, sample: Array, target: int, learning: bool = True) -> tuple[dict[str, Array], bool, int]:
        """Run one sample; return the products of its updates, whether the answer was right, and saturated traces.

        Without ``learning`` the error is that of a readout of zeros.
        """
        block, weights = self.block, self.weights
        steps = len(sample)
        spikes, psis = (np.zeros((steps, block.process.channels), np.int64) for _ in range(2))
        output = np.zeros(len(weights["w_o"]), np.int64)
        begin = steps - 1 if self.forgetful else 0
        for trace in self.traces:
            trace[...] = 0
        lost = play(
            block.parameters, Weights(**weights), np.ascontiguousarray(sample, np.int64), self.traces,
            self._samples * steps, begin, spikes, psis, output,
        )  # fmt: skip
        self._samples += 1
        error = block.error(output if learning else np.zeros_like(output), target)
        self.heard = Heard(sample, spikes, psis, output)
        products = self._products(self.traces, self.heard, error)
        return products, bool(output.argmax() == target), lost

    def _products(self, traces: EachTrace, heard: Heard, error: Array) -> dict[str, Array]:
        """Return the products of a sample's updates, by group, and 'stdp' if the rule has pairs."""
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
        """Choose the m and k of N22 for each group from `rate`, on samples with an untrained readout."""
        squares: dict[str, list[float]] = {}
        for sample, target in zip(x, y, strict=True):
            for group, product in self._play(sample, int(target), learning=False)[0].items():
                squares.setdefault(group, []).append(float(np.mean(product.astype(np.float64) ** 2)))
        self._samples = 0
        for name, values in squares.items():
            typical, rate = float(np.mean(values)) ** 0.5, self._rate(name)
            if rate and not typical:
                message = f"the first {len(x)} samples give '{name}' no update, so its rate cannot be chosen"
                raise InputError(message, "use a stronger input, a model that spikes, or more trace bits")
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


def _group(name: str) -> str:
    """Return which synapses a product moves."""
    return "w_u" if name == "stdp" else name

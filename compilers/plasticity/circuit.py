"""Circuit: a plastic block becomes a circuit for the learning engine, with rules compiled from its rates.

A rate means the same as in `plasticity.trace_process.learner`: the RMS update of a weight, in its last bits, by a
sample for which the readout has no preference; the size of unscaled updates is measured on the first samples of the
stream. If a rate is below the learning engine's smallest scale, the error is made coarser (down to 4 units for TARGET),
then sent in fewer steps, and for w_u the signal is made coarser; a rate that is still too small is refused by the rule
compiler.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil, log, log2

import numpy as np

from ...graph import FloatGraph
from ...hardware import HardwareProfile
from ...nodes import IntegerReadout
from ...nodes.arithmetic import Array, multiply_shift, saturate
from ...plasticity.learning_engine.compiled import FastSynapses
from ...plasticity.learning_engine.law import WORDS_A_WEIGHT
from ...plasticity.learning_engine.learner import EngineLearner, Loop, PlasticInput, block_spikes, readout_targets
from ...plasticity.learning_engine.neurons import SIGNAL_SHIFT, ErrorNeuron
from ...plasticity.learning_engine.randoms import randoms
from ...plasticity.learning_engine.rule import EXPONENTS, SIGN_OFFSET, Factor, Product
from ...plasticity.record import Rate
from ...plasticity.request import Plasticity
from ...plasticity.trace_process.block import PlasticBlock
from ...plasticity.trace_process.pairs import AMPLITUDE_BITS, IMPULSE_BITS, pair_stdp
from .block import GROWTH
from .channel import PlasticChannel, plastic_channel
from .roles import dense_weight, part, roles_of, tap_weight
from .rule_compiler import IMPULSES, CompiledRule, compile_rule

TAG_RULES = ("rtrl", "hybrid")
INPUT_RULES = (*TAG_RULES, "stdp")
"""Learning rules that the learning engine has for w_u."""
ERROR_SHIFT = 16  # with it TARGET is 16 units of the error, which has 7 bits
COARSEST = 2  # further bits by which the error may be coarser
FINE_MANTISSA = 4  # least mantissa of w_u's rate: below it the scales are 1, 2, 3 times the smallest
GAP = 3.0  # in time constants of the slowest presynaptic trace: it decays to 5 %
TAG_GAP = 3  # steps in which y2 = 127 clears a tag
LONGEST_TAU = 60000.0
_QUANTILE = 0.98  # of |e C psi|: the value at which y3 saturates
_SIGNAL = Factor("y3", -SIGN_OFFSET)


def engine_learner(
    reference: FloatGraph, block: PlasticBlock, profile: HardwareProfile, x: Array, y: Array, mode: str = "synapse"
) -> EngineLearner:
    """Return the learner; x (samples, T, M) and y are the first samples of the stream, ``mode`` as in `randoms`.

    Raises DoesNotFit with every limit of the learning engine that the request exceeds.
    """
    p, weights = block.plasticity, block.weights()
    readout = part(block.graph, block.readout, IntegerReadout)
    spikes = [block_spikes(block, weights, sample)[0] for sample in x]
    tau = 1 / max(-log(max(readout.decay, 1) / 2**16), 1 / LONGEST_TAU)
    plan = _error_plan(p, spikes, readout) if "w_o" in p.synapses else _ErrorPlan(0, 1, 1.0)
    loop = Loop(ErrorNeuron(readout, ERROR_SHIFT + plan.coarser), plan.stride, weights["w_o"].T)
    rules: dict[str, CompiledRule] = {}
    inputs = output = None
    if "w_o" in p.synapses and p.rate:
        share = p.mix if p.rule == "hybrid" else 1.0
        request = replace(p, rule="three-factor", rate=_half_units(p.rate * share, plan.typical), tau_plus=tau)
        rules["w_o"] = compile_rule(request, profile, layer=block.readout)
        output = FastSynapses(rules["w_o"].rule, WORDS_A_WEIGHT * weights["w_o"], randoms(mode, p.seed))
    if "w_u" in p.synapses and p.rule in INPUT_RULES:
        channel = plastic_channel(reference, x, signal_unit=1.0, largest_signal=1.0, growth=GROWTH, seed=p.seed)
        request, channel = _input_request(block, channel, loop, spikes, x, y)
        rules["w_u"] = compile_rule(request, profile, layer=channel.roles.scan)
        synapses = FastSynapses(rules["w_u"].rule, channel.words, randoms(mode, p.seed + 1))
        inputs = PlasticInput(channel, synapses, _weights_per_half_unit(reference, block, channel))
    traces = [trace.tau for made in rules.values() for name, trace in made.rule.traces if name[0] == "x"]
    gap = max(TAG_GAP, ceil(GAP * max(traces, default=0.0)))
    rates: dict[str, Rate] = {f"{group}: {r.name}": r for group, made in rules.items() for r in made.rates}
    return EngineLearner(block, loop, gap, rates, inputs, output)


@dataclass(frozen=True)
class _ErrorPlan:
    """The error is ``coarser`` by so many bits, sent every ``stride`` steps; ``typical`` is a sample's RMS product."""

    coarser: int
    stride: int
    typical: float


def _error_plan(p: Plasticity, spikes: list[Array], readout: IntegerReadout) -> _ErrorPlan:
    """Return the finest and most frequent error for which the rate of w_o is not below the smallest scale."""
    smallest = Product(1, EXPONENTS[0], "u0", (Factor("x1"), _SIGNAL)).fixed_scale * IMPULSES[0]
    traces, aims = [_trace(sample, readout.decay / 2**16) for sample in spikes], readout_targets(0, readout.neurons)
    share = p.mix if p.rule == "hybrid" else 1.0
    for coarser, stride in _plans(len(spikes[0])):
        seen = [trace[::-1][::stride].sum(axis=0) for trace in traces]
        plan = _ErrorPlan(coarser, stride, _rms(aims) * _rms(np.array(seen)) / 2 ** (ERROR_SHIFT + coarser))
        if _half_units(p.rate * share, plan.typical) * p.epoch >= smallest:
            break
    return plan


def _plans(steps: int) -> Iterator[tuple[int, int]]:
    yield from ((coarser, 1) for coarser in range(COARSEST + 1))
    yield from ((COARSEST, 2**k) for k in range(1, steps.bit_length()))


def _trace(spikes: Array, kept: float) -> Array:
    """Return the presynaptic trace (T, D) at each step's error: one step later, that step's spike included."""
    padded = np.concatenate([spikes, np.zeros_like(spikes[:1])])
    trace, rows = np.zeros(spikes.shape[1]), []
    for row in padded:
        trace = kept * trace + row
        rows.append(trace)
    return np.array(rows[1:])


def _input_request(
    block: PlasticBlock, channel: PlasticChannel, loop: Loop, spikes: list[Array], x: Array, y: Array
) -> tuple[Plasticity, PlasticChannel]:
    """Return the request for w_u with rates in half units, and the channel with signals as coarse as needed."""
    p = block.plasticity
    pairs = _rms(np.array([_pairs(p, sample, sent) for sample, sent in zip(x, spikes, strict=True)]))
    request = replace(p, stdp_rate=_half_units(p.stdp_rate, pairs))
    if p.rule not in TAG_RULES:
        return request, channel
    played = [_signals(channel, loop, sample, int(target)) for sample, target in zip(x, y, strict=True)]
    signal, moved = np.stack([s for s, _ in played]), np.stack([m for _, m in played])
    finest = max(0, ceil(log2(max(float(np.quantile(np.abs(signal), _QUANTILE)) / (SIGN_OFFSET - 1), 1.0))))
    smallest = Product(FINE_MANTISSA, EXPONENTS[0], "u0", (_SIGNAL, Factor("t"))).fixed_scale
    share = p.mix if p.rule == "hybrid" else 1.0
    asked = _half_units(p.rate * share, _rms(moved)) * p.epoch
    shift = max(finest, ceil(log2(smallest / asked)) if asked else 0)
    coarse = np.asarray(channel.neuron.immediate_shift)
    neuron = replace(channel.neuron, signal_shift=shift + coarse.max() - coarse)
    request = replace(request, rate=_half_units(p.rate, _rms(moved) * 2.0**-shift))
    return request, replace(channel, neuron=neuron)


def _signals(channel: PlasticChannel, loop: Loop, x: Array, target: int) -> tuple[Array, Array]:
    """Return e C psi (steps, D) for a readout of equal answers, and the unscaled update (D, M), sum of signal * tag.

    Both in units of the channel with the coarsest tag, before y3 is limited to 7 bits.
    """
    neuron, classes = channel.neuron, loop.neuron.neurons
    aims = readout_targets(target, classes) / 2.0**loop.neuron.error_shift
    signal = np.rint(loop.back @ aims).astype(np.int64)
    gate = loop.gate(len(x), 2)
    x = np.concatenate([x, np.zeros((len(gate) - len(x), x.shape[1]), np.int64)])
    streams = channel.streams(x)
    state = neuron.initial()
    coarse = np.asarray(neuron.immediate_shift)
    sums, trace, rows = np.zeros(len(channel.words), np.int64), np.zeros(channel.words.shape), []
    moved = np.zeros_like(trace)
    for t, spikes in enumerate(x):
        arrived = {"u": sums, "dt": state["dt"], "B": state["B"], "C": streams["C"][t]}
        scanned, current, _ = neuron.scan.step({"h": state["h"]}, arrived)
        soma, _, psi, _ = neuron.soma.step(state, current)
        e = signal if t > 0 and gate[t - 1] else np.zeros_like(signal)
        seen = multiply_shift(saturate(multiply_shift(e, streams["C"][t], SIGNAL_SHIFT))[0], psi, 16)
        rows.append(seen * 2.0 ** (coarse - coarse.max()))
        moved += rows[-1][:, None] * trace
        gate_now, decay = neuron.ahead(streams["dt"][t], streams["B"][t])
        trace = trace * (decay / 2**16)[:, None] + (gate_now * 2.0**-coarse)[:, None] * spikes
        state = {**scanned, **soma, "dt": streams["dt"][t], "B": streams["B"][t]}
        sums = np.asarray(channel.words @ spikes >> 1)
    return np.array(rows), moved


def _pairs(p: Plasticity, x: Array, spikes: Array) -> Array:
    """Return the STDP sum over the spike pairs of a sample; the learning engine's hybrid rule has no depression."""
    whole = pair_stdp(replace(p, a_minus=0.0) if p.rule == "hybrid" else p, np.asarray(x, np.int64), spikes)
    return whole * 2.0 ** -(IMPULSE_BITS + AMPLITUDE_BITS)


def _weights_per_half_unit(reference: FloatGraph, block: PlasticBlock, channel: PlasticChannel) -> Array:
    """Return the int8 units of w_u, before relay and tap, that one half unit of a plastic weight equals, (D,)."""
    roles = roles_of(reference)
    largest = float(np.abs(dense_weight(roles.edges["w_u"])).max())
    unit = GROWTH * largest / block.plasticity.weight_limit
    strength = np.asarray(tap_weight(roles.taps[0]), np.float64)
    return np.divide(channel.units.weight, strength * unit, out=np.zeros_like(strength), where=strength != 0)


def _half_units(rate: float, typical: float) -> float:
    """Return the change of a weight, in half units, for one unit of the product."""
    return WORDS_A_WEIGHT * rate / max(typical, 1e-9)


def _rms(values: Array) -> float:
    return float(np.sqrt(np.mean(np.asarray(values, np.float64) ** 2)))

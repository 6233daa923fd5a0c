"""Small circuits that learn, one for each rule of the learning engine, long enough to pass every corner of the law."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import strategies as st

from benchmarks.tag import Setting, setting
from benchmarks.tag import circuit as tag_circuit
from bim_neuro.compilers.plasticity.rule_compiler import RuleUnits, compile_rule
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import IntegerLIF, IntegerReadout
from bim_neuro.plasticity.learning_engine.circuit import Circuit, ErrorLoop
from bim_neuro.plasticity.learning_engine.law import TAG_BOUNDS, WEIGHT_BOUNDS
from bim_neuro.plasticity.learning_engine.neurons import ErrorNeuron, PlainLIF, PlasticLIF
from bim_neuro.plasticity.learning_engine.rule import EXPONENTS, WIDTHS, Factor, LearningRule, Product, Trace
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.surrogate import PsiLIF

LOIHI2 = load_profile("loihi2")
STEPS, PRE, POST = 200, 12, 6


def stdp(epoch: int) -> Circuit:
    """Pairs, on Lava's own LIF."""
    rng = np.random.default_rng(0)
    x = (rng.random((STEPS, PRE)) < 0.15).astype(np.int64)
    request = Plasticity(rule="stdp", stdp_rate=5.0, a_minus=2.0, tau_plus=10.0, tau_minus=8.5, epoch=epoch)
    lif = IntegerLIF(POST, du=4095, dv=400, v_threshold=150, bias_mant=np.zeros(POST, np.int64))
    return Circuit(x, compile_rule(request, LOIHI2).rule, 2 * rng.integers(-20, 60, (POST, PRE)), PlainLIF(lif), seed=7)


def three_factor(epoch: int) -> Circuit:
    """A readout that learns from its own error, which changes sign."""
    rng = np.random.default_rng(1)
    x = (rng.random((STEPS, PRE)) < 0.15).astype(np.int64)
    request = Plasticity(rule="three-factor", rate=1.0, tau_plus=10.0, epoch=epoch)
    target = np.repeat(rng.integers(-900, 900, (STEPS // 20, POST)), 20, axis=0)
    gate = np.ones((STEPS, POST), np.int64)
    gate[:30] = 0
    return Circuit(
        x, compile_rule(request, LOIHI2).rule, 2 * rng.integers(-20, 20, (POST, PRE)), ErrorNeuron(readout(POST), 4),
        {"target": target, "gate": gate}, seed=11,
    )  # fmt: skip


def s_tllr(epoch: int) -> Circuit:
    """Pairs of spikes and pseudo-derivatives times a signal from outside."""
    rng = np.random.default_rng(2)
    x = (rng.random((STEPS, PRE)) < 0.15).astype(np.int64)
    request = Plasticity(rule="s-tllr", rate=4.0, tau_plus=10.0, tau_minus=8.5, epoch=epoch)
    lif = IntegerLIF(POST, du=4095, dv=400, v_threshold=150, bias_mant=np.zeros(POST, np.int64))
    neuron = PlasticLIF(PsiLIF(lif, 2**12, 10), signal_shift=2, psi_tau=8.5)
    streams = {"e": np.rint(100 * np.sin(np.arange(STEPS)[:, None] / 9 + np.arange(POST))).astype(np.int64)}
    words = 2 * rng.integers(-20, 60, (POST, PRE))
    return Circuit(x, compile_rule(request, LOIHI2).rule, words, neuron, streams, seed=13)


def rtrl(epoch: int) -> Circuit:
    """The selective trace in the tag, the signal from outside."""
    s = channel_setting()
    time = np.arange(s.x.shape[1])[:, None]
    signal = np.sin(time / 17 + np.arange(s.channel.neuron.neurons)) * 2**12 * s.signal_unit
    return tag_circuit(s, 0, signal, 0.1, epoch)[0]


def hybrid(epoch: int) -> Circuit:
    """The same and pair potentiation, the signal from an error neuron through static synapses."""
    s, rng = channel_setting(), np.random.default_rng(3)
    base = rtrl(epoch)
    request = Plasticity(rule="hybrid", rate=0.2, mix=0.5, stdp_rate=4.0, tau_plus=10.0, epoch=epoch)
    units = RuleUnits(tag=s.channel.units.tag, immediate=s.channel.units.tag, signal=1 / s.channel.units.tag)
    classes, channels, steps = 3, s.channel.neuron.neurons, len(base.x)
    loop = ErrorLoop(
        ErrorNeuron(readout(classes), 4),
        w_out=rng.integers(-60, 61, (classes, channels)),
        w_back=rng.integers(-30, 31, (channels, classes)),
        target=np.repeat(rng.integers(-900, 900, (steps // 20, classes)), 20, axis=0),
        gate=np.ones((steps, classes), np.int64),
    )
    streams = {name: stream for name, stream in base.streams.items() if name != "e"}
    return Circuit(base.x, compile_rule(request, LOIHI2, units).rule, base.words, base.post, streams, loop, seed=5)


CIRCUITS = {"stdp": stdp, "three-factor": three_factor, "s-tllr": s_tllr, "rtrl": rtrl, "hybrid": hybrid}


@cache
def channel_setting() -> Setting:
    """A random BIM block of one state and one tap on spikes."""
    return setting(sequences=4)


def readout(classes: int) -> IntegerReadout:
    """A leaky integrator."""
    return IntegerReadout(58000, np.full(classes, 3), 1, np.zeros(classes, np.int64))


@st.composite
def rules(draw: st.DrawFn) -> LearningRule:
    """Any rule the engine takes, with up to three products a target."""
    k, external = draw(st.integers(0, 2)), draw(st.booleans())
    one = products(k)
    dw, dt = draw(st.lists(one, min_size=1, max_size=3)), draw(st.lists(one, max_size=3))
    kept = [name for name in WIDTHS if name[0] == "x" or (name[0] == "y" and not external)]
    trace = st.builds(Trace, st.integers(0, 127), st.sampled_from([0.5, 3.0, 10.0, 300.0]))
    traces = tuple((name, draw(trace)) for name in kept)
    return LearningRule(tuple(dw), tuple(dt), traces, external, draw(st.sampled_from([1, 2, 4, 7])))


def products(k: int) -> st.SearchStrategy[Product]:
    """Any product with decimation k that the multiplier holds."""
    factor = st.builds(Factor, st.sampled_from(list(WIDTHS)), st.sampled_from([0, 0, -64, 5, -100]))
    fits = st.lists(factor, max_size=3).filter(lambda factors: sum(f.width for f in factors) <= 27).map(tuple)
    mantissa = st.integers(-7, 7).filter(bool)
    return st.builds(Product, mantissa, st.integers(*EXPONENTS), st.sampled_from(["x0", "y0", f"u{k}"]), fits)


def random_words(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Weights and tags over their whole ranges, the bounds included."""
    weights, tags = (rng.integers(low, high + 1, shape) for low, high in (WEIGHT_BOUNDS, TAG_BOUNDS))
    tags[rng.random(shape) < 0.2] = TAG_BOUNDS[0]
    return weights, tags

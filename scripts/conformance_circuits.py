"""Two circuits that learn, for docs/conformance: traces kept by the learning engine, and traces that neurons send."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from bim_neuro.nodes import IntegerLIF
from bim_neuro.plasticity.learning_engine.circuit import Circuit, run_circuit
from bim_neuro.plasticity.learning_engine.grammar import read, write
from bim_neuro.plasticity.learning_engine.neurons import PlainLIF, PlasticLIF
from bim_neuro.plasticity.learning_engine.rule import LearningRule, Trace
from bim_neuro.plasticity.surrogate import PsiLIF

STEPS, PRE, POST = 60, 6, 4
draw = np.random.default_rng


def somas() -> IntegerLIF:
    """LIF neurons without a bias."""
    return IntegerLIF(POST, du=4095, dv=400, v_threshold=120, bias_mant=np.zeros(POST, np.int64))


def spikes(seed: int) -> np.ndarray:
    """Draw input of which a quarter is active."""
    return (draw(seed).random((STEPS, PRE)) < 0.25).astype(np.int64)


def words(seed: int) -> np.ndarray:
    """Draw plastic weights, in half units of an int8 weight."""
    return 2 * draw(seed).integers(-20, 80, (POST, PRE))


def pairs() -> Circuit:
    """Pairs of spikes, an update every second step; the learning engine keeps all traces."""
    rule = LearningRule(
        dw=read("1*2^-3*y0*x1 - 2*2^-3*x0*y1"), traces=(("x1", Trace(40, 10.0)), ("y1", Trace(50, 8.5))), epoch=2
    )
    return Circuit(spikes(90), rule, words(91), PlainLIF(somas()), seed=7)


def signals() -> Circuit:
    """A tag of pseudo-derivatives that decays, times a signal from outside; the neurons send their traces."""
    rule = LearningRule(
        dw=read("4*2^-5*u0*(y3-64)*t"), dt=read("2*2^0*x0*y1 - 1*2^-2*u0*t"), traces=(), external=True, epoch=1
    )
    stream = np.rint(250 * np.sin(np.arange(STEPS)[:, None] / 5 + np.arange(POST))).astype(np.int64)
    neuron = PlasticLIF(PsiLIF(somas(), 2**12, 10), signal_shift=2, psi_tau=8.5)
    return Circuit(spikes(92), rule, words(93), neuron, {"e": stream}, seed=13)


CIRCUITS = {"pairs": (("N15", "N16", "N17", "N18"), pairs), "signals": (("N15", "N16", "N18", "N19"), signals)}
"""Rules of docs/numerics.md, and the circuit that shows them, by the name of a file."""


def vectors(rules: tuple[str, ...], circuit: Circuit) -> dict[str, Any]:
    """Return a circuit, and after every step its spikes, sums, weights, tags and traces, with Lava's random numbers."""
    rule = circuit.rule
    traces = {name: asdict(trace) for name, trace in rule.traces}
    texts = {"dw": write(rule.dw), "dt": write(rule.dt) if rule.dt else ""}
    said = {
        "rules": rules,
        "rule": {**texts, "traces": traces, "external": rule.external, "epoch": rule.epoch},
        "neuron": {"type": type(circuit.post).__name__, **asdict(circuit.post)},  # type: ignore[call-overload]
        "random": "lava",
        "seed": circuit.seed,
    }
    found = {f"expected:{name}": row.astype(np.int32) for name, row in run_circuit(circuit, "lava").items()}
    given = {f"stream:{name}": stream.astype(np.int32) for name, stream in circuit.streams.items()}
    header = np.array(json.dumps(said, default=np.ndarray.tolist))
    return {
        "header": header,
        "x": circuit.x.astype(np.int32),
        "words": circuit.words.astype(np.int32),
        **given,
        **found,
    }

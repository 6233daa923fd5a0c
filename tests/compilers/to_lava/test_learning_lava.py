"""Lava judges the learning engine, every spike, weight, tag and trace of every step, rule by rule; and convicts."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from learning_circuits import CIRCUITS, stdp

from bim_neuro.compilers.to_lava.plasticity.run import learn_on_lava
from bim_neuro.plasticity.learning_engine.circuit import Circuit, Recording, run_circuit
from bim_neuro.plasticity.learning_engine.compiled import FastSynapses
from bim_neuro.plasticity.learning_engine.rule import LearningRule, Product

pytestmark = pytest.mark.lava


@pytest.mark.parametrize("epoch", [1, pytest.param(4, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    "name", [name if name == "three-factor" else pytest.param(name, marks=pytest.mark.slow) for name in CIRCUITS]
)
def test_the_engine_in_lava_mode_equals_lava(name: str, epoch: int) -> None:
    circuit = CIRCUITS[name](epoch)
    ours, judged = run_circuit(circuit, "lava", FastSynapses), learn_on_lava(circuit)
    assert len(circuit.x) >= 200
    assert differing(ours, judged) == []
    assert ours.keys() == judged.keys()
    assert judged["spikes"].any()
    assert np.count_nonzero(judged["weights"][-1] != judged["weights"][0]) > 0.5 * circuit.words.size
    assert judged["tags"].any() == bool(circuit.rule.dt)


@pytest.fixture(scope="module")
def judged() -> Recording:
    return learn_on_lava(stdp(1))


def differing(ours: Recording, judged: Recording) -> list[str]:
    """Return what is not equal at every step."""
    return [name for name in judged if not np.array_equal(ours[name], judged[name])]


def slower(rule: LearningRule) -> LearningRule:
    return replace(rule, traces=tuple((name, replace(trace, tau=trace.tau * 1.02)) for name, trace in rule.traces))


def smaller(product: Product) -> Product:
    return replace(product, mantissa=product.mantissa - 1)


FAULTS = {
    "a trace decays 2 % slower": lambda c: replace(c, rule=slower(c.rule)),
    "a mantissa is one less": lambda c: replace(c, rule=replace(c.rule, dw=(smaller(c.rule.dw[0]), c.rule.dw[1]))),
    "an epoch has two steps": lambda c: replace(c, rule=replace(c.rule, epoch=2)),
    "another seed": lambda c: replace(c, seed=c.seed + 1),
    "a weight differs by one": lambda c: replace(c, words=c.words + np.eye(*c.words.shape, dtype=np.int64)),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_lava_convicts_a_faulty_engine(judged: Recording, fault: str) -> None:
    faulty: Circuit = FAULTS[fault](stdp(1))
    assert "weights" in differing(run_circuit(faulty, "lava"), judged)


def test_lava_convicts_noise_of_its_own_for_every_synapse(judged: Recording) -> None:
    assert {"weights", "x1"} <= set(differing(run_circuit(stdp(1), "synapse"), judged))


MISREAD = """
from bim_neuro.compilers.to_lava import import_lava
import_lava()
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule
from bim_neuro.compilers.to_lava.plasticity.rules import check_understood, to_lava_rule
from bim_neuro.errors import BackendFailed
from bim_neuro.plasticity.learning_engine.grammar import read
from bim_neuro.plasticity.learning_engine.rule import Factor, LearningRule, Product, Trace
kept = (("x1", Trace(16, 10.0)),)
squared = LearningRule((Product(1, 0, "y0", (Factor("x1"), Factor("x1"))),), traces=kept)
for text in ("y0*x1**2", "2*y0*x1", "y0*x1*x1*2^1", "y0*x1*x1 + u0*w", "-y0*x1*x1", "y0*(x1+1)*x1", "u10*x1*x1"):
    theirs = Loihi2FLearningRule(dw=text, x1_impulse=16, x1_tau=10, rng_seed=1)
    try:
        check_understood(squared, theirs, {"dw": text})
    except BackendFailed as error:
        print(error)
to_lava_rule(squared, 1)
to_lava_rule(LearningRule(read("4*2^-4*u3*(y3-64)*t"), read("-7*2^-4*x0*(y1-64) - 4*2^-4*u3*y2*t"), external=True), 1)
"""


def test_what_lava_misreads_is_a_loud_error_and_what_we_write_is_read_right() -> None:
    done = subprocess.run([sys.executable, "-c", MISREAD], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr[-1000:]
    assert done.stdout.count("Lava misreads") == 7, done.stdout

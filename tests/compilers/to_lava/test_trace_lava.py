"""The trace process on Lava, beside the block: every trace word of every step is the kernel's, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from plastic_models import Case, plastic_case

from benchmarks.chip_traces import by_kernel
from bim_neuro.compilers.to_lava.plasticity.run import learn_by_traces, traces_on_lava
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.trace_process.law import NAMES
from bim_neuro.plasticity.trace_process.learner import TraceLearner

pytestmark = pytest.mark.lava

SAMPLES, STEPS = 5, 44


@pytest.fixture(scope="module", params=["graded", pytest.param("spiking", marks=pytest.mark.slow)])
def case(request: pytest.FixtureRequest) -> Case:
    return plastic_case(4, spiking=request.param == "spiking", samples=SAMPLES, steps=STEPS, channels=5, states=2)


@pytest.fixture(scope="module")
def judged(case: Case) -> dict[str, Array]:
    return traces_on_lava(case.block, case.x)


def differing(case: Case, judged: dict[str, Array]) -> list[str]:
    """The traces that are not the kernel's after some step; a sample cut short ends in the trace of that step."""
    wrong = set()
    for sample, x in enumerate(case.x):
        for steps in range(1, STEPS + 1):
            kernel, _ = by_kernel(case.block, x[:steps], first=sample * STEPS)
            found = (name for name in NAMES if (judged[name][sample, steps - 1] != kernel.traces[name]).any())
            wrong.update(found)
    return sorted(wrong)


def test_every_trace_of_every_step_is_the_kernels(case: Case, judged: dict[str, Array]) -> None:
    assert case.block.process.bits == 12
    assert case.block.process.rounding == "stochastic"
    assert SAMPLES * STEPS >= 200
    assert differing(case, judged) == []
    for sample, x in enumerate(case.x):
        kernel, _ = by_kernel(case.block, x, first=sample * STEPS)
        np.testing.assert_array_equal(judged["spikes"][sample], kernel.spikes)
        np.testing.assert_array_equal(judged["answer"][sample].sum(axis=0), kernel.output)
    assert all(judged[name].any() for name in NAMES)


def test_other_noise_is_seen(case: Case, judged: dict[str, Array]) -> None:
    other = replace(case, block=replace(case.block, process=replace(case.block.process, seed=1)))
    assert set(NAMES) - {"R.o"} <= set(differing(other, judged))


@pytest.mark.slow
def test_a_few_lessons_leave_the_learners_weights() -> None:
    case = plastic_case(4, samples=6, steps=10, channels=5, states=2, rate=2.0)
    weights, _ = learn_by_traces(TraceLearner(case.block), case.x, case.y)
    learner = TraceLearner(case.block)
    learner.run(case.x, case.y)
    for group, row in weights.items():
        np.testing.assert_array_equal(row[0], case.block.weights()[group])
        np.testing.assert_array_equal(row[-1], learner.weights[group])
        lessons = np.flatnonzero((row[1:] != row[:-1]).any(axis=(1, 2)))
        assert 2 <= len(lessons) <= len(case.x)
    learner.run(case.x[:1], case.y[:1])  # one lesson more
    assert any((learner.weights[group] != row[-1]).any() for group, row in weights.items())

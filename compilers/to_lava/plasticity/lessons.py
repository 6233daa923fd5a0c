"""Verify learning: repeat the first samples of an on-chip learning run here and on Lava, and count equal values.

With the learning engine the synapses are Lava's own (LearningDense), and both sides use Lava's noise. The trace process
and its teacher are ours on Lava too: there wiring, delays, schedule and the numpy law are checked against the compiled
kernel.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ....nodes.arithmetic import Array
from ....plasticity.learning_engine.compiled import FastSynapses
from ....plasticity.learning_engine.learner import EngineLearner
from ....plasticity.trace_process.law import NAMES
from ....plasticity.trace_process.learner import TraceLearner
from .run import learn_by_engine, learn_by_traces

LESSONS = 4
"""Number of samples: Lava takes some seconds for them."""
_MOST_WORDS = 2**26  # limit of Lava's recordings of the learning engine, a quarter of a GiB; fewer samples if long

Check = dict[str, Any]


def verify_learning(
    learner: TraceLearner | EngineLearner, x: Array, y: Array, *, time_limit: float | None = None
) -> Check:
    """Learn from the first samples of x (samples, T, lines) and y here and on Lava; return counts of equal values.

    ``learner`` must not have learnt yet: a trace learner has its rates, an engine learner the noise of mode 'lava'.
    """
    if isinstance(learner, EngineLearner):
        return _verify_engine(learner, x, y, time_limit)
    return _verify_traces(learner, x[:LESSONS], y[:LESSONS], time_limit)


def _verify_traces(learner: TraceLearner, x: Array, y: Array, time_limit: float | None) -> Check:
    """Compare spikes, answers, every trace at the end of each sample, and the learner's and the synapses' weights."""
    synapses, lessons = learn_by_traces(learner, x, y, time_limit=time_limit)
    count = _Count()
    for index, lesson in enumerate(lessons):
        learner.run(x[index : index + 1], y[index : index + 1])
        assert learner.heard is not None
        for name, trace in zip(NAMES, learner.traces, strict=True):
            count.add("trace words", trace, lesson[name])
        for group, weight in learner.weights.items():
            count.add("weights", weight, lesson[group])
        count.add("spikes", learner.heard.spikes, lesson["spikes"])
        count.add("answers", learner.heard.output, lesson["output"])
    for group, rows in synapses.items():
        count.add("weights", learner.weights[group], rows[-1])
    return count.check(len(x), "ours")


def _verify_engine(learner: EngineLearner, x: Array, y: Array, time_limit: float | None) -> Check:
    """Compare spikes, errors, and every weight, tag and trace of every step."""
    period = len(learner.gate(x.shape[1])) + learner.gap
    a_sample = sum(2 * synapses.weights.size for synapses in learner.plastic.values()) * period
    samples = max(1, min(LESSONS, len(x), _MOST_WORDS // max(a_sample, 1)))
    x, y = x[:samples], y[:samples]
    theirs = learn_by_engine(learner, x, y, time_limit=time_limit)
    watched = {group: _Watched(synapses) for group, synapses in learner.plastic.items()}
    if learner.inputs:
        learner.inputs = replace(learner.inputs, synapses=watched["w_u"])  # type: ignore[arg-type]
    if learner.readout:
        learner.readout = watched["w_o"]  # type: ignore[assignment]
    learner.run(x, y)
    count = _Count()
    for group, ours in watched.items():
        for name, rows in ours.rows.items():
            if name in ("pre", "post"):
                continue
            count.add(name if name in ("weights", "tags") else "trace words", np.stack(rows), theirs[f"{group}.{name}"])
    spikes = watched["w_u"].rows["post"] if "w_u" in watched else watched["w_o"].rows["pre"]
    count.add("spikes", np.stack(spikes), theirs["spikes"])
    if "w_o" in watched:
        count.add("errors", np.stack(watched["w_o"].rows["post"]), theirs["errors"])
    return count.check(samples, "Lava's")


@dataclass
class _Count:
    """How many values of each kind were compared, and how many were equal."""

    rows: dict[str, list[int]] = field(default_factory=dict)

    def add(self, what: str, ours: Array, theirs: Array) -> None:
        row = self.rows.setdefault(what, [0, 0])
        row[0] += int(ours.size)
        row[1] += int(np.count_nonzero(ours == theirs)) if ours.shape == theirs.shape else 0

    def check(self, samples: int, law: str) -> Check:
        rows = [{"what": what, "values": values, "equal": equal} for what, (values, equal) in self.rows.items()]
        return {"backend": "lava", "samples": samples, "synapses": law, "rows": rows, "left_out": ""}


class _Watched:
    """Plastic synapses that record their inputs and their state in every step."""

    def __init__(self, synapses: FastSynapses) -> None:
        self.synapses = synapses
        self.rows: dict[str, list[Array]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.synapses, name)

    def step(self, pre: Array, post: Array, y: Array | None = None) -> Array:
        """Step the synapses and record all values."""
        sums = self.synapses.step(pre, post, y)
        now = {"pre": pre, "post": post, "weights": self.synapses.weights, "tags": self.synapses.tags}
        now |= {f"x{place + 1}": trace for place, trace in enumerate(self.synapses.x)}
        now |= {f"y{place + 1}": trace for place, trace in enumerate(self.synapses.y)}
        for name, value in now.items():
            self.rows.setdefault(name, []).append(np.array(value, np.int32))
        return sums

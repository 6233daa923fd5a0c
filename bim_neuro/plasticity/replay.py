"""Replay: after each new sample, one that is kept from before is learnt again, against forgetting.

The host keeps ``kept`` samples a class, a uniform choice of all that went by (reservoir sampling; Vitter 1985), and
draws from all of them alike. A chip need not know of it: it sees a stream of more samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ..nodes.arithmetic import Array
from .learning_engine.learner import EngineLearner
from .record import LearnRecord
from .request import Plasticity
from .trace_process.learner import TraceLearner


class Replayed(NamedTuple):
    """Which sample of a stream is learnt when: ``order`` (updates,), and where it is ``fresh`` (updates,)."""

    order: Array
    fresh: Array


def with_replay(y: Array, kept: int, seed: int) -> Replayed:
    """Return the order in which a stream with classes y (samples,) is learnt; as it comes where ``kept`` is 0.

    A sample is kept only after it was learnt, and may be drawn from the next one on.
    """
    rng = np.random.default_rng(seed)
    memory: list[int] = []
    slots: dict[int, list[int]] = {}  # by class, the places in memory
    seen: dict[int, int] = {}
    order: list[int] = []
    fresh: list[bool] = []
    for index, label in enumerate(y.tolist()):
        order.append(index)
        fresh.append(True)
        if memory:
            order.append(memory[int(rng.integers(len(memory)))])
            fresh.append(False)
        own = slots.setdefault(label, [])
        seen[label] = seen.get(label, 0) + 1
        if len(own) < kept:
            own.append(len(memory))
            memory.append(index)
        elif (place := int(rng.integers(seen[label]))) < kept:
            memory[own[place]] = index
    return Replayed(np.array(order, np.int64), np.array(fresh, bool))


def learn_with_replay(
    learner: TraceLearner | EngineLearner,
    x: Array,
    y: Array,
    plasticity: Plasticity,
    progress: Callable[[int], None] | None = None,
) -> LearnRecord:
    """Learn a stream, and between its samples what is replayed; the answers recorded are to new samples alone."""
    if not plasticity.replay:
        return learner.run(x, y, progress=progress)
    if isinstance(learner, TraceLearner):
        learner.prepare(x, y)  # the rates are of new samples too
    order, fresh = with_replay(y, plasticity.replay, plasticity.seed)
    record = learner.run(x[order], y[order], progress=progress)
    return replace(record, correct=record.correct[fresh])


def learnt_in_all(samples: int, kept: int) -> int:
    """Return how many samples are learnt, replayed ones included: nothing is replayed after the first."""
    return 2 * samples - 1 if kept and samples else samples

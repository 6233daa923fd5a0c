"""Learning on Lava: a circuit of `bim_neuro.plasticity` becomes LearningDense between Lava processes, run in a child.

The synapses and their learning are Lava's own (LearningDense, bit-approximate), and so is a plain LIF behind them;
neurons with learning outputs are ours, as Lava ships none that works.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ...errors import BackendMissing
from ...nodes.arithmetic import Array
from ...plasticity.circuit import Circuit, Recording
from ...plasticity.engine_learner import EngineLearner
from .compat import how_to_install, lava_available
from .remains import workplace
from .run import run_child, time_limit_for

JOB_FILE = "circuit.pickle"


def learn_on_lava(circuit: Circuit, *, record: bool = True, time_limit: float | None = None) -> Recording:
    """Run a circuit on Lava; return what `circuit.run` does in mode 'lava', without ``record`` messages only.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it breaks, misreads the rule, or passes
    ``time_limit`` (seconds).
    """
    return _run(("build_circuit", circuit, record), len(circuit.x), time_limit)


def learn_by_engine(learner: EngineLearner, x: Array, y: Array, *, time_limit: float | None = None) -> Recording:
    """Learn on Lava from spikes x (samples, T, lines) and y; return every message, and 'w_u.weights' and the like.

    ``learner`` has the noise of mode 'lava' and has not learnt yet. Raises as above.
    """
    steps = len(x) * (len(learner.gate(x.shape[1])) + learner.gap)
    return _run(("build_lesson", learner, x, y), steps, time_limit)


def _run(job: tuple[Any, ...], steps: int, time_limit: float | None) -> Recording:
    """Run what the first of ``job`` names in build_learning.py makes of the rest; return its recordings."""
    available, reason = lava_available()
    if not available:
        raise BackendMissing(f"the lava backend is not installed here: {reason}", how_to_install())
    with workplace() as place:
        (place.folder / JOB_FILE).write_bytes(pickle.dumps(job))  # written and read by the same program
        run_child(place, time_limit_for(steps) if time_limit is None else time_limit, steps)
        return {file.stem: _wide(np.load(file)) for file in sorted(place.folder.glob("*.npy"))}


def _wide(rows: Array) -> Array:
    return np.asarray(rows.astype(np.int64))

"""Learning on Lava: a circuit of `bim_neuro.plasticity` becomes LearningDense between Lava processes, run in a child.

The synapses and their learning are Lava's own (LearningDense, bit-approximate), and so is a plain LIF behind them;
neurons with learning outputs are ours, as Lava ships none that works.
"""

from __future__ import annotations

from ....nodes.arithmetic import Array
from ....plasticity.learning_engine.circuit import Circuit, Recording
from ....plasticity.learning_engine.learner import EngineLearner
from ..run import play


def learn_on_lava(circuit: Circuit, *, record: bool = True, time_limit: float | None = None) -> Recording:
    """Run a circuit on Lava; return what `circuit.run` does in mode 'lava', without ``record`` messages only.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it breaks, misreads the rule, or passes
    ``time_limit`` (seconds).
    """
    return play("plasticity.build_circuit", "build_circuit", (circuit, record), len(circuit.x), time_limit)[0]


def learn_by_engine(learner: EngineLearner, x: Array, y: Array, *, time_limit: float | None = None) -> Recording:
    """Learn on Lava from spikes x (samples, T, lines) and y; return every message, and 'w_u.weights' and the like.

    ``learner`` has the noise of mode 'lava' and has not learnt yet. Raises as above.
    """
    steps = len(x) * (len(learner.gate(x.shape[1])) + learner.gap)
    return play("plasticity.build_circuit", "build_lesson", (learner, x, y), steps, time_limit)[0]

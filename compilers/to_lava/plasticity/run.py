"""Run plasticity on Lava in a child process: with Lava's learning engine, or with our trace process.

With the learning engine the synapses and their learning are Lava's own (LearningDense, bit-approximate), and so is a
plain LIF; neurons with learning outputs are ours, as those of Lava do not work. With traces all that learns is ours.
"""

from __future__ import annotations

from ....nodes.arithmetic import Array
from ....plasticity.learning_engine.circuit import Circuit, Recording
from ....plasticity.learning_engine.learner import EngineLearner
from ....plasticity.trace_process.block import PlasticBlock
from ....plasticity.trace_process.learner import TraceLearner
from ..run import by_sample, play


def learn_on_lava(circuit: Circuit, *, record: bool = True, time_limit: float | None = None) -> Recording:
    """Run a circuit on Lava; return the same as `circuit.run` in mode 'lava', only messages if ``record`` is false.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it fails, misreads the rule, or exceeds
    ``time_limit`` (seconds).
    """
    return play("plasticity.build_circuit", "build_circuit", (circuit, record), len(circuit.x), time_limit)[0]


def learn_by_engine(learner: EngineLearner, x: Array, y: Array, *, time_limit: float | None = None) -> Recording:
    """Learn on Lava from spikes x (samples, T, lines) and y; return every message, and 'w_u.weights', tags and traces.

    ``learner`` has the noise of mode 'lava' and has not learnt yet. Raises as `learn_on_lava`.
    """
    steps = len(x) * (len(learner.gate(x.shape[1])) + learner.gap)
    return play("plasticity.build_circuit", "build_lesson", (learner, x, y), steps, time_limit)[0]


def traces_on_lava(block: PlasticBlock, x: Array, *, time_limit: float | None = None) -> dict[str, Array]:
    """Play x (samples, T, lines); return every trace by name, 'spikes' and 'answer', (samples, T, ...) each.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it fails or exceeds ``time_limit``
    (seconds).
    """
    samples, steps, _ = x.shape
    depth, period = block.graph.depth, block.graph.period(steps)
    total = samples * period + max(depth.values())
    rows, _ = play("plasticity.build_traces", "build_traces", (block, x), total, time_limit)
    depths = {name: depth[block.readout if name == "answer" else block.scan] for name in rows}
    return {name: by_sample(row, depths[name], samples, period)[:, :steps] for name, row in rows.items()}


def learn_by_traces(
    learner: TraceLearner, x: Array, y: Array, *, time_limit: float | None = None
) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    """Learn on Lava from x (samples, T, lines) and y.

    Return the int8 weights by group, (steps of Lava, post, pre), and for each sample the values its update was made
    from (every trace by name, 'spikes', 'output') and the weights after it. Only the rates of ``learner`` change.
    """
    learner.prepare(x, y)
    graph, (samples, steps, _) = learner.block.graph, x.shape
    total = samples * (graph.period(steps) + graph.depth[learner.block.readout]) + max(graph.depth.values())
    rows, lessons = play("plasticity.build_traces", "build_lesson", (learner, x, y), total, time_limit)
    return rows, [lessons[f"lesson{sample}"] for sample in range(samples)]

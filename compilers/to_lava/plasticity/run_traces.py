"""Traces on Lava: a plastic block plays samples in a child process beside its trace process, or beside a teacher."""

from __future__ import annotations

from ....nodes.arithmetic import Array
from ....plasticity.trace_process.block import PlasticBlock
from ....plasticity.trace_process.learner import Learner
from ..run import by_sample, play


def traces_on_lava(block: PlasticBlock, x: Array, *, time_limit: float | None = None) -> dict[str, Array]:
    """Play x (samples, T, lines); return every trace by name, 'spikes' and 'answer', (samples, T, ...) each.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it breaks or passes ``time_limit``
    (seconds).
    """
    samples, steps, _ = x.shape
    depth, period = block.graph.depth, block.graph.period(steps)
    total = samples * period + max(depth.values())
    rows, _ = play("plasticity.build_traces", "build_traces", (block, x), total, time_limit)
    depths = {name: depth[block.readout if name == "answer" else block.scan] for name in rows}
    return {name: by_sample(row, depths[name], samples, period)[:, :steps] for name, row in rows.items()}


def learn_by_traces(
    learner: Learner, x: Array, y: Array, *, time_limit: float | None = None
) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    """Learn on Lava from x (samples, T, lines) and y.

    Return the int8 weights by group, (steps of Lava, post, pre), and of each sample what it was learnt from: every
    trace by name, 'spikes', 'output', and the weights after it. ``learner`` is what it was, but for its rates.
    """
    learner.prepare(x, y)
    graph, (samples, steps, _) = learner.block.graph, x.shape
    total = samples * (graph.period(steps) + graph.depth[learner.block.readout]) + max(graph.depth.values())
    rows, lessons = play("plasticity.build_traces", "build_lesson", (learner, x, y), total, time_limit)
    return rows, [lessons[f"lesson{sample}"] for sample in range(samples)]

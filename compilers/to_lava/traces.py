"""Traces on Lava: a plastic block plays samples in a child process beside its trace process, or beside a teacher."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from ...errors import BackendMissing
from ...nodes.arithmetic import Array
from ...plasticity.learner import Learner, PlasticBlock
from .compat import how_to_install, lava_available
from .remains import workplace
from .run import by_sample, run_child, time_limit_for

TRACES_FILE = "traces.pickle"


def traces_on_lava(block: PlasticBlock, x: Array, *, time_limit: float | None = None) -> dict[str, Array]:
    """Play x (samples, T, lines); return every trace by name, 'spikes' and 'answer', (samples, T, ...) each.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it breaks or passes ``time_limit``
    (seconds).
    """
    samples, steps, _ = x.shape
    depth, period = block.graph.depth, block.graph.period(steps)
    rows, _ = _run(("build_traces", block, x), samples * period + max(depth.values()), time_limit)
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
    rows, lessons = _run(("build_lesson", learner, x, y), total, time_limit)
    return rows, [lessons[f"lesson{sample}"] for sample in range(samples)]


def _run(
    job: tuple[Any, ...], steps: int, time_limit: float | None
) -> tuple[dict[str, Array], dict[str, dict[str, Array]]]:
    """Run what the first of ``job`` names in build_traces.py makes of the rest; return its recordings, and archives."""
    available, reason = lava_available()
    if not available:
        raise BackendMissing(f"the lava backend is not installed here: {reason}", how_to_install())
    with workplace() as place:
        (place.folder / TRACES_FILE).write_bytes(pickle.dumps(job))  # written and read by the same program
        run_child(place, time_limit_for(steps) if time_limit is None else time_limit, steps)
        rows = {file.stem: np.load(file).astype(np.int64) for file in sorted(place.folder.glob("*.npy"))}
        return rows, {file.stem: dict(np.load(file)) for file in place.folder.glob("*.npz")}

"""Traces on Lava: a plastic block and its trace process play samples in a child process, every word recorded."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np

from ...errors import BackendMissing
from ...nodes.arithmetic import Array
from ...plasticity.learner import PlasticBlock
from .compat import how_to_install, lava_available
from .run import by_sample, run_child, time_limit_for

TRACES_FILE = "traces.pickle"


def traces_on_lava(block: PlasticBlock, x: Array, *, time_limit: float | None = None) -> dict[str, Array]:
    """Play x (samples, T, lines); return every trace by name, 'spikes' and 'answer', (samples, T, ...) each.

    Raises `BackendMissing` where Lava is not installed, `BackendFailed` when it breaks or passes ``time_limit``
    (seconds).
    """
    available, reason = lava_available()
    if not available:
        raise BackendMissing(f"the lava backend is not installed here: {reason}", how_to_install())
    samples, steps, _ = x.shape
    graph = block.graph
    period = graph.period(steps)
    total = samples * period + max(graph.depth.values())
    limit = time_limit_for(total) if time_limit is None else time_limit
    scan = next(edge.target for edge in graph.edges if edge.name == block.edges["w_dt"])
    with tempfile.TemporaryDirectory(prefix="bim-lava-") as name:
        folder = Path(name)
        (folder / TRACES_FILE).write_bytes(pickle.dumps((block, x)))  # written and read by the same program
        run_child(folder, limit, total)
        return {
            file.stem: by_sample(
                np.load(file), graph.depth[block.readout if file.stem == "answer" else scan], samples, period
            )[:, :steps]
            for file in sorted(folder.glob("*.npy"))
        }

"""The child process in which Lava runs: reads a job from a folder, leaves one .npy file a message and state.

A job is a compiled graph (job.bimn), a learning circuit (circuit.pickle) or a block with traces (traces.pickle).

It leads a process group, Lava's processes included, and ends all of it when its parent is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from .compat import import_lava
from .learning import JOB_FILE
from .traces import TRACES_FILE

if TYPE_CHECKING:
    from .build import LavaNetwork


def main(folder: Path) -> None:
    """Build, run to the end, stop."""
    import_lava()
    from lava.magma.core.run_conditions import RunSteps

    if (folder / JOB_FILE).exists():
        network = _learning(folder)
    elif (folder / TRACES_FILE).exists():
        network = _traces(folder)
    else:
        network = _compiled(folder)
    first = next(iter(network.processes.values()))
    try:
        first.run(condition=RunSteps(num_steps=network.steps), run_cfg=network.run_config)
    finally:
        first.stop()


def _compiled(folder: Path) -> LavaNetwork:
    from ..artefact import load_artefact
    from .build import build

    job = load_artefact(folder / "job.bimn")
    return build(job.graph, job.sample, record_to=folder)


def _learning(folder: Path) -> LavaNetwork:
    from .build_learning import build_circuit

    circuit, record = pickle.loads((folder / JOB_FILE).read_bytes())
    return build_circuit(circuit, folder, record)


def _traces(folder: Path) -> LavaNetwork:
    from . import build_traces

    builder, *parts = pickle.loads((folder / TRACES_FILE).read_bytes())
    network: LavaNetwork = getattr(build_traces, builder)(*parts, folder)
    return network


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds open, then end the whole group."""
    os.read(0, 1)  # not sys.stdin.read, whose lock the forked processes would inherit taken
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(Path(sys.argv[1]))

"""The child process in which Lava runs: reads job.bimn from a folder, leaves one .npy file a message and state.

It leads a process group, Lava's processes included, and ends all of it when its parent is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

from .compat import import_lava


def main(folder: Path) -> None:
    """Build, run to the end, stop."""
    import_lava()
    from lava.magma.core.run_conditions import RunSteps

    from ..artefact import load_artefact
    from .build import build

    job = load_artefact(folder / "job.bimn")
    network = build(job.graph, job.sample, record_to=folder)
    readout = network.processes[job.graph.output]
    try:
        readout.run(condition=RunSteps(num_steps=network.steps), run_cfg=network.run_config)
    finally:
        readout.stop()


def _end_with_parent() -> None:
    """Wait for the end of standard input, which the parent holds open, then end the whole group."""
    os.read(0, 1)  # not sys.stdin.read, whose lock the forked processes would inherit taken
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    main(Path(sys.argv[1]))

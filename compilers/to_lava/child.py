"""The child process in which Lava runs: reads job.bimn from a folder, leaves one .npy file a message and state."""

from __future__ import annotations

import sys
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


if __name__ == "__main__":
    main(Path(sys.argv[1]))

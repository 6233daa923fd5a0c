"""Compile the modules of `tests/live_nets.py`, and compare our float law with what each framework plays.

python scripts/check_live_nets.py [NAME ...]            needs the frameworks: `make frameworks` runs it
"""

from __future__ import annotations

import contextlib
import io
import sys
import warnings
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from live_nets import NETS, STEPS  # noqa: E402

import bim_neuro  # noqa: E402


def differing(name: str) -> tuple[int, int, int]:
    """Return how many bins differ, how many there are, and the spikes of the framework."""
    torch.manual_seed(5)
    module, sample, dt, x, play = NETS[name]()
    with torch.no_grad():
        theirs = play(x).transpose(0, 1).flatten(2).numpy()
    program = bim_neuro.compile(module, sample=sample, dt=dt)
    raw = x.transpose(0, 1).flatten(2).numpy()
    run = program.run_float(raw)
    ours = run.probes[f"{program.graph.output}.message"]
    assert ours.shape == theirs.shape == (len(raw), STEPS, theirs.shape[2])
    return int(np.count_nonzero(ours != theirs)), ours.size, int(theirs.sum())


def main(wanted: list[str]) -> None:
    """Print a line for each net; exit 1 if one differs."""
    warnings.simplefilter("ignore")
    total = 0
    for name in wanted or NETS:
        with contextlib.redirect_stdout(io.StringIO()):
            bins, of, spikes = differing(name)
        print(f"{name}: {bins} of {of} bins differ, {spikes} spikes")
        total += bins + (spikes < 50) * of
    sys.exit(f"{total} bins differ, or are of a silent net" if total else 0)


if __name__ == "__main__":
    main(sys.argv[1:])

"""What a user imports: every public name is there, importing stays light, and what is shown is short."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from commands import ROOT

import bim_neuro


@pytest.mark.parametrize("name", bim_neuro.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(bim_neuro, name)
    assert name in dir(bim_neuro)


def test_another_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = bim_neuro.nothing


def test_importing_loads_nothing_heavy() -> None:
    script = "import sys, bim_neuro; print(*{'torch', 'numba', 'scipy', 'h5py', 'rich', 'nir'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT).stdout == "\n"


def test_what_is_shown_is_short() -> None:
    program = bim_neuro.compile(ROOT / "examples" / "digits.pt")
    x = np.zeros((2, 8, 8), np.float32)
    record = program.run(x)
    shown = [
        program,
        program.graph,
        program.reference,
        program.placed,
        record,
        record.layers["readout"],
        program.artefact(x),
    ]
    for text in map(repr, shown):
        assert len(text) <= 500, text[:200]
        assert text.count("\n") < 5

"""What a user imports: every public name is there, importing stays light, and what is shown is short."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT

import bim_neuro


@pytest.mark.parametrize("name", bim_neuro.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(bim_neuro, name)
    assert name in dir(bim_neuro)


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_use_nothing_but_public_names(path: Path) -> None:
    tree = ast.parse(path.read_text())
    imported = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "bim_neuro"
    }
    assert [module for module in imported if module and module.startswith("bim_neuro")] == []
    assert used <= set(bim_neuro.__all__)


def test_the_page_for_python_names_everything_public() -> None:
    named = set(re.findall(r"`(\w+)`", (ROOT / "docs/api.md").read_text()))
    assert set(bim_neuro.__all__) - named == {"__version__"}


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

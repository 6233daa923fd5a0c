"""The notebooks run as they are, beside the examples' models, and are kept without what they printed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from commands import ROOT

NOTEBOOKS = sorted((ROOT / "examples" / "notebooks").glob("*.ipynb"))
MOST_BYTES = 20_000


def cells(notebook: Path, kind: str) -> list[dict[str, Any]]:
    return [cell for cell in json.loads(notebook.read_text())["cells"] if cell["cell_type"] == kind]


@pytest.mark.slow
@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_runs_from_top_to_bottom_and_draws(
    notebook: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="matplotlib comes with the train extra")
    shutil.copy(ROOT / "examples" / "digits.pt", tmp_path)
    (tmp_path / "notebooks").mkdir()
    monkeypatch.chdir(tmp_path / "notebooks")
    space: dict[str, Any] = {"__name__": notebook.stem}
    try:
        for number, cell in enumerate(cells(notebook, "code")):
            exec(compile("".join(cell["source"]), f"{notebook.name}, cell {number}", "exec"), space)
        assert len(pyplot.get_fignums()) >= 2
    finally:
        pyplot.close("all")
    assert capsys.readouterr().out.strip()


def test_there_are_five_notebooks_and_the_page_on_examples_names_each() -> None:
    named = (ROOT / "examples" / "README.md").read_text()
    assert len(NOTEBOOKS) == 5
    assert [notebook.name for notebook in NOTEBOOKS if f"`notebooks/{notebook.name}`" not in named] == []


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda notebook: notebook.stem)
def test_a_notebook_is_kept_without_outputs_and_begins_with_what_it_shows(notebook: Path) -> None:
    assert notebook.stat().st_size < MOST_BYTES
    assert [cell["id"] for cell in cells(notebook, "code") if cell["outputs"] or cell["execution_count"]] == []
    assert cells(notebook, "markdown")[0]["source"][0].startswith("# ")

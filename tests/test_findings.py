"""Findings: what speaks against the numbers of a run is in summary.json, in the terminal, and in the page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from commands import bim_compile, save_input, save_model
from small_models import small_checkpoint


def compiled(folder: Path, *arguments: object) -> tuple[dict[str, Any], Any]:
    """Compile into folder / 'out'; return its summary and how the command ended."""
    ended = bim_compile(*arguments, "-o", folder / "out")
    return json.loads((folder / "out" / "summary.json").read_text()), ended


def rules(summary: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {finding["rule"]: finding for finding in summary["findings"]}


def test_a_saturated_output_is_an_error_that_every_report_shows(tmp_path: Path) -> None:
    """The readout's weights are a hundred times as large as when its range was measured."""
    checkpoint = small_checkpoint()
    checkpoint.state["w_o"] *= 100
    model = save_model(tmp_path / "narrow.pt", checkpoint)
    summary, ended = compiled(tmp_path, model, "--input", save_input(tmp_path / "x.npz"))
    found = rules(summary)["saturated-output"]
    assert (ended.code, found["severity"], found["layer"]) == (3, "error", "readout")
    assert found["used"] == next(layer["saturations"] for layer in summary["layers"] if layer["name"] == "readout")
    assert f"error: {found['message']}" in ended.out
    assert found["message"] in ended.err
    assert found["message"] in (tmp_path / "out" / "report.html").read_text()

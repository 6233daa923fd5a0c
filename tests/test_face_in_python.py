"""What a user meets in a notebook: objects that show themselves briefly, a program that answers for itself."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from commands import ROOT, bim_compile

import bim_neuro
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.hardware import load_profile
from bim_neuro.jobs.learn import learning_key
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.printable import outline
from bim_neuro.program import Program
from bim_neuro.record import RunRecord
from bim_neuro.report import render_again
from bim_neuro.report.notebook import as_html
from bim_neuro.tasks.dataset import Dataset

DIGITS = ROOT / "examples" / "digits.pt"


@pytest.fixture(scope="module")
def program() -> Program:
    return bim_neuro.compile(DIGITS)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 16, (3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def record(program: Program, x: np.ndarray) -> RunRecord:
    return program.run(x, probe=True)


def parts(value: Any) -> Iterator[Any]:
    """Yield every dataclass in a value, itself first."""
    if is_dataclass(value) and not isinstance(value, type):
        yield value
        inside = [getattr(value, field.name) for field in fields(value)]
    else:
        inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for part in inside:
        yield from parts(part)


def test_everything_in_a_program_and_its_results_shows_itself_in_a_few_lines(
    program: Program, record: RunRecord, x: np.ndarray
) -> None:
    reports = (price(program.placed, record, program.profile), latency(program.placed, record, program.profile))
    roots = (program, record, program.artefact(x), load_checkpoint(DIGITS), *reports)
    shown = {type(part).__name__: repr(part) for part in parts(roots)}
    assert {"IntegerScan", "IntegerLIF", "Dense", "Edge", "Core", "Placement", "HardwareProfile"} <= set(shown)
    texts = [repr(part) for part in parts(roots)]
    assert [text[:80] for text in texts if len(text) > 500 or text.count("\n") >= 5] == []


def test_an_outline_shows_numbers_as_they_are_and_arrays_by_type_and_shape(program: Program) -> None:
    lif = program.graph.nodes["block1.lif"]
    assert repr(lif).startswith(f"IntegerLIF(size={lif.neurons}, du={lif.du}, dv={lif.dv}, ")
    assert "bias_mant=<int64 (128,)>" in repr(lif)
    assert outline(program.profile).endswith(" more)")


def test_what_a_learning_run_is_known_by_holds_every_number_of_the_chip(program: Program, x: np.ndarray) -> None:
    """The profile shows itself cut short: that must not make two chips one."""
    data, profile = Dataset(x, np.zeros(3, np.int64)), load_profile("loihi2")
    other = replace(profile, learning=replace(profile.learning, epoch_steps=profile.learning.trace_bits))
    keys = {learning_key(replace(program, profile=p), Plasticity(), data, {}) for p in (profile, other)}
    assert repr(profile) == repr(other)
    assert len(keys) == 2


def test_the_command_line_says_a_hint_once(tmp_path: Path) -> None:
    words = (DIGITS, "--target", "loihi3", "-o", tmp_path / "out")
    for debug in ((), ("--debug",)):
        script = "from bim_neuro.cli import compile_main; compile_main()"
        command = [sys.executable, "-c", script, *map(str, words), *debug]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=250, check=False)
        assert ended.returncode in (1, 2)
        assert ended.stderr.count("loihi2,") == 1, ended.stderr


def test_a_program_gives_the_figures_of_the_command_on_the_same_sequences(
    program: Program, x: np.ndarray, tmp_path: Path
) -> None:
    y = np.array([1, 2, 3])
    np.savez(tmp_path / "x.npz", x=x, y=y, layout="BTC")
    assert bim_compile(DIGITS, "--input", tmp_path / "x.npz", "--samples", "all", "-o", tmp_path / "cli").code == 0
    theirs = json.loads((tmp_path / "cli" / "summary.json").read_text())
    program.report(x, tmp_path / "new" / "python", y)
    ours = json.loads((tmp_path / "new" / "python" / "summary.json").read_text())
    jsonschema.validate(ours, json.loads((ROOT / "docs" / "summary.schema.json").read_text()))
    for summary in (ours, theirs):
        for measure in ("seconds", "peak_memory_mib"):
            del summary["placement"][measure]
    differ = {key for key in theirs if ours[key] != theirs[key]}
    assert differ <= {"model", "command", "request", "input", "sequences", "seconds", "findings"}
    assert [f for f in theirs["findings"] if f not in ours["findings"]] == []
    assert program.energy(x).dynamic.value == ours["energy"]["dynamic"]["value"]
    assert program.latency(x).answer_us.value == ours["latency"]["answer_us"]["value"]
    assert render_again(tmp_path / "new" / "python").startswith("<!")


def test_a_summary_says_before_a_run_what_the_report_says_after(
    program: Program, x: np.ndarray, tmp_path: Path
) -> None:
    known, told = program.summary(), program.report(x, tmp_path / "out")
    assert set(known) < set(told)
    after = [{key: layer[key] for key in known["layers"][0]} for layer in told["layers"]]
    assert known["layers"] == after
    same = set(known) - {"layers", "placement", "encoder", "findings"}  # what a run adds to
    assert {key: known[key] for key in same} == {key: told[key] for key in same}
    assert [found for found in known["findings"] if found not in told["findings"]] == []


def test_a_report_replaces_nobodys_files(program: Program, x: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text("mine")
    with pytest.raises(bim_neuro.InputError, match="holds other files, a new or empty folder is needed"):
        program.report(x, tmp_path)
    with pytest.raises(bim_neuro.InputError, match="cannot write"):
        program.report(x, tmp_path / "summary.json")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("summary.json", "mine")]


def test_a_program_is_verified_on_another_backend_in_one_call(program: Program, x: np.ndarray) -> None:
    found = program.verify(x, backend="reference")
    assert found["backend"] == "reference"
    assert 0 < found["messages"] == found["messages_equal"]
    assert found["states"] == found["states_equal"]


def test_a_raster_has_a_dot_for_each_message(program: Program, record: RunRecord, x: np.ndarray) -> None:
    figure = program.plot_raster(x)
    assert [axes.get_ylabel() for axes in figure.axes] == ["block1.lif"]
    (dots,) = figure.axes[0].collections
    sent = record.probes["block1.lif.message"][0]
    assert 0 < len(dots.get_offsets()) == np.count_nonzero(sent)
    assert all(sent[int(step), int(neuron)] for step, neuron in dots.get_offsets())
    assert len(program.plot_raster(x, ["input", "readout"]).axes) == 2
    with pytest.raises(bim_neuro.InputError, match=r"no layer is called 'block1.lift'") as refused:
        program.plot_raster(x, ["block1.lift"])
    assert refused.value.hint == "one of: block1.lif"


def test_a_raster_says_how_to_get_what_draws_it(
    program: Program, x: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bim_neuro.extras.find_spec", lambda name: None)
    with pytest.raises(bim_neuro.BackendMissing, match=r"Program.plot_raster needs the package matplotlib"):
        program.plot_raster(x)


def test_a_notebook_shows_a_table_of_layers_with_every_text_escaped(program: Program) -> None:
    shown = program._repr_html_()
    assert shown.count("<tr>") == len(program.graph.nodes)  # the head, and all but the source
    assert "<td>block1.lif</td><td>lif</td><td>128</td>" in shown
    assert "<script>" not in as_html(
        "<script>", [dict.fromkeys(("name", "kind", "neurons", "synapses", "cores"), "<script>")]
    )

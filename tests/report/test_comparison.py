"""Runs side by side: what was made differently, which is better and at every price, in a terminal and on a page."""

from __future__ import annotations

import copy
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, bim_report
from pages import data_of

from bim_neuro.compilers.placement import spread


def test_runs_side_by_side_say_what_differs(out: Path) -> None:
    ended = bim_report("compare", out / "a", out / "b", "--json")
    comparison = json.loads(ended.out)
    assert [run["name"] for run in comparison["runs"]] == ["a", "b"]
    assert comparison["warning"] == "Not the same work: samples differ."
    assert {"label": "samples", "values": ["6", "3"]} in comparison["settings"]
    rows = {row["key"]: row for row in comparison["rows"]}
    assert rows["cores"]["verdict"] == "same"
    assert rows["accuracy_integer"]["values"] == [_summary(out / name)["accuracy"]["integer"] for name in "ab"]
    assert not any(row["best"] for row in comparison["rows"])


def _summary(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "summary.json").read_text()))


@pytest.fixture
def cheaper(out: Path, tmp_path: Path) -> Path:
    """Run a again, at half the dynamic energy, and one where only the low price is lower, and one a hair cheaper."""
    for name, scale in (("half", (0.5, 0.5, 0.5)), ("unclear", (0.5, 0.9, 1.5)), ("hair", (0.9998, 0.9998, 0.9998))):
        changed = copy.deepcopy(_summary(out / "a"))
        dynamic = changed["energy"]["dynamic"]
        for end, factor in zip(("low", "value", "high"), scale, strict=True):
            dynamic[end] *= factor
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps(changed))
    return tmp_path


def test_a_run_is_marked_as_better_only_where_every_price_says_so(out: Path, cheaper: Path) -> None:
    def energy(other: str) -> dict[str, Any]:
        ended = bim_report("compare", out / "a", cheaper / other, "--json")
        return next(row for row in json.loads(ended.out)["rows"] if row["key"] == "energy_dynamic")

    assert (energy("half")["best"], energy("half")["verdict"]) == ([1], "-50.0%")
    assert (energy("hair")["best"], energy("hair")["verdict"]) == ([], "within 0.05%")
    assert (energy("unclear")["best"], energy("unclear")["verdict"]) == ([], "-10.0%; not at every price")


def test_a_comparison_is_printed_and_written(out: Path, tmp_path: Path) -> None:
    ended = bim_report("compare", out / "a", out / "b", "-o", tmp_path / "compare.html")
    assert ended.code == 0
    assert "dynamic energy a sample" in ended.out
    assert "dynamic energy a sample" in json.dumps(data_of((tmp_path / "compare.html").read_text()))


OPTIONS: tuple[tuple[object, ...], ...] = (
    ("--optimise", "energy"),
    ("--verify", "reference"),
    ("--strict",),
    ("--min-agreement", 0.01, "--optimise", "cores"),
    ("--learn", "rtrl", "--set", "learn.samples=2", "--set", "learn.seed=3"),
    ("--learn", "rtrl", "--set", "learn.samples=2", "--set", "learn.bits=10"),
)


@pytest.fixture(scope="module")
def many(out: Path) -> list[Path]:
    """Twelve runs of the same model: two with other options each, and the plain one."""
    for index, options in enumerate(OPTIONS):
        learns = ("--set", f"learn.test={out / 'xy.npz'}") if "--learn" in options else ()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(spread, "TRIES", 20)
            bim_compile(out / "small.pt", "--input", out / "xy.npz", *options, *learns, "-o", out / f"with-{index}")
    named = [out / "a", *(out / f"with-{index}" for index in range(len(OPTIONS)))]
    for folder in named[:5]:
        shutil.copytree(folder, out / f"again-{folder.name}", dirs_exist_ok=True)
    return [*named, *(out / f"again-{folder.name}" for folder in named[:5])]


def test_all_that_was_asked_for_is_kept_and_what_differs_is_listed(out: Path, many: list[Path]) -> None:
    from bim_neuro.report.asked import file_hash

    request = _summary(out / "a")["request"]
    assert request["hashes"]["model"] == file_hash(out / "small.pt")
    assert request["hashes"]["input"] == _summary(out / "with-0")["request"]["hashes"]["input"]
    assert request["hashes"]["input"] != _summary(out / "b")["request"]["hashes"]["input"]
    assert request["versions"]["numpy"] == np.__version__
    comparison = json.loads(bim_report("compare", *many[:7], "--json").out)
    settings = {row["label"]: row["values"] for row in comparison["settings"]}
    assert settings["optimise"] == ["not given", "energy", *["not given"] * 2, "cores", *["not given"] * 2]
    assert settings["verify"][2] == "reference"
    assert settings["strict"] == ["no", "no", "no", "yes", "no", "no", "no"]
    assert settings["learn seed"][-2:] == settings["seed of learning"][-2:] == ["3", "0"]
    assert settings["learn trace bits"][-2:] == ["12", "10"]
    assert settings["learn samples"][:5] == ["not given"] * 5
    assert "model sha256" not in settings
    rows = {row["key"]: row for row in comparison["rows"]}
    assert rows["learnt_after"]["values"][:5] == [None] * 5
    assert rows["energy"]["values"] == [_summary(run)["energy"]["energy_uj"]["value"] * 1e6 for run in many[:7]]


def test_other_values_of_the_same_name_are_other_work(out: Path, tmp_path: Path) -> None:
    changed = copy.deepcopy(_summary(out / "a"))
    changed["request"]["hashes"]["input"] = "0" * 64
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "summary.json").write_text(json.dumps(changed))
    comparison = json.loads(bim_report("compare", out / "a", tmp_path / "c", "--json").out)
    assert comparison["warning"] == "Not the same work: the values of the input differ."


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("runs", [2, 3, 4, 5, 12])
def test_a_comparison_of_many_runs_stays_readable(many: list[Path], runs: int, width: int) -> None:
    from rich.console import Console

    from bim_neuro.jobs.request import CompareRequest
    from bim_neuro.jobs.results import compare_runs
    from bim_neuro.report.side_by_side import show_comparison

    comparison, text = compare_runs(CompareRequest(tuple(many[:runs]))), io.StringIO()
    show_comparison(comparison, Console(file=text, width=width, highlight=False))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text.getvalue()
    shown = [line.split()[0] for line in lines if line.strip()]
    for run in comparison["runs"] if runs >= 4 else []:
        assert shown.count(run["name"]) == shown.count("difference") >= 2
    words = " ".join(text.getvalue().split())
    for value in ("%", "uJ", "cores"):
        assert value in words


def test_the_page_of_twelve_runs_has_a_row_for_each(many: list[Path], tmp_path: Path) -> None:
    assert bim_report("compare", *many, "-o", tmp_path / "twelve.html").code == 0
    data = data_of((tmp_path / "twelve.html").read_text())
    assert len(data["runs"]) == 12 >= data["transposed"]


def test_a_folder_of_an_older_version_is_told_apart_from_a_damaged_one(out: Path, tmp_path: Path) -> None:
    older = _summary(out / "a")
    del older["findings"], older["request"], older["schema_version"]
    (tmp_path / "summary.json").write_text(json.dumps(older))
    ended = bim_report(tmp_path)
    assert (ended.code, "was written by an older bim-compile" in ended.err) == (2, True)


def test_one_run_is_nothing_to_compare_with(out: Path) -> None:
    ended = bim_report("compare", out / "a")
    assert (ended.code, ended.errors) == (2, ["error: compare needs two or more folders"])
    assert bim_report("compare", out / "a", out / "none").code == 2

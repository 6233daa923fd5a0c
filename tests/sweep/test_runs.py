"""bim-report runs: every training that is found once, seeds joined, costs beside the model they were measured on."""

from __future__ import annotations

import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from commands import bim_compile, bim_report, save_input, save_model
from small_models import small_checkpoint

SCORES = {("bptt", 0): 0.5, ("bptt", 1): 0.75, ("rtrl", 0): 0.625}


def record(rule: str, seed: int, score: float) -> dict[str, Any]:
    test = {law: {"accuracy": score - 0.1, "macro_f1": score - 0.25} for law in ("float", "integer")}
    validation = {"macro_f1": score, "samples": 40}
    recipe = {"epochs": 3, "seed": seed}
    learning = {"rule": rule, "window": {"tau": 1.0}}
    return {"rule": rule, "seed": seed, "recipe": recipe, "learning": learning, "epochs": 3,
            "seconds": 10.0 + seed, "validation": validation, "test": test, "log": [{"epoch": 1}]}  # fmt: skip


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three trained models, two files that are none, and a compile of the first model."""
    folder = tmp_path_factory.mktemp("runs")
    for (rule, seed), score in SCORES.items():
        (folder / rule).mkdir(exist_ok=True)
        model = replace(small_checkpoint(seed), training=record(rule, seed, score))
        save_model(folder / rule / f"seed{seed}.pt", model)
    save_model(folder / "untrained.pt")
    torch.save({"weights": torch.zeros(3)}, folder / "other.pt")
    samples = save_input(folder / "x.npz")
    assert bim_compile(folder / "bptt" / "seed0.pt", "--input", samples, "-o", folder / "compiled").code == 0
    return folder


@pytest.fixture(scope="module")
def table(trained: Path) -> dict[str, Any]:
    ended = bim_report("runs", trained, "-o", trained / "runs.html", "--json")
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def test_seeds_are_one_point_and_rules_are_two(table: dict[str, Any]) -> None:
    assert [row["said"].split(",")[0] for row in table["runs"]] == ["bptt/seed0.pt", "bptt/seed1.pt", "rtrl/seed0.pt"]
    assert [(len(point["keys"]), point["values"]["rule"]) for point in table["points"]] == [(2, "bptt"), (1, "rtrl")]
    assert table["points"][0]["validation"] == {"value": 0.625, "low": 0.5, "high": 0.75}
    assert table["note"] == "2 files without the record of a training left out."


def test_a_copy_of_a_file_is_no_second_run(trained: Path, tmp_path: Path, table: dict[str, Any]) -> None:
    for name in ("one.pt", "two.pt"):
        (tmp_path / name).write_bytes((trained / "bptt" / "seed0.pt").read_bytes())
    again = json.loads(bim_report("runs", tmp_path, trained, "--json").out)
    assert sorted(row["key"] for row in again["runs"]) == sorted(row["key"] for row in table["runs"])
    assert again["note"] == table["note"]


def test_a_test_score_is_the_one_that_validation_watched(table: dict[str, Any]) -> None:
    assert [row["metrics"]["test_integer"] for row in table["runs"]] == [0.25, 0.5, 0.375]


def test_numbers_learnt_are_those_of_the_network(table: dict[str, Any]) -> None:
    network = small_checkpoint().network()
    assert {row["metrics"]["parameters"] for row in table["runs"]} == {sum(p.numel() for p in network.parameters())}


def test_costs_stand_beside_the_model_they_were_measured_on(trained: Path, table: dict[str, Any]) -> None:
    first, *others = table["runs"]
    summary = json.loads((trained / "compiled" / "summary.json").read_text())
    assert first["metrics"]["energy_uj"] == summary["energy"]["energy_uj"]["value"]
    assert (
        first["metrics"]["synops"] == sum(layer["synops_hardware"] for layer in summary["layers"]) / summary["samples"]
    )
    assert first["page"] == "compiled/report.html"
    assert all("energy_uj" not in row["metrics"] and row["page"] is None for row in others)


def test_a_run_is_beaten_by_none_of_another_task(trained: Path, tmp_path: Path) -> None:
    """It scores less and is larger than each of the others, which are of another task."""
    other = replace(small_checkpoint(7), task="other", training=record("bptt", 0, 0.1) | {"seconds": 99.0})
    save_model(tmp_path / "other.pt", other)
    table = json.loads(bim_report("runs", trained, tmp_path, "--json").out)
    (place,) = [at for at, point in enumerate(table["points"]) if point["values"]["model"] == "other"]
    fronts = {name: places for name, places in table["fronts"].items() if name.startswith("validation")}
    assert all(place in fronts[f"validation,{name}"] for name in ("parameters", "trained_seconds"))


def test_the_terminal_shows_mean_and_deviation_and_what_differs(trained: Path) -> None:
    ended = bim_report("runs", trained)
    assert ended.code == 0, ended.err
    mean, deviation = statistics.mean([0.5, 0.75]), statistics.stdev([0.5, 0.75])
    assert f"{mean:.4f}" in ended.out
    assert f"+- {deviation:.4f}" in ended.out
    assert "rule bptt" in ended.out
    assert "channels" not in ended.out


@pytest.mark.parametrize("named", ["nothing", "empty"])
def test_places_without_a_training_are_refused_by_name(tmp_path: Path, named: str) -> None:
    (tmp_path / "empty").mkdir()
    ended = bim_report("runs", tmp_path / named, "-o", tmp_path / "runs.html")
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err
    assert not (tmp_path / "runs.html").exists()

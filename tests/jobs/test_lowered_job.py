"""The command with --lowering stock: a whole result folder, beside the fused one, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import bim_compile, bim_report, save_input, save_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the results of a small model, fused and stock."""
    place = tmp_path_factory.mktemp("lowered")
    model, given = save_model(place / "small.pt"), save_input(place / "x.npz")
    for name, lowering in (("fused", ()), ("stock", ("--lowering", "stock", "--set", "lowering.segments=4"))):
        ended = bim_compile(model, "--input", given, *lowering, "--backend", "reference", "-o", place / name)
        assert ended.code == 0, ended.err
    return place


def test_every_layer_of_a_stock_program_is_lavas(folder: Path) -> None:
    summary = json.loads((folder / "stock" / "summary.json").read_text())
    assert set(summary["judge"].values()) == {"lava"}
    laws = {layer["name"]: layer["law"] for layer in summary["layers"]}
    assert laws.pop("block1.lif") == "lava-bit-accurate"
    assert set(laws.values()) == {"lava-fixed-point"}
    assert any("4 segments" in line for line in summary["assumptions"])


def test_both_programs_stand_side_by_side(folder: Path) -> None:
    ended = bim_report("compare", folder / "fused", folder / "stock", "--json")
    rows = {row["key"]: row["values"] for row in json.loads(ended.out)["rows"]}
    assert rows["ours"] == [5, 0]  # u, B, C, scan, readout
    assert rows["neurons"][1] > 5 * rows["neurons"][0]
    assert rows["messages"][1] > rows["messages"][0]
    assert rows["latency_steps"] == [3, 11]
    assert rows["messages_price"] == ["none published"] * 2  # of 13 times the messages


def test_the_artefact_of_a_stock_program_passes_its_self_test(folder: Path) -> None:
    ended = bim_compile(folder / "stock" / "model.bimn", "--self-test")
    assert (ended.code, "self-test passed" in ended.out) == (0, True), ended.err


@pytest.mark.slow
def test_the_same_program_comes_from_its_nir(folder: Path) -> None:
    """model.nir holds the model before its lowering."""
    again = folder / "again"
    asked = ("--lowering", "stock", "--set", "lowering.segments=4", "--backend", "reference", "-o", again)
    assert bim_compile(folder / "stock" / "model.nir", "--input", folder / "x.npz", *asked).code == 0
    first, second = ((folder / name / "model.bimn").read_bytes() for name in ("stock", "again"))
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--lowering", "stock", "--learn", "rtrl"), "--lowering has no effect with --learn"),
        (("--set", "lowering.segments=4"), "lowering.segments has no effect without --lowering"),
        (("--lowering", "stock", "--set", "lowering.segments=1"), "allowed: a whole number from 2 to 64"),
        (("--lowering", "fast"), "'fast'"),
    ],
)
def test_what_a_lowering_cannot_be_combined_with_is_refused(
    folder: Path, arguments: tuple[str, ...], says: str
) -> None:
    ended = bim_compile(folder / "small.pt", "--input", folder / "x.npz", *arguments)
    assert ended.code == 2
    assert says in ended.err

"""The task's rate and the boundary of static power on the command line: in the summary, on the terminal, refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import bim_compile, save_input, save_model

from bim_neuro.hardware import load_profile


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("power")
    return save_model(folder / "small.pt"), save_input(folder / "x.npz")


def test_a_rate_and_a_boundary_are_counted_and_a_program_too_slow_is_told_the_factor(
    asked: tuple[Path, Path], tmp_path: Path
) -> None:
    model, samples = asked
    rate = ("--set", "power.sample_rate=1e6", "--set", "power.boundary=board")
    ended = bim_compile(model, "--input", samples, *rate, "-o", tmp_path / "out")
    assert ended.code == 0, ended.err
    found = json.loads((tmp_path / "out" / "summary.json").read_text())
    us, board = found["latency"]["sample_us"]["value"], load_profile("loihi2").energy.board_mw.value
    assert (found["boundary"], found["sample_rate_hz"]) == ("board", 1e6)
    assert found["at_rate"]["behind"] == pytest.approx(us)  # a sample a microsecond
    assert found["energy"]["static_uj"]["value"] == pytest.approx(us * board / 1e3)
    assert {name: line["static_mw"]["value"] for name, line in found["power"].items()} == {
        "cores": 230, "chip": 560, "board": 2000,
    }  # fmt: skip
    assert "times too slow" in ended.out
    assert (found["request"]["options"]["boundary"], found["request"]["options"]["sample rate"]) == ("board", 1e6)


def test_a_boundary_without_a_published_power_is_refused(asked: tuple[Path, Path], tmp_path: Path) -> None:
    model, samples = asked
    target = ("--target", "kapoho_point", "--set", "power.boundary=board")
    ended = bim_compile(model, "--input", samples, *target, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "kapoho_point has no published static power of boundary 'board'" in ended.err
    assert "it has that of cores and chip" in ended.err

"""The task's rate and the boundary of static power on the command line: in the summary, on the terminal, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, bim_compile, save_input, save_model

from bim_neuro.hardware import load_profile


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("power")
    return save_model(folder / "small.pt"), save_input(folder / "x.npz")


@pytest.fixture(scope="module")
def fast(asked: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """Return a run at a rate that no chip keeps, counted for the board, and its folder."""
    model, samples = asked
    out = tmp_path_factory.mktemp("fast") / "out"
    return bim_compile(model, "--input", samples, "--sample-rate", "1e6", "--boundary", "board", "-o", out), out


def summary(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    return found


def test_a_rate_and_a_boundary_are_counted_and_a_program_too_slow_is_told_the_factor(fast: tuple[Ended, Path]) -> None:
    ended, out = fast
    assert ended.code == 0, ended.err
    found = summary(out)
    us, board = found["latency"]["sample_us"]["value"], load_profile("loihi2").energy.board_mw.value
    assert (found["boundary"], found["sample_rate_hz"]) == ("board", 1e6)
    assert found["at_rate"]["behind"] == pytest.approx(us)  # a sample a microsecond
    assert found["energy"]["static_uj"]["value"] == pytest.approx(us * board / 1e3)
    assert {name: line["static_mw"]["value"] for name, line in found["power"].items()} == {
        "cores": 230, "chip": 560, "board": 2000,
    }  # fmt: skip
    assert "times too slow" in ended.out
    assert f"energy times delay {found['at_rate']['edp_uj_ms']['value']:.3g} uJ ms" in ended.out
    assert "assumed, and moves nothing here: timing.hop_ns" in ended.out
    assert (found["request"]["options"]["boundary"], found["request"]["options"]["sample rate"]) == ("board", 1e6)


def test_settings_say_the_same_as_options_and_options_win_over_those_of_a_file(
    asked: tuple[Path, Path], fast: tuple[Ended, Path], tmp_path: Path
) -> None:
    model, samples = asked
    (tmp_path / "run.toml").write_text('[power]\nsample_rate = 1e6\nboundary = "cores"\n')
    run = (model, "--input", samples, "-o", tmp_path / "out", "--config", tmp_path / "run.toml")
    assert bim_compile(*run, "--boundary", "board").code == 0
    keys = ("boundary", "sample_rate_hz", "power", "at_rate", "energy")
    assert {key: summary(tmp_path / "out")[key] for key in keys} == {key: summary(fast[1])[key] for key in keys}
    again = ("--config", tmp_path / "out" / "request.toml", "-o", tmp_path / "again")
    assert bim_compile(*again).code == 0
    assert summary(tmp_path / "again")["power"] == summary(fast[1])["power"]


def test_a_boundary_without_a_published_power_is_refused(asked: tuple[Path, Path], tmp_path: Path) -> None:
    model, samples = asked
    target = ("--target", "kapoho_point", "--boundary", "board")
    ended = bim_compile(model, "--input", samples, *target, "-o", tmp_path / "out")
    assert ended.code == 2
    assert "kapoho_point has no published static power of boundary 'board'" in ended.err
    assert "it has that of cores and chip" in ended.err


@pytest.mark.parametrize("rate", ["0", "-1", "nan", "inf"])
def test_a_rate_out_of_range_is_refused_before_any_work(asked: tuple[Path, Path], tmp_path: Path, rate: str) -> None:
    ended = bim_compile(asked[0], "--sample-rate", rate, "-o", tmp_path / "out")
    assert (ended.code, (tmp_path / "out").exists()) == (2, False)
    assert "--sample-rate is" in ended.err
    assert "allowed: a number from 1e-09 to 1e+09" in ended.err

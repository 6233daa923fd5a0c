"""A refusal is a page: what does not fit, by how much, which target takes it; a finished result is never replaced."""

from __future__ import annotations

import errno
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, save_input, save_model
from pages import data_of

from bim_neuro.errors import InputError
from bim_neuro.hardware import list_profiles
from bim_neuro.jobs import refused as refusals


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("refused")
    return save_model(folder / "small.pt"), save_input(folder / "x.npz", y=np.arange(6) % 4)


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def test_a_refusal_is_a_page_of_its_findings_and_of_the_targets_that_take_the_model(
    asked: tuple[Path, Path], tmp_path: Path
) -> None:
    model, samples = asked
    refused = bim_compile(model, "--input", samples, "--target", "loihi1", "--json", "-o", tmp_path / "out")
    assert refused.code == 1
    assert names(tmp_path / "out") == [".bim-compile.json", "report.html"]
    assert f"{tmp_path / 'out' / 'report.html'} shows what does not fit" in refused.err
    found = data_of((tmp_path / "out" / "report.html").read_text())
    assert found["findings"] == json.loads(refused.out)["findings"]
    assert {"used": 16, "limit": 1}.items() <= next(f for f in found["findings"] if f["layer"] == "block1.u").items()
    assert {row["name"] for row in found["targets"]} == {*list_profiles()} - {"loihi1"}
    takes = {row["name"]: bool(bim_compile(model, "--target", row["name"], "--check").code == 0)
             for row in found["targets"]}  # fmt: skip
    assert {row["name"]: row["fits"] for row in found["targets"]} == takes
    assert bim_compile(model, "--input", samples, "-o", tmp_path / "out").code == 0
    assert "summary.json" in names(tmp_path / "out")
    assert "<title>Does not fit" not in (tmp_path / "out" / "report.html").read_text()


def test_a_refusal_leaves_a_finished_result_as_it_is(asked: tuple[Path, Path], tmp_path: Path) -> None:
    model, samples = asked
    assert bim_compile(model, "--input", samples, "-o", tmp_path / "out").code == 0
    before = {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir() if file.is_file()}
    refused = bim_compile(model, "--input", samples, "--target", "odin", "-o", tmp_path / "out")
    assert (refused.code, "report.html" in refused.err) == (1, False)
    assert {file.name: file.read_bytes() for file in (tmp_path / "out").iterdir() if file.is_file()} == before


def test_no_target_is_named_where_the_model_fits_and_the_rule_does_not(
    asked: tuple[Path, Path], tmp_path: Path
) -> None:
    model, samples = asked
    options = ("--learn", "rtrl", "--set", "learn.placement=tags", "--set", f"learn.test={samples}")
    refused = bim_compile(model, "--input", samples, *options, "-o", tmp_path / "out")
    assert refused.code == 1
    found = data_of((tmp_path / "out" / "report.html").read_text())
    assert found["targets"] == []
    assert any("a tag of the learning engine holds 1" in finding["message"] for finding in found["findings"])


@pytest.mark.parametrize(("fault", "says"), [
    (KeyboardInterrupt, "interrupted while other targets were tried: no page shows this refusal"),
    (OSError(errno.ENOSPC, "No space left on device"), "no page shows this refusal"),
    (InputError("it is being written by another run"), "no page shows this refusal: it is being written"),
])  # fmt: skip
def test_what_keeps_the_page_from_being_written_hides_no_refusal(
    asked: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: Any, says: str
) -> None:
    def other_targets(request: Any) -> list[dict[str, Any]]:
        if fault is KeyboardInterrupt:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does
            time.sleep(5)
        raise fault

    monkeypatch.setattr(refusals, "other_targets", other_targets)
    model, samples = asked
    ended = bim_compile(model, "--input", samples, "--target", "loihi1", "--json", "-o", tmp_path / "out")
    assert ended.code == 1
    assert says in ended.err
    assert ended.err.count("block1.u") >= 1
    assert {finding["layer"] for finding in json.loads(ended.out)["findings"]} >= {"block1.u"}
    assert not (tmp_path / "out" / "report.html").exists()

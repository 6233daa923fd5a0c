"""What the commands say beside their results: progress without a terminal, other systems, libraries' warnings, OUT."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from commands import bim_compile, bim_report, bim_train, finish, save_input, save_model, start

from bim_neuro.cli import console
from bim_neuro.cli.console import Paced, guarded
from bim_neuro.errors import InputError
from bim_neuro.jobs import places


def own_data(path: Path) -> Path:
    y = np.arange(24) % 3
    np.savez(path, x=np.random.default_rng(0).normal(size=(24, 5, 3)) + y[:, None, None], y=y)
    return path


def test_a_training_without_a_terminal_says_how_far_it_is(tmp_path: Path) -> None:
    small = ("--epochs", 3, "--channels", 3, "--states", 1)
    ended = bim_train("own", "--data", own_data(tmp_path / "d.npz"), "-o", tmp_path / "m.pt", *small)
    assert ended.code == 0
    first, *_ = ended.err.splitlines()
    assert first.startswith("epoch 1 of 3: loss ")
    assert "validation " in first


def test_notes_come_once_a_second_and_not_to_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    tell = Paced(clock=lambda: now)
    for step in range(25):
        now = step / 10
        tell(f"[{step}]")
    assert capsys.readouterr().err.split() == ["[0]", "[10]", "[20]"]
    monkeypatch.setattr(console.err, "_force_terminal", True)
    Paced()("nothing")
    assert capsys.readouterr().err == ""


def test_a_current_folder_that_was_removed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    ended = bim_compile("model.pt", "-o", tmp_path / "out")
    assert ended.code == 2
    assert ended.err.startswith("error: the current folder was removed")


@pytest.mark.parametrize("command", [bim_compile, bim_train, bim_report])
def test_another_system_gets_one_sentence(
    command: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    ended = command("--help")  # type: ignore[operator]
    monkeypatch.undo()
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1)
    assert ended.errors[0] == "error: bim-neuro runs on Linux, and this is darwin"


def noisy() -> None:
    warnings.warn("a library is unhappy", UserWarning, stacklevel=1)
    logging.getLogger("library").warning("so is its log")


def test_the_warnings_of_libraries_stay_out_of_standard_error(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "warnoptions", [])
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    shown: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda warning, *more, **rest: shown.append(str(warning)))
        guarded(noisy, debug=False)
        assert (shown, capsys.readouterr().err) == ([], "")
        guarded(noisy, debug=True)
        assert shown == ["a library is unhappy"]
        assert "so is its log" in capsys.readouterr().err


def test_a_warning_that_is_an_error_stays_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        guarded(noisy, debug=False)
    assert end.value.code == 4
    assert "a library is unhappy" in capsys.readouterr().err


@pytest.mark.slow
def test_a_compile_in_a_home_that_cannot_be_written_says_nothing_of_it(tmp_path: Path) -> None:
    model, data = save_model(tmp_path / "m.pt"), save_input(tmp_path / "x.npz")
    nowhere = {"HOME": "/proc/none", "MPLCONFIGDIR": "/proc/none", "XDG_CACHE_HOME": "/proc/none", "PYTHONWARNINGS": ""}
    ended = finish(start("compile", model, "--input", data, "-o", tmp_path / "out", env=nowhere))
    assert (ended.code, ended.err) == (0, "")


def test_the_result_of_another_model_is_not_overwritten_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_model(tmp_path / name / "model.pt")
    data = save_input(tmp_path / "x.npz")
    assert bim_compile("a/model.pt", "--input", data).code == 0
    before = (tmp_path / "out/model/summary.json").read_bytes()
    refused = bim_compile("b/model.pt", "--input", data)
    assert (refused.code, refused.out) == (2, "")
    assert "out/model holds the result of a/model.pt, not of b/model.pt" in refused.err
    assert "-o out/b-model" in refused.err
    assert (tmp_path / "out/model/summary.json").read_bytes() == before
    assert bim_compile("b/model.pt", "--input", data, "-o", "out/b-model").code == 0
    assert bim_compile("./a/model.pt", "--input", data).code == 0  # the same one again
    assert json.loads((tmp_path / "out/model/summary.json").read_text())["model"] == "a/model.pt"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model": 3}', '{"model": null}'])
def test_a_result_that_does_not_say_whose_it_is_is_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out/model").mkdir(parents=True)
    (tmp_path / "out/model/summary.json").write_text(text)
    assert places.default_output(Path("model.pt")) == Path("out/model")
    (tmp_path / "out/model/summary.json").write_text('{"model": "elsewhere.pt"}')
    with pytest.raises(InputError, match=r"holds the result of elsewhere\.pt"):
        places.default_output(Path("model.pt"))


@pytest.mark.parametrize("model", ["a\\u0000b", "loop"])
def test_a_result_of_a_model_that_no_path_leads_to_is_anothers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "model.pt")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "out/model").mkdir(parents=True)
    (tmp_path / "out/model/summary.json").write_text(f'{{"model": "{model}"}}')
    ended = bim_compile("model.pt", "--input", save_input(tmp_path / "x.npz"))
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "out/model holds the result of " in ended.err


def test_a_check_writes_nothing_and_minds_no_other_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_model(tmp_path / "model.pt")
    (tmp_path / "out/model").mkdir(parents=True)
    (tmp_path / "out/model/summary.json").write_text('{"model": "elsewhere.pt"}')
    assert bim_compile("model.pt", "--check").code == 0

"""Requests as files: a hostile one is refused in one line, and what lies beside a result runs again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from commands import Ended, bim_compile, bim_report, bim_train, content, save_input, save_model

from bim_neuro.model.checkpoint import load_checkpoint


def refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    for word in words:
        assert word in ended.err


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_model(tmp_path / "small.pt")


NOBODY = 65_534

HOSTILE: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "empty section of no name of ours": ("[lern]\n", ("there is no section 'lern'", "did you mean learn?")),
    "section of another command": ("[train]\ntaps = 2\n", ("there is no section 'train'",)),
    "tables in a list": ("[[run]]\nsteps = 2\n", ("run is [{'steps': 2}], a section is needed",)),
    "table for a setting": ("[learn.rate]\nx = 1\n", ("learn.rate is {'x': 1}, allowed: a number",)),
    "table for an option": ("[run.steps]\nx = 1\n", ("run.steps is {'x': 1}, a whole number is needed",)),
    "number without a section": ("steps = 2\n", ("'steps' is in no section", "write [run] above it")),
    "half a step": ("[run]\nsteps = 2.5\n", ("run.steps is 2.5, a whole number is needed",)),
    "no step": ("[run]\nsteps = 0\n", ("run.steps is 0: ",)),
    "text for a number": ("[run]\nsteps = 'two'\n", ("run.steps is 'two', a whole number is needed",)),
    "date for a number": ("[run]\nsteps = 2026-01-01\n", ("run.steps is '2026-01-01', a whole number is needed",)),
    "no backend of ours": ("[run]\nverify = 'nothing'\n", ("run.verify is 'nothing': ", "engine")),
    "number of 400 digits": (
        f"[run]\ninput = 'x.npz'\nsteps = {'9' * 400}\n",
        ("steps is a whole number of 1,329 bits",),
    ),
    "setting of 400 digits": (
        f"[run]\ninput = 'xy.npz'\n[learn]\nsamples = {'9' * 400}\n",
        ("999 samples of 8 steps",),
    ),
    "number of 5,000 digits": (f"[run]\nsteps = {'9' * 5000}\n", ("is not TOML",)),
    "NUL in a path": ('[run]\ninput = "a\\u0000b"\n', ("run.input is 'a\\x00b', a text is needed",)),
    "NUL in a setting": ('[learn]\ntest = "a\\u0000b"\n', ("learn.test is a", "allowed: a text")),
    "path of 100,000 letters": (f"[run]\ninput = '{'x' * 100_000}'\n", ("its name is too long",)),
    "option of 100,000 letters": (f"[run]\n{'x' * 100_000} = 1\n", ("xxx is not an option",)),
    "control characters": ('[run]\n"\\u001b[31mred" = 1\n', ("is not an option",)),
    "deep list": (f"[run]\nsteps = {'[' * 50_000}", ("is not TOML",)),
    "deep table": (f"[{'a.' * 50_000}b]\nc = 1\n", ("TOML", "run.toml")),
    "twice the same": ("[run]\nsteps = 1\nsteps = 2\n", ("is not TOML",)),
    "bytes": (bytes(range(256)) * 40, ("is not TOML",)),
    "nothing": (b"", ("run.toml is empty",)),
    "zeros": (bytes(100), ("is not TOML",)),
    "huge": (b"#" * 2**21, ("2,097,152 bytes, a TOML file of at most 1,048,576 is read",)),
    "itself": ("[run]\nconfig = 'run.toml'\n", ("run.config is not an option",)),
}
"""What lies in the file, and what is said of it."""


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_file_is_refused_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, kind: str
) -> None:
    text, words = HOSTILE[kind]
    file = tmp_path / "run.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    save_input(tmp_path / "x.npz")
    save_input(tmp_path / "xy.npz", y=np.arange(6) % 4)
    monkeypatch.chdir(tmp_path)
    before = content(tmp_path)
    ended = bim_compile(model, *(("--learn", "rtrl") if "setting" in kind else ()), "--config", file)
    refused(ended, *words)
    assert len(ended.err) < 5000
    assert "\x1b" not in ended.err
    assert content(tmp_path) == before


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "folder": (Path.mkdir, "is not a file but a folder"),
    "pipe": (os.mkfifo, "pipe"),
    "nothing": (lambda path: None, "no such file"),
    "link to itself": (lambda path: path.symlink_to(path.name), "a link that leads back to itself"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "device"),
}


@pytest.mark.parametrize("command", [bim_compile, bim_train, bim_report])
@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_is_refused(tmp_path: Path, command: Callable[..., Ended], place: str) -> None:
    make, words = PLACES[place]
    make(tmp_path / "run.toml")
    refused(command("--config", tmp_path / "run.toml"), str(tmp_path / "run.toml"), words)


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, model: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("[run]\nsteps = 0\n")
    refused(bim_compile(model, "--config", file), "run.steps is 0")  # what is imported on the way is imported by now
    file.chmod(0)
    user = os.geteuid()
    os.seteuid(NOBODY if user == 0 else user)  # root may read every file
    try:
        ended = bim_compile(model, "--config", file)
    finally:
        os.seteuid(user)
    refused(ended, str(file), "permission denied")


def test_with_json_a_refused_file_is_told_in_json_too(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("[run]\nstep = 3\n")
    ended = bim_compile("--config", tmp_path / "run.toml", "--json")
    told = json.loads(ended.out)["error"]
    assert (ended.code, told["exit_code"], told["hint"]) == (2, 2, "did you mean steps?")
    assert "run.step is not an option" in told["message"]


def test_settings_of_a_run_may_lie_among_its_options(tmp_path: Path, model: Path) -> None:
    samples = save_input(tmp_path / "x.npz")
    file = tmp_path / "run.toml"
    file.write_text(f'[run]\ninput = "{samples}"\nmax_memory = "2G"\nlava_timeout = 30\n')
    refused(bim_compile(model, "--config", file), "run.lava_timeout has no effect without the lava backend")
    file.write_text(f'[run]\ninput = "{samples}"\nmax_memory = "2G"\n')
    assert bim_compile(model, "--config", file, "-o", tmp_path / "out").code == 0
    assert 'max_memory = "2G"' in (tmp_path / "out" / "request.toml").read_text()


def test_a_training_leaves_its_request_which_gives_the_same_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    y = np.arange(48) % 3
    np.savez(tmp_path / "own.npz", x=rng.normal(0, 0.5, (48, 6, 3)) + np.eye(3)[y][:, None, :], y=y, layout="BTC")
    monkeypatch.chdir(tmp_path)
    small = ("--epochs", 2, "--channels", 3, "--states", 1, "--set", "train.taps=1", "--batch", 16, "--seed", 5)
    assert bim_train("own", "--data", "own.npz", *small).code == 0
    assert sorted(content(tmp_path)) == ["own.npz", "own.pt", "own.pt.request.toml"]
    request = tmp_path / "own.pt.request.toml"
    first, text = load_checkpoint(tmp_path / "own.pt"), request.read_text()
    (tmp_path / "own.pt").unlink()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = bim_train("--config", request)
    assert ended.code == 0, ended.err
    again = load_checkpoint(tmp_path / "own.pt")
    assert first.state.keys() == again.state.keys()
    assert all(np.array_equal(first.state[name].numpy(), again.state[name].numpy()) for name in first.state)
    assert first.ranges == again.ranges
    assert "test" not in again.training
    assert request.read_text() == text
    assert content(tmp_path / "elsewhere") == {}


def test_a_comparison_leaves_its_request_which_runs_again(tmp_path: Path, model: Path) -> None:
    samples = save_input(tmp_path / "x.npz")
    for name, steps in (("a", 3), ("b", 4)):
        assert bim_compile(model, "--input", samples, "--steps", steps, "-o", tmp_path / name).code == 0
    page = tmp_path / "compare.html"
    first = bim_report("compare", tmp_path / "a", tmp_path / "b", "-o", page, "--json")
    request = tmp_path / "compare.html.request.toml"
    before, text = page.read_bytes(), request.read_text()
    page.unlink()
    again = bim_report("compare", "--config", request, "--json")
    assert (again.code, again.out, page.read_bytes(), request.read_text()) == (0, first.out, before, text)


def test_a_report_takes_its_request_from_a_file(tmp_path: Path, model: Path) -> None:
    samples = save_input(tmp_path / "x.npz")
    assert bim_compile(model, "--input", samples, "-o", tmp_path / "a").code == 0
    (tmp_path / "r.toml").write_text(f'[run]\nfolder = "{tmp_path / "a"}"\noutput = "{tmp_path / "r.html"}"\n')
    assert bim_report("--config", tmp_path / "r.toml").out == bim_report(tmp_path / "a").out
    assert (tmp_path / "r.html").read_bytes() == (tmp_path / "a" / "report.html").read_bytes()
    refused(bim_report(), "FOLDER is missing")
    refused(bim_report("compare"), "FOLDERS is missing")

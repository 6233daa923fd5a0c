"""What a reader meets first: answers before tables, a page that opens, completion, and commands without scripts."""

from __future__ import annotations

import os
import subprocess
import sys
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, bim_compile, bim_report, save_input, save_model
from scipy.stats import binomtest

from bim_neuro.errors import InputError
from bim_neuro.tasks.metrics import wilson


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answers")
    samples = save_input(folder / "xy.npz", y=np.arange(6) % 4)
    ended = bim_compile(
        save_model(folder / "small.pt"), "--input", samples, "--verify", "reference", "-o", folder / "out"
    )
    assert ended.code == 0
    return folder / "out"


def test_the_answers_come_before_the_table(done: Path) -> None:
    lines = bim_report(done).out.splitlines()
    assert [line.split()[0] for line in lines[1:5]] == ["fits", "energy", "accuracy", "verified"]
    assert lines[-1] == f"report: {done / 'report.html'}"


@pytest.mark.parametrize(("right", "of"), [(0, 1), (7, 8), (8, 8), (0, 40), (311, 599), (1, 10**6)])
def test_the_interval_is_scipy_s(right: int, of: int) -> None:
    ci = binomtest(right, of).proportion_ci(0.95, method="wilson")
    assert wilson(right, of) == pytest.approx((ci.low, ci.high), abs=1e-12)


def test_a_share_of_no_samples_has_no_interval() -> None:
    for right, of in ((0, 0), (3, 2), (-1, 2)):
        with pytest.raises(InputError, match="is no share"):
            wilson(right, of)


def test_the_page_opens_where_it_is(done: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: opened.append(address) is None)
    assert bim_report(done, "--open").code == 0
    assert bim_report(done, "-o", tmp_path / "page.html", "--open").code == 0
    assert opened == [(done / "report.html").as_uri(), (tmp_path / "page.html").as_uri()]
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    ended = bim_report(done, "--open")
    assert (ended.code, "no browser could be started" in ended.err) == (2, True)


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    command = [sys.executable, "-m", "bim_neuro", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


def test_the_commands_run_without_their_scripts(done: Path) -> None:
    ended = run("report", str(done))
    assert (ended.returncode, ended.stdout) == (0, bim_report(done).out)
    unknown = run("compiel")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert unknown.stderr == "error: python -m bim_neuro needs a command: compile, train, sweep, report\n"


COMMAND = "import sys; sys.argv[0] = 'bim-compile'; from bim_neuro.cli import compile_main; compile_main()"


def completed(**more: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
    ended = subprocess.run(
        [sys.executable, "-c", COMMAND], capture_output=True, text=True, env=environment, timeout=120
    )
    return ended.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_has_a_script_to_complete_with(shell: str) -> None:
    assert f"_BIM_COMPILE_COMPLETE=complete_{shell}" in completed(_BIM_COMPILE_COMPLETE=f"source_{shell}")


def test_an_option_is_completed() -> None:
    words = {"COMP_WORDS": "bim-compile --opt", "COMP_CWORD": "1"}
    assert completed(_BIM_COMPILE_COMPLETE="complete_bash", **words).split() == ["--optimise"]

"""The light core: what compiles, simulates and reports a .nir needs neither torch nor scikit-learn nor matplotlib."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, bim_compile, save_model

import bim_neuro

HEAVY = ("torch", "sklearn", "matplotlib")
CHILD = f"""
import sys
sys.modules.update(dict.fromkeys({HEAVY!r}))  # as if none were installed
from bim_neuro import cli
entry, *words = sys.argv[1:]
sys.argv = ["bim-" + entry, *words]
getattr(cli, entry + "_main")()
"""
ALL = f"""
import io, json, sys
from contextlib import redirect_stderr, redirect_stdout
commands, installed = json.loads(sys.argv[1]), sys.argv[2] == "installed"
if not installed:
    sys.modules.update(dict.fromkeys({HEAVY!r}))
from bim_neuro import cli
said = []
for entry, *words in commands:
    sys.argv = ["bim-" + entry, *words]
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as err:
        try:
            code = getattr(cli, entry + "_main")() or 0
        except SystemExit as end:
            code = end.code or 0
    said.append([code, err.getvalue(), [name for name in {HEAVY!r} if sys.modules.get(name)]])
print(json.dumps(said))
"""


def without(entry: str, *words: object) -> subprocess.CompletedProcess[str]:
    return _run(CHILD, entry, *map(str, words))


def _run(script: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light")
    x = np.random.default_rng(0).normal(size=(6, 8, 5)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, layout="BTC")
    model = save_model(folder / "model.pt")
    assert bim_compile(model, "--input", folder / "x.npz", "-o", folder / "out").code == 0
    return folder


CORE = (
    ("compile", "{}/out/model.nir", "--check"),
    ("compile", "{}/out/model.nir", "--input", "{}/x.npz", "-o", "{}/again"),
    ("compile", "{}/out/model.bimn", "--self-test"),
    ("compile", "--list", "loihi2"),
    ("report", "{}/out"),
)


@pytest.mark.parametrize("extra", ["installed", "missing"])
def test_no_command_of_the_core_needs_the_extra_or_imports_it(result: Path, extra: str) -> None:
    """One after the other in one process: what the first imports would be told of all."""
    commands = [[word.format(result) for word in words] for words in CORE]
    ended = _run(ALL, json.dumps(commands), extra)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert dict(zip(CORE, json.loads(ended.stdout), strict=True)) == {words: [0, "", []] for words in CORE}


@pytest.mark.parametrize(
    ("entry", "words", "package"),
    [
        ("compile", ("{}/model.pt", "--check"), "torch"),
        ("train", ("digits", "-o", "{}/new.pt"), "torch"),
    ],
)
def test_what_needs_the_extra_says_how_to_get_it(
    result: Path, entry: str, words: tuple[str, ...], package: str
) -> None:
    ended = without(entry, *(word.format(result) for word in words))
    assert ended.returncode == 2
    assert f"needs the package {package}" in ended.stderr
    assert "pip install 'bim-neuro[train]'" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["plan_for", "train_task"])
def test_a_public_name_that_needs_the_extra_says_how_to_get_it(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(bim_neuro.BackendMissing, match=f"bim_neuro.{name} needs the package torch") as refused:
        getattr(bim_neuro, name)
    assert refused.value.hint == "pip install 'bim-neuro[train]'"

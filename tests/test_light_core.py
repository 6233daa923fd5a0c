"""The light core: what compiles, simulates and reports a .nir needs neither torch nor scikit-learn nor matplotlib."""

from __future__ import annotations

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
WATCHED = f"""
import atexit, sys
found = lambda: [name for name in {HEAVY!r} if name in sys.modules]
atexit.register(lambda: print("imported:", *found(), file=sys.stderr))
from bim_neuro import cli
entry, *words = sys.argv[1:]
sys.argv = ["bim-" + entry, *words]
getattr(cli, entry + "_main")()
"""


def without(entry: str, *words: object, script: str = CHILD) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, entry, *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=250, check=False, cwd=ROOT)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("light")
    x = np.random.default_rng(0).normal(size=(6, 8, 5)).astype(np.float32)
    np.savez(folder / "x.npz", x=x, layout="BTC")
    model = save_model(folder / "model.pt")
    assert bim_compile(model, "--input", folder / "x.npz", "-o", folder / "out").code == 0
    return folder


CORE = pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("compile", ("{}/out/model.nir", "--check")),
        ("compile", ("{}/out/model.nir", "--input", "{}/x.npz", "-o", "{}/again")),
        ("compile", ("{}/out/model.bimn", "--self-test")),
        ("compile", ("--list", "loihi2")),
        ("report", ("{}/out",)),
    ],
    ids=["check", "run", "self-test", "target", "report"],
)


@CORE
def test_no_command_of_the_core_needs_the_extra(result: Path, entry: str, words: tuple[str, ...]) -> None:
    ended = without(entry, *(word.format(result) for word in words))
    assert (ended.returncode, ended.stderr) == (0, "")


@CORE
def test_no_command_of_the_core_imports_the_extra_where_it_is_installed(
    result: Path, entry: str, words: tuple[str, ...]
) -> None:
    ended = without(entry, *(word.format(result) for word in words), script=WATCHED)
    assert (ended.returncode, ended.stderr) == (0, "imported:\n")


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

"""One compiler of kernels: it keeps machine code where it can, and works where nothing can be kept."""

from __future__ import annotations

import gc
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from commands import ROOT

from bim_neuro import jit

WRAPPERS = (jit.compiled, jit.inlined, jit.vectorised, jit.kernel, jit.part, jit.section, jit.entry)
CALLABLE = (jit.compiled, jit.vectorised, jit.entry)
"""Those whose functions Python may call; the others are for kernels alone."""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A source whose folder cannot be written: a file in the place of __pycache__ stops even root."""
    source = tmp_path / "lib" / "installed.py"
    source.parent.mkdir()
    source.write_text("def one_more(x):\n    return x + 1\n")
    (source.parent / "__pycache__").touch()
    monkeypatch.syspath_prepend(source.parent)  # what numba has kept names the module, and imports it
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    for name in ("XDG_CACHE_HOME", "LOCALAPPDATA", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    jit._warn_uncached.cache_clear()
    return source


def one_more(file: Path) -> Callable[[int], int]:
    """Return the function as a new process has it; nothing of an earlier one is left in this process."""
    gc.collect()
    function: Callable[[int], int] = runpy.run_path(str(file), run_name=file.stem)["one_more"]
    return function


def hits(function: Any) -> int:
    return sum(function.stats.cache_hits.values())


@pytest.mark.parametrize("wrapper", CALLABLE)
def test_kernels_are_kept_for_the_user_where_the_installed_folder_cannot_be_written(
    installed: Path, tmp_path: Path, wrapper: Any
) -> None:
    first, second = (wrapper(one_more(installed)) for _ in range(2))
    assert [first(1), second(1)] == [2, 2]
    assert list((tmp_path / "home").rglob("*.nbi"))
    assert hits(second) == 1


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_kernels_work_where_nothing_can_be_kept(installed: Path, tmp_path: Path, wrapper: Any) -> None:
    (tmp_path / "home").touch()
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        made = wrapper(one_more(installed))
    if wrapper in CALLABLE:
        assert made(1) == 2
    else:
        inner = made

        def outer(x: int) -> int:
            return int(inner(x))

        assert numba.njit(outer)(1) == 2


def test_a_kernel_says_whether_it_needs_the_compiler(installed: Path, tmp_path: Path) -> None:
    fresh = jit.entry(one_more(installed))
    assert not jit.is_kept(fresh)
    fresh(1)
    assert jit.is_kept(fresh)
    assert jit.is_kept(jit.entry(one_more(installed))), "the disk has it"
    [index] = (tmp_path / "home").rglob("*.nbi")
    index.write_bytes(b"half a file")
    assert not jit.is_kept(jit.entry(one_more(installed)))
    assert jit.is_kept(one_more(installed)), "plain Python"


def test_a_cache_that_cannot_be_written_any_more_costs_no_more_than_time(installed: Path, tmp_path: Path) -> None:
    function = jit.entry(one_more(installed))
    home = tmp_path / "home"
    home.rename(tmp_path / "elsewhere")
    home.touch()
    with pytest.warns(RuntimeWarning, match="NUMBA_CACHE_DIR"):
        assert function(1) == 2


@pytest.mark.parametrize("kind", ["*.nbi", "*.nbc"])
@pytest.mark.parametrize("damage", [b"", b"\x80\x04garbage"])
def test_a_damaged_cache_is_compiled_anew(installed: Path, tmp_path: Path, kind: str, damage: bytes) -> None:
    assert jit.entry(one_more(installed))(1) == 2
    for file in (tmp_path / "home").rglob(kind):
        file.write_bytes(damage)
    assert jit.entry(one_more(installed))(1) == 2
    again = jit.entry(one_more(installed))
    assert again(1) == 2
    assert hits(again) == 1, "and kept anew"


def test_an_edit_in_any_file_of_the_folder_drops_what_was_kept(installed: Path) -> None:
    assert jit.entry(one_more(installed))(1) == 2
    (installed.parent / "beside.py").write_text("STEP = 2\n")
    jit._stamp.cache_clear()
    changed = jit.entry(one_more(installed))
    assert changed(1) == 2
    assert hits(changed) == 0


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("command", ["train", "compile"])
def test_the_commands_work_where_numba_cannot_cache(tmp_path: Path, command: str) -> None:
    """No folder at all is left to numba: every kernel of training, or of the engine and the placement, is compiled."""
    train = ("cue", "--rule", "rtrl", "--epochs", "1", "--channels", "4", "--states", "1")
    compiled = (str(ROOT / "examples" / "digits.pt"), "--samples", "1", "-o", "out")
    code = f"""
import sys, warnings
from numba.core import caching
caching.CompileResultCacheImpl._locator_classes = caching.CacheImpl._locator_classes = []
sys.argv[0] = "bim-{command}"
warnings.simplefilter("ignore", RuntimeWarning)
from bim_neuro.cli import {command}_main as main
main()
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("NUMBA")}
    line = [sys.executable, "-c", code, *(train if command == "train" else compiled)]
    ended = subprocess.run(
        line, cwd=tmp_path, env=environment | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=280
    )
    said = [line for line in ended.stderr.splitlines() if not line.startswith("epoch 1 of 1")]
    assert (ended.returncode, said) == (0, [])

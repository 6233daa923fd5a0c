"""What docstrings and pages show in Python runs as it stands, and prints what they say."""

from __future__ import annotations

import doctest
import json
import re
import shutil
from importlib import import_module
from pathlib import Path

import numpy as np
import page_blocks
import pytest
from commands import ROOT, bim_compile

import bim_neuro

PAGES = [ROOT / "README.md", *sorted(set((ROOT / "docs").glob("*.md")) - set(page_blocks.PAGES.values()))]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.M | re.S)


def modules_with_examples() -> list[str]:
    """By name; compilers/ is reached through its link, as users import it."""
    files = [*(ROOT / "bim_neuro").rglob("*.py"), *(ROOT / "bim_neuro" / "compilers").rglob("*.py")]
    found = {file.relative_to(ROOT) for file in files if re.search(r"^ *>>> ", file.read_text(), re.M)}
    return sorted(".".join(file.with_suffix("").parts).removesuffix(".__init__") for file in found)


def blocks() -> list[object]:
    """Every page's Python, in the order of the page, as one program."""
    found = {page.relative_to(ROOT): "\n".join(BLOCK.findall(page.read_text())) for page in PAGES}
    return [
        pytest.param(text, marks=[pytest.mark.lava] if "to_lava(" in text else [], id=str(page))
        for page, text in found.items()
        if text
    ]


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_of_a_docstring_print_what_they_say(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)  # examples/digits.pt
    failed, tried = doctest.testmod(import_module(name), verbose=False)
    assert failed == 0, capsys.readouterr().out
    assert tried > 0


def test_no_example_is_left_out() -> None:
    names = modules_with_examples()
    assert len(names) >= 5
    skipped = [name for name in names if "+SKIP" in Path(import_module(name).__file__ or "").read_text()]
    assert skipped == []


def test_an_example_that_prints_something_else_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    example = doctest.DocTestParser().get_doctest(">>> 1 + 1\n3\n", {}, "wrong", None, None)
    assert doctest.DocTestRunner(verbose=False).run(example).failed == 1
    assert "Expected" in capsys.readouterr().out


@pytest.mark.parametrize("text", blocks())
def test_the_python_of_a_page_runs(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what a reader has: a trained model, recordings, and a program where the page goes on with one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").mkdir()
    for place in ("digits.pt", "examples/digits.pt"):
        shutil.copy(ROOT / "examples" / "digits.pt", tmp_path / place)
    shutil.copy(ROOT / "tests" / "netx_data" / "slayer_dense.net", tmp_path / "trained.net")
    rng = np.random.default_rng(0)
    x = rng.random((3, 8, 8), dtype=np.float32)
    names = {"numpy": np, "x": x, "y": np.arange(3), "x_test": x, "y_test": np.arange(3), "patient": np.arange(3)}
    names |= {"raw": x, "spikes": (x > 0.5).swapaxes(0, 1), "hidden": (x > 0.2).swapaxes(0, 1), "json": json}
    np.savez(tmp_path / "x.npz", x=x, y=np.arange(3))
    if "out/digits" in text:
        assert bim_compile("digits.pt", "--samples", 2, "-o", "out/digits").code == 0
    program = bim_neuro.compile("digits.pt")
    exec(text, names | {"program": program, "line": program.encode(x)[0, 0]})

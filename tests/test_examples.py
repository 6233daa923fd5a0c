"""The examples run as they stand, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import bim_compile

SHORT = {"01_train.py": ["--epochs", "2"]}
EXAMPLES = sorted(path.name for path in (Path(__file__).parent.parent / "examples").glob("0*.py"))


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_example(name: str, root: Path, tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, root / "examples" / name, *SHORT.get(name, [])],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()


@pytest.mark.slow
def test_the_readme_shows_what_the_demo_prints(root: Path, tmp_path: Path) -> None:
    """All lines but Lava's, which would take a minute; CI runs the demo itself."""
    block = (root / "README.md").read_text().split("which prints\n\n```\n")[1].split("```")[0]
    ended = bim_compile(root / "examples/digits.pt", "--target", "loihi2", "--samples", 8, "-o", tmp_path / "out")
    shown = [line for line in block.splitlines() if not line.startswith(("lava: ", "verified "))]
    assert len(shown) >= 12
    assert [line for line in shown if line not in ended.out.splitlines()] == []

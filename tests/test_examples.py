"""The examples run as they stand, in an empty folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

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
        timeout=110,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip()

"""The two first hours as a newcomer walks them: a fresh environment, this package built and installed, every command.

What the package depends on is not downloaded: the new environment sees that of the running one, without what the
extras of the page do not bring.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from commands import ROOT
from page_blocks import PAGES

OTHER_EXTRAS = {"first_hour_ml": (), "first_hour_neuromorphic": ("torch", "matplotlib", "sklearn", "norse")}
"""Packages that a page's `pip install` does not bring, although the running environment may have them."""
LIMIT = 1500
"""Seconds of a walk, which compiles the kernels of the new package; some two minutes where nothing else runs."""


def steps(page: str) -> list[str]:
    """Return the lines a reader types: those of console and sh blocks, and one for the python between two of them."""
    typed: list[str] = []
    python: list[str] = []
    for language, block in re.findall(r"```(console|python|sh)\n(.*?)```", PAGES[page].read_text(), re.DOTALL):
        if language == "python":
            python.append(block)
            continue
        if python:
            typed.append("python - <<'END'\n" + "\n".join(python) + "\nEND")
            python = []
        typed += block.splitlines()
    return typed


def to_report(page: str) -> list[str]:
    """Return the steps up to the first that writes a report."""
    typed = steps(page)
    first = next(place for place, line in enumerate(typed) if line.startswith("bim-compile"))
    return typed[: first + 1]


@pytest.mark.parametrize("page", OTHER_EXTRAS)
def test_it_takes_fewer_than_ten_commands_from_nothing_to_a_report(page: str) -> None:
    typed = to_report(page)
    assert any("pip install '.[" in line for line in typed)
    assert len(typed) < 10


@pytest.mark.slow
@pytest.mark.lava
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize("page", OTHER_EXTRAS)
def test_a_first_hour_begins_with_an_install_and_every_command_of_it_runs(page: str, tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="the package hatchling comes with the dev extra")
    source = tmp_path / "source"
    left = shutil.ignore_patterns(".git", ".venv*", "out*", "site", "tests", "*_cache", "__pycache__")
    shutil.copytree(ROOT, source, symlinks=True, ignore=left)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").symlink_to(Path(sys.executable).resolve())
    seen = source / "env" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    hidden = " ".join(f"{seen}/{name}.py" for name in OTHER_EXTRAS[page])
    lines = ["set -e"]
    for line in steps(page):
        lines.append(line)
        if line.endswith("-m venv env"):
            lines.append(f"echo {sysconfig.get_path('purelib')} > {seen}/running.pth")
            lines.append(f"rm -rf {seen}/setuptools {seen}/setuptools-*")  # older than the one that torch asks for
            lines += [f'for file in {hidden}; do echo "raise ModuleNotFoundError" > $file; done'] if hidden else []
        elif line.startswith("source "):
            lines.append(f"mkdir {tmp_path}/work; cd {tmp_path}/work")  # where the checkout's own package is not seen
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment |= {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0"}
    done = subprocess.run(["bash", "-c", "\n".join(lines)], cwd=source, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert list((tmp_path / "work" / "out").glob("*/report.html"))

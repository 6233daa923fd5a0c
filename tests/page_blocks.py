"""The blocks of the pages "from ..." and "first hour", in their order: python in one namespace, commands and prints.

A block of text names lines, or parts of lines, of what the block before it printed.
"""

from __future__ import annotations

import io
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from commands import ROOT, bim_compile, bim_report

PAGES = {path.stem: path for kind in ("first_hour", "from") for path in sorted((ROOT / "docs").glob(f"{kind}_*.md"))}
RECORDED = ROOT / "tests" / "pages_data"
"""What the first block of each page of a framework writes, for where the framework is not installed."""
FILES = ("net.nir", "io.npz")
_BLOCK = re.compile(r"```(python|sh|text)\n(.*?)```", re.DOTALL)


def framework_of(page: str) -> str | None:
    """Return the framework of a page, None where it needs none."""
    name = page.removeprefix("from_")
    return name if re.search(rf"^(?:import|from) {name}\b", PAGES[page].read_text(), re.MULTILINE) else None


def runs_here(page: str) -> bool:
    """Whether all that a page imports is installed."""
    framework = framework_of(page)
    return framework is None or find_spec(framework) is not None


def run_page(page: str, folder: Path) -> int:
    """Run a page in a folder, which is the working directory; return how many lines of text were found.

    Where its framework is not installed, its python is left out, and the files that it would write are those recorded.
    """
    whole = runs_here(page)
    if not whole:
        for name in FILES:
            shutil.copy(RECORDED / str(framework_of(page)) / name, folder / name)
    space: dict[str, Any] = {"__name__": page}
    printed, found = "", 0
    for language, block in _BLOCK.findall(PAGES[page].read_text()):
        if language == "sh":
            printed = "".join(_command(line) for line in block.splitlines())
        elif language == "python":
            out = io.StringIO()
            with redirect_stdout(out):
                if whole:
                    exec(compile(block, f"{page}.md", "exec"), space)
            printed = out.getvalue()
        elif whole or printed:
            missing = [line for line in block.splitlines() if line not in printed]
            assert missing == [], f"{page}: {missing} not in:\n{printed}"
            found += len(block.splitlines())
    return found


def _command(line: str) -> str:
    program, *arguments = shlex.split(line)
    if program == "python":
        return subprocess.run([sys.executable, *arguments], check=True, capture_output=True, text=True).stdout
    ended = {"bim-compile": bim_compile, "bim-report": bim_report}[program](*arguments)
    assert ended.code == 0, ended.err
    return ended.out

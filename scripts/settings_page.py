"""Write the tables of docs/settings.md, what --list settings of each command prints: python scripts/settings_page.py"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bim_neuro.jobs.settings import COMPILE, SWEEP, TRAIN, Setting  # noqa: E402

FILE = ROOT / "docs" / "settings.md"
TABLES = {"bim-compile": COMPILE, "bim-train": TRAIN, "bim-sweep": SWEEP}
"""Of each heading of the page, its settings."""
HEAD = "| setting | unit | allowed | default | what it does |\n|---|---|---|---|---|\n"


def text() -> str:
    """Return the page, with today's tables; what people wrote around them stays."""
    page = FILE.read_text()
    for heading, settings in TABLES.items():
        table = HEAD + "".join(map(row, settings))
        page, found = re.subn(
            rf"(?<=^## {heading}\n\n)\|.*?\n(?=\n)", lambda _, new=table: new, page, flags=re.M | re.S
        )
        if found != 1:
            raise SystemExit(f"{FILE.name} has no table below the heading '## {heading}'")
    return page


def row(setting: Setting) -> str:
    """Return the line of a setting."""
    cells = [f"`{setting.name}`", setting.unit, setting.range, setting.shown_default, setting.sentence]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    FILE.write_text(text())

"""Write the words of docs/README.md from those of the report's pages: python scripts/glossary.py"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bim_neuro.report.glossary import COLUMNS, WORDS  # noqa: E402

FILE = ROOT / "docs" / "README.md"
TABLES = {"word": WORDS, "column": COLUMNS}
"""Of the first head of each table, its words."""


def text() -> str:
    """Return the page, with today's words; what people wrote around them stays."""
    page = FILE.read_text()
    for head, words in TABLES.items():
        start = f"| {head} | meaning |\n|---|---|\n"
        table = rows(words)
        page, found = re.subn(rf"(?<={re.escape(start)})(?:\|.*\n)*", lambda _, new=table: new, page)
        if found != 1:
            raise SystemExit(f"{FILE.name} has no table with the head '{head}'")
    return page


def rows(words: Mapping[str, str]) -> str:
    """Return a line for each word."""
    return "".join(f"| {word} | {meaning} |\n" for word, meaning in words.items())


if __name__ == "__main__":
    FILE.write_text(text())

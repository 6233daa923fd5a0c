"""The pages: every file that one names is there, every link leads somewhere, and the index lists them all."""

from __future__ import annotations

import re

import pytest
from commands import ROOT

from bim_neuro import __version__

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])
HISTORY = "CHANGELOG.md"  # speaks of files that were
FILE = re.compile(r"\b(?:bim_neuro|compilers|hardware_profiles|tests|benchmarks|scripts|examples)/[\w./-]*\w")
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: object) -> None:
    path = ROOT / str(page)
    text = path.read_text()
    named = {name.rstrip("./") for name in FILE.findall(text)} if path.name != HISTORY else set()
    assert [name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()] == []
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md" and p.name not in index] == []


@pytest.mark.parametrize(
    ("file", "name"),
    re.findall(r"`([\w/]+\.py)`, `(\w+)`", (ROOT / "docs" / "README.md").read_text()),
)
def test_what_the_index_says_is_done_in_a_file_is_defined_there(file: str, name: str) -> None:
    assert re.search(rf"^(?:def|class) {name}\b", (ROOT / file).read_text(), re.M)


def test_the_citation_names_this_version() -> None:
    assert f"version: {__version__}\n" in (ROOT / "CITATION.cff").read_text()

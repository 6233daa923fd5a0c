"""The pages: every file that one names is there, every link leads somewhere, and the index lists them all."""

from __future__ import annotations

import re

import pytest
from commands import ROOT

from bim_neuro import __version__

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "examples").glob("*.md")])
ROOMS = ("bim_neuro", "compilers", "tests", "benchmarks", "scripts", "examples")
HISTORY = "CHANGELOG.md"  # speaks of files that were
FILE = re.compile(r"\b(?:bim_neuro|compilers|hardware_profiles|tests|benchmarks|scripts|examples)/[\w./-]*\w")
SHORT = re.compile(r"`([a-z_]+(?:/[a-z_]+)*\.py)`")  # of a room that the page speaks of: `kernels/run.py`
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_is_there(page: object) -> None:
    path = ROOT / str(page)
    text = path.read_text()
    named = {name.rstrip("./") for name in FILE.findall(text)} if path.name != HISTORY else set()
    assert [name for name in sorted(named) if not (ROOT / name).exists() and not (ROOT / f"{name}.py").exists()] == []
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_from_its_room_is_there(page: object) -> None:
    path = ROOT / str(page)
    code = [f"/{file.relative_to(ROOT)}" for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    named = set(SHORT.findall(path.read_text())) - {"nodes/my_node.py"} if path.name != HISTORY else set()
    assert [name for name in sorted(named) if not any(file.endswith(f"/{name}") for file in code)] == []


def test_the_index_lists_every_page_once() -> None:
    text = (ROOT / "docs" / "README.md").read_text()
    rows = re.findall(r"^\| \[(.+\.md)\]\(\1\) \|", text, re.M)
    assert len(rows) > 10
    assert sorted(rows) == sorted(set(rows))


def test_the_index_lists_every_page() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md" and p.name not in index] == []


@pytest.mark.parametrize(
    ("file", "name"),
    re.findall(r"`([\w/]+\.py)`, `(\w+)`", (ROOT / "docs" / "README.md").read_text()),
)
def test_what_the_index_says_is_done_in_a_file_is_defined_there(file: str, name: str) -> None:
    assert re.search(rf"^(?:def|class) {name}\b", (ROOT / file).read_text(), re.M)


def test_what_the_page_on_nodes_names_in_a_file_is_defined_there() -> None:
    text = " ".join((ROOT / "docs" / "adding_a_node.md").read_text().split())
    named = re.findall(r"`(\w+)`(?: and `(\w+)`)? in `([\w/]+\.py)`", text)
    assert len(named) > 10
    for *names, file in named:
        for name in filter(None, names):
            assert re.search(rf"^ *(?:def {name}\b|{name}\b.* = )", (ROOT / file).read_text(), re.M), f"{file}: {name}"


def test_the_citation_and_the_newest_release_of_the_changelog_name_this_version_and_one_day() -> None:
    releases = re.findall(r"^## (?!Unreleased$)(\S+) - (\d{4}-\d\d-\d\d)$", (ROOT / HISTORY).read_text(), re.M)
    cited = (ROOT / "CITATION.cff").read_text()
    version, day = releases[0]
    assert version == __version__
    assert f"\nversion: {version}\ndate-released: {day}\n" in cited


def test_a_build_takes_its_version_from_the_package() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in text
    assert '[tool.hatch.version]\npath = "bim_neuro/_version.py"\n' in text

"""Every column head of every page is a word of the glossary, and the docs hold the same words."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from browsers import Open, Visit
from commands import ROOT
from pages import PAGES

from bim_neuro.report.compare import ROWS
from bim_neuro.report.glossary import COLUMNS, WORDS
from bim_neuro.sweep.objectives import OBJECTIVES

ASSETS = ROOT / "bim_neuro" / "report" / "html" / "assets"
HEAD = re.compile(
    r'\bhead: (?P<head>"[^"]+"|`[^`]+`|[\w.()\[\]]+)(?:, text: true)?(?:, word: (?P<word>"[^"]+"|[\w.()]+))?'
)
MATRIX = re.compile(r'\bhead\("([^"]+)"')

TIED = """() => [...document.querySelectorAll("thead th")].flatMap((head) => {
    const place = head.matches("[aria-describedby]") ? head : head.querySelector("[aria-describedby]");
    const said = place && document.getElementById(place.getAttribute("aria-describedby"));
    return [[head.textContent, said ? said.textContent : null, Boolean(place) && place.matches("[data-tip]")]];
})"""


def words_of_pages(resources: set[str]) -> set[str]:
    """Collect what the scripts of the pages call their columns; a head that is computed is one of a list here."""
    computed = {
        "words(name)": resources,
        "one.word": {one.word for one in OBJECTIVES.values()},
        "row.label": {row.label for row in ROWS},
        "capital(end)": {"low", "value", "high"},
        "capital(ROW)": {"run", "trial"},
    }
    found = {word for file in ASSETS.glob("*.js") for word in MATRIX.findall(file.read_text())}
    for file in ASSETS.glob("*.js"):
        for match in HEAD.finditer(file.read_text()):
            said = match["word"] or match["head"]
            found |= {said.strip('"').lower()} if said.startswith('"') else computed[said]
    return found


def test_every_head_is_a_word_of_the_glossary_and_every_column_word_is_a_head(files: dict[str, Any]) -> None:
    resources = {name.replace("_", " ") for name in files["mapping"]["cores"][0]["resources"]}
    assert words_of_pages(resources) == set(COLUMNS)
    assert list(COLUMNS) == sorted(COLUMNS)
    assert set(COLUMNS).isdisjoint(WORDS)


def test_the_words_of_the_docs_are_those_of_the_pages() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "glossary.py"))
    assert script["text"]() == (ROOT / "docs" / "README.md").read_text(), "run python scripts/glossary.py"
    assert all(f"| {word} | {meaning} |" in script["text"]() for word, meaning in {**COLUMNS, **WORDS}.items())


@pytest.mark.browser
@pytest.mark.parametrize("name", PAGES)
def test_every_head_of_every_table_leads_to_its_meaning(visit: Open, name: str) -> None:
    heads = visit(name).page.evaluate(TIED)
    assert len(heads) > 2
    meanings = {meaning.replace("`", "") for meaning in COLUMNS.values()}
    assert [head for head, meaning, tip in heads if meaning not in meanings or not tip] == []


@pytest.mark.browser
def test_a_head_that_is_no_word_is_told_on_the_console(chromium: Any, pages: Path) -> None:
    visit = Visit(chromium, pages / "loihi2.html")
    visit.page.evaluate("document.body.append(table('x', [{ head: 'Nonsense', value: () => 1 }], [1]))")
    assert visit.troubles == ["console warning: 'nonsense' is not in the glossary"]
    assert ["Nonsense", None, False] in visit.page.evaluate(TIED)
    visit.page.close()


@pytest.mark.browser
def test_a_meaning_is_shown_to_the_pointer_and_the_keyboard_and_listed_once(visit: Open) -> None:
    page = visit("loihi2").page
    page.locator("#layers thead button", has_text="Silent").hover()
    assert COLUMNS["silent"] in page.get_by_role("tooltip").inner_text().lower()
    page.locator("#layers thead button", has_text="Neurons").focus()
    page.keyboard.press("Tab")
    assert COLUMNS["synapses"] in page.get_by_role("tooltip").inner_text().lower()
    assert not page.locator("#words dt").first.is_visible()
    page.locator("#words summary").click()
    listed = page.locator("#words dt").all_inner_texts()
    assert {"layer", "synops", "law"} <= set(listed)
    assert len(listed) == len(set(listed))

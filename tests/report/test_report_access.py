"""The HTML report for every reader: no barrier that axe knows, both themes, on paper, and without scripts."""

from __future__ import annotations

import io
import unicodedata
from typing import Any

import pytest
from browsers import AXE, Open
from pages import PAGES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", [name for name in PAGES if name not in ("cores", "board", "hostile")])
def test_axe_finds_no_barrier(visit: Open, name: str, theme: str) -> None:
    if not AXE.is_file():
        pytest.skip("axe-core is not here: make browser installs it, where npm is")
    page = visit(name, color_scheme=theme).page
    page.evaluate(AXE.read_text())
    look = "async () => (await axe.run()).violations.map((one) => [one.id, one.nodes.map((node) => node.html)])"
    assert page.evaluate(look) == []
    page.evaluate("document.querySelector('h1').remove(); document.querySelector('button').textContent = ''")
    assert {"button-name", "page-has-heading-one"} & {rule for rule, _ in page.evaluate(look)}  # it does look


def test_on_paper_no_table_is_cut(visit: Open) -> None:
    page = visit("loihi2").page
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    shown = "[...document.querySelectorAll('table')].filter((t) => t.offsetParent)"
    ends = page.evaluate(f"{shown}.map((t) => t.getBoundingClientRect().right)")
    wide = [end for end in ends if end > 719]
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


@pytest.mark.parametrize("name", ["loihi2", "learnt", "maps", "refused", "eight"])
def test_the_pdf_has_every_table_whole(visit: Open, name: str) -> None:
    pypdf = pytest.importorskip("pypdf", reason="comes with the browser extra")
    page = visit(name, color_scheme="dark").page
    heads = page.locator("table:visible thead").all_inner_texts()
    drawn = page.pdf(format="A4", print_background=True, margin=dict.fromkeys(("left", "right"), "12mm"))
    text, room = "", list[float]()
    for sheet in pypdf.PdfReader(io.BytesIO(drawn)).pages:

        def note(said: str, matrix: Any, own: Any, font: Any, size: Any, width: float = sheet.mediabox.right) -> None:
            if said.strip():
                room.append(width - (matrix[0] * own[4] + matrix[2] * own[5] + matrix[4]))

        text += sheet.extract_text(visitor_text=note)
    assert min(room) > 0
    printed = "".join(unicodedata.normalize("NFKC", text).split())  # letters that the font joins
    meanings = page.locator("#words dd").all_text_contents()  # folded on the screen
    words = {word for text in (*heads, *meanings) for word in text.split()}  # two lines stand among their neighbours
    assert len(words) > 5
    assert {word for word in words if word not in printed} == set()


def background(page: Any) -> int:
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return int(colour.removeprefix("rgb(").split(",")[0])


def test_the_theme_follows_the_system_until_the_reader_chooses(visit: Open) -> None:
    page = visit("loihi2", color_scheme="dark").page
    assert background(page) < 64
    page.get_by_role("button", name="Switch to the light theme").click()
    assert background(page) > 192
    page.get_by_role("button", name="Switch to the dark theme").click()
    assert background(page) < 64


def test_paper_is_light_and_bare_and_motion_can_be_reduced(visit: Open) -> None:
    page = visit("loihi2", color_scheme="dark", reduced_motion="reduce").page
    assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
    page.emulate_media(media="print")
    assert background(page) == 255
    assert not page.locator(".bar").is_visible()


def test_without_scripts_the_report_is_there_as_text(visit: Open) -> None:
    page = visit("loihi2", java_script_enabled=False).page
    assert "block1.scan" in page.locator("noscript pre").inner_text()

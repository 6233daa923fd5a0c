"""The HTML report: one inert file that opens offline, of small models and huge ones, and made again from its folder."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_report
from hypothesis import given
from hypothesis import strategies as st
from pages import CORES_A_CHIP, data_of, hostile, html_of, many_cores, many_layers

from bim_neuro.report.formats import FORMAT_LAYERS
from bim_neuro.report.html.compact import compact, widened
from bim_neuro.report.html.page import inert
from bim_neuro.report.neurons import NEURON_TEXT
from bim_neuro.report.rasters import RASTER_TEXT

ASSETS = Path(__file__).resolve().parents[2] / "bim_neuro" / "report" / "html" / "assets"


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and what stands in the data element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._in_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data


def test_the_page_asks_the_network_for_nothing(out: Path) -> None:
    page = (out / "a" / "report.html").read_text()
    addresses = {attributes[key] for _, attributes in Tags(page).found for key in ("src", "href") if key in attributes}
    assert addresses == {"data:,"}
    assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in page


def test_names_from_a_file_stay_text(files: dict[str, Any]) -> None:
    name = "</script><img src=x onerror=alert(1)><!--"
    page = Tags(html_of(hostile(files, name)))
    assert [tag for tag, _ in page.found if tag in ("script", "img")] == ["script", "script"]
    assert widened(json.loads(page.data))["summary"]["layers"][0]["name"] == name


def test_inert_json_reads_back_and_knows_no_infinity() -> None:
    data = {"a": ["<!--", "]]>", "&amp;", "\u2028", "</SCRIPT >"], "b": 1.5}
    text = inert(data | {"limit": float("inf"), "rates": [float("nan")]})
    assert not set("<>&\u2028") & set(text)
    seen = {"a": ["<!--", "]]>", "&amp;", "\\u2028", "</SCRIPT >"], "b": 1.5}  # what would not show is an escape
    assert json.loads(text) == seen | {"limit": None, "rates": [None]}


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["=", "==", "a", "b"]), inner)
    | st.builds(lambda a, b: [{"=": a, "n": b}, {"=": b, "n": a}], inner, inner),
    max_leaves=20,
))  # fmt: skip
def test_the_data_of_a_page_are_read_as_they_were(data: Any) -> None:
    assert widened(json.loads(json.dumps(compact(data)))) == data


def test_a_thousand_layers_on_a_board_of_chips_stay_a_small_page_that_says_what_it_lacks(files: dict[str, Any]) -> None:
    page = html_of(many_cores(many_layers(files, 1000), 1152 * CORES_A_CHIP))
    data = data_of(page)
    assert len(page) < 2_000_000
    assert (len(data["summary"]["layers"]), len(data["cores"]), len(data["chips"])) == (300, 200, 1152)
    assert data["left_out"]["layers"].startswith("The 300 layers that cost most, of 1,00")
    assert data["left_out"]["cores"].startswith("The 200 fullest cores, of 138,240")


def test_a_page_of_a_thousand_full_cores_is_small(files: dict[str, Any]) -> None:
    made = many_cores(many_layers(files, 100), 1100)
    made["series"] |= {"flows": [[core, core // 2, 1.5] for core in range(20_000)], "links": made["series"]["flows"]}
    made["series"]["raster"]["samples"] = made["series"]["raster"]["samples"][:1]
    made["series"]["raster"]["samples"][0]["cells"]["readout"] = "A" * RASTER_TEXT
    shown = made["series"]["neurons"]["layers"]["readout"]["shown"]
    shown[:] = [shown[0] | {"signals": [shown[0]["signals"][0] | {"float": "A" * NEURON_TEXT}]}]
    made["series"]["formats"] = {f"block{at}.u": made["series"]["formats"]["readout"] for at in range(FORMAT_LAYERS)}
    page = html_of(made)
    assert len(page.encode()) < 400_000
    assert data_of(page)["left_out"]["flows"].startswith("The 2,000 pairs of cores")


def test_a_report_is_made_again_from_its_folder(out: Path, tmp_path: Path) -> None:
    assert bim_report(out / "a", "-o", tmp_path / "again.html").code == 0
    assert (tmp_path / "again.html").read_text() == (out / "a" / "report.html").read_text()


@pytest.mark.parametrize(("name", "content", "says"), [
    ("series.json", None, "no such file"),
    ("mapping.json", "{", "damaged"),
    ("series.json", "[1]", "damaged"),
])  # fmt: skip
def test_a_folder_that_lost_a_file_is_refused_by_name(
    out: Path, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    for file in (out / "a").glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    ended = bim_report(tmp_path, "-o", tmp_path / "page.html")
    assert ended.code == 2
    assert says in ended.err
    assert not (tmp_path / "page.html").exists()


def luminance(colour: str) -> float:
    """Return the relative luminance of '#rrggbb' (WCAG 2.2)."""
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_what_they_stand_on(theme: int) -> None:
    pairs = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", (ASSETS / "page.css").read_text())
    colours = {name: pair[theme] for name, *pair in pairs}
    grounds = ("card", "ground", "grid")
    text = {(ink, on): contrast(colours[ink], colours[on]) for ink in ("ink", "soft") for on in grounds}
    assert {pair: ratio for pair, ratio in text.items() if ratio < 4.5} == {}
    names = [name for name in colours if re.fullmatch(r"c\d|accent|quiet", name)]
    marks = {name: contrast(colours[name], colours["card"]) for name in names}
    assert len(marks) == 8
    assert {name: ratio for name, ratio in marks.items() if ratio < 3} == {}


def test_sizes_of_text_and_spaces_are_those_of_one_table() -> None:
    css = (ASSETS / "page.css").read_text()
    table, rules = css.split("* { box-sizing", 1)
    sizes = re.findall(r"(?:font-size|font): ([^;}]+)", rules)
    assert [size for size in sizes if not re.match(r"var\(--\w+\)|inherit", size)] == []
    spaces = re.findall(r"(?<!scroll-)\b(?:row-gap|column-gap|gap|padding|margin)[a-z-]*: ([^;}]+)", rules)
    assert len(spaces) > 80
    fixed = [space for space in spaces if "px" in space and "max(" not in space]  # but for the width of the page
    assert fixed == []
    named = set(re.findall(r"var\(--([\w-]+)\)", rules))
    assert named - {"colour", "share", "hue", "tiles", "natural", "shadow"} <= set(re.findall(r"--([\w-]+):", table))

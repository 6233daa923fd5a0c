"""The HTML report in a real headless browser: it opens offline, sorts, shows tips, and follows the theme."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import Visit, browser
from commands import bim_compile, bim_report, save_input, save_model
from pages import CORES_A_CHIP, expected, hostile, html_of, learnt, many_cores, many_layers

pytestmark = pytest.mark.browser

HOSTILE = '</script><img src=x onerror="document.title=1"><b>'

Open = Callable[..., Visit]


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    try:
        with browser() as found:
            yield found
    except LookupError as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of a small compile, of its simulation, of hostile names, of large models, and a comparison."""
    folder = tmp_path_factory.mktemp("pages")
    model, samples = save_model(folder / "small.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)
    for target in ("loihi2", "lava_cpu"):
        options = ("--target", target, "--verify", "reference", "-o", folder / target)
        assert bim_compile(model, "--input", samples, *options).code == 0
        (folder / f"{target}.html").write_text((folder / target / "report.html").read_text())
    refused = bim_compile(model, "--input", samples, "--target", "loihi1", "-o", folder / "loihi1")
    assert refused.code == 1
    (folder / "refused.html").write_text((folder / "loihi1" / "report.html").read_text())
    names = ("summary", "mapping", "series")
    files = {name: json.loads((folder / "loihi2" / f"{name}.json").read_text()) for name in names}
    (folder / "hostile.html").write_text(html_of(hostile(files, HOSTILE)))
    (folder / "learnt.html").write_text(html_of(learnt(files)))
    (folder / "expected.html").write_text(html_of(expected(files)))
    (folder / "cores.html").write_text(html_of(many_cores(many_layers(files, 200), 1100)))
    (folder / "board.html").write_text(html_of(many_cores(many_layers(files, 1000), 1152 * CORES_A_CHIP)))
    compare = bim_report("compare", folder / "loihi2", folder / "lava_cpu", "-o", folder / "compare.html")
    assert compare.code == 0
    twelve = bim_report("compare", *[folder / "loihi2", folder / "lava_cpu"] * 6, "-o", folder / "twelve.html")
    assert twelve.code == 0
    return folder


@pytest.fixture
def visit(chromium: Any, pages: Path) -> Iterator[Open]:
    """Open a page by its name; afterwards nothing may have been logged, thrown or asked for."""
    visits: list[Visit] = []

    def open_page(name: str, **options: Any) -> Visit:
        visits.append(Visit(chromium, pages / f"{name}.html", **options))
        return visits[-1]

    yield open_page
    for one in visits:
        one.page.close()
    assert [trouble for one in visits for trouble in one.troubles] == []


@pytest.mark.parametrize(
    "name", ["loihi2", "lava_cpu", "hostile", "learnt", "cores", "board", "compare", "twelve", "refused"]
)
@pytest.mark.parametrize("width", [1280, 390])
def test_every_page_opens_without_a_complaint_and_fits_the_screen(visit: Open, name: str, width: int) -> None:
    page = visit(name, color_scheme="dark").page
    page.set_viewport_size({"width": width, "height": 900})
    assert page.locator("h1").count() == 1
    assert page.locator("section").count() >= 3
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_charts_are_there(visit: Open) -> None:
    page = visit("loihi2").page
    headings = page.locator("h3").all_inner_texts()
    wanted = {
        *("By layer", "By kind of event", "Work by layer", "Core map", "Memory of the fullest cores", "Every core"),
        *("Activity over time", "Silence and zero weights", "Spikes, float and integer", "Verified on reference"),
    }
    assert wanted <= set(headings)
    assert page.locator("#energy .row[data-tip]").count() >= 6
    assert page.locator(".map .core[data-tip]").count() == page.locator("#chip tbody tr").count()
    assert page.locator(".marks:not([aria-label])").count() == 0
    assert page.locator("svg[role=img]:not([aria-label])").count() == 0


def test_a_recording_is_shown_with_its_first_bin_and_the_dialects_that_fit(visit: Open) -> None:
    said = visit("expected").page.locator("#expect").inner_text()
    assert "7 bins differ. No bin differs under snntorch, reset=zero." in said
    assert "sample 1, step 37, neuron 4" in said
    assert "The recording does not decide: compare (> or >=)." in said


def test_a_refusal_shows_by_how_much_and_where_it_fits(visit: Open) -> None:
    page = visit("refused").page
    assert "does not fit loihi1" in page.locator("h1").inner_text()
    row = page.locator(".row[data-tip]", has_text="block1.u").first
    assert row.inner_text().split("\n")[1:] == ["16×", "16 of 1"]
    assert page.locator("#targets tbody tr", has_text="loihi2").inner_text().split()[1] == "yes"


def test_a_name_that_is_markup_is_shown_and_does_nothing(visit: Open) -> None:
    page = visit("hostile").page
    assert page.locator(".row-label", has_text=HOSTILE).count() >= 1
    assert page.locator("img").count() == 0
    assert page.title() != "1"


def test_a_table_sorts_by_the_column_that_is_clicked(visit: Open) -> None:
    page = visit("loihi2").page
    head = page.locator("#layers thead th", has_text="Synapses")
    position = page.locator("#layers thead th").all_inner_texts().index("Synapses")

    def column() -> list[int]:
        cells = page.locator(f"#layers tbody tr > :nth-child({position + 1})").all_inner_texts()
        return [int(cell.replace(",", "")) for cell in cells]

    unsorted = column()
    head.get_by_role("button").click()
    assert (head.get_attribute("aria-sort"), column()) == ("descending", sorted(unsorted, reverse=True))
    head.get_by_role("button").press("Enter")
    assert (head.get_attribute("aria-sort"), column()) == ("ascending", sorted(unsorted))
    assert page.locator("#layers [aria-sort=ascending], #layers [aria-sort=descending]").count() == 1


def test_a_mark_tells_its_numbers_to_the_pointer_and_to_the_keyboard(visit: Open) -> None:
    page = visit("loihi2").page
    tip = page.get_by_role("tooltip")
    assert tip.count() == 0
    page.locator("#energy .row[data-tip]").first.hover()
    assert "synaptic operations" in tip.inner_text()
    page.mouse.move(0, 0)
    page.keyboard.press("Escape")
    assert tip.count() == 0
    chart = page.locator("#energy .marks").first
    chart.focus()
    page.keyboard.press("ArrowDown")
    second = page.locator("#energy .row[data-tip] .row-label").nth(1).inner_text()
    assert tip.inner_text().startswith(second)
    assert page.locator("body > [aria-live]").inner_text().startswith(second)


def test_a_core_shows_where_it_sends_and_the_map_shows_traffic(visit: Open) -> None:
    page = visit("cores").page
    page.locator(".map .core[data-tip]").nth(3).hover()
    assert page.locator(".arcs path").count() == 1
    before = page.locator(".map .core[data-tip]").first.evaluate("core => core.style.fill")
    page.get_by_role("button", name="Traffic").click()
    assert page.locator(".map .core[data-tip]").first.evaluate("core => core.style.fill") != before
    assert page.locator(".map .core[data-tip]").count() == 1100


def test_learning_is_shown_where_there_was_any(visit: Open) -> None:
    page = visit("learnt").page
    assert page.locator(".tile", has_text="Can it learn?").inner_text().split("\n")[1].endswith("25.0 % to 75.0 %")
    assert page.locator("#learning .rows .row[data-tip]").count() == 4
    page.locator("#learning .hits rect").nth(2).hover()
    assert "60.00 %" in page.get_by_role("tooltip").inner_text()
    assert visit("loihi2").page.locator("#learning").count() == 0


def test_the_program_is_drawn_with_its_edges_and_shows_which_cores_hold_a_layer(visit: Open) -> None:
    page = visit("loihi2").page
    assert page.locator(".network .node").count() == 1 + page.locator("#layers tbody tr").count()
    assert (
        page.locator(".network .edge").count() == page.locator("#program details >> nth=0").locator("tbody tr").count()
    )
    page.locator(".node[data-layer='block1.scan']").hover()
    assert page.locator(".chip-picture .lit").count() >= 1
    assert "energy a sample" in page.get_by_role("tooltip").inner_text()


LIT = """canvas => {
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return data.filter((value, at) => at % 4 === 3 && value > 0).length;
}"""


def test_a_sample_is_chosen_by_its_class_and_drawn_cell_by_cell(visit: Open, pages: Path) -> None:
    page = visit("loihi2").page
    series = json.loads((pages / "loihi2" / "series.json").read_text())
    layers = list(series["raster"]["layers"])
    page.get_by_label("Class", exact=True).select_option("c")
    chosen = next(one for one in series["raster"]["samples"] if one["label"] == "c")
    assert f"Sample {chosen['sample']}" in page.locator("#program [aria-live]").inner_text()
    sent = np.unpackbits(np.frombuffer(b64decode(chosen["cells"]["block1.lif"]), np.uint8)).sum()
    canvas = page.locator(".lanes canvas").nth(layers.index("block1.lif"))
    assert canvas.evaluate(LIT) == sent
    page.locator(".lane-hits rect").first.hover()
    assert "send" in page.get_by_role("tooltip").inner_text()


def test_the_raster_keeps_its_hues_in_the_other_theme(visit: Open) -> None:
    page = visit("loihi2", color_scheme="dark").page
    colour = "canvas => canvas.toDataURL()"
    readout = page.locator(".lanes canvas").nth(1)
    before = readout.evaluate(colour)
    page.get_by_role("button", name="Switch to the light theme").click()
    assert readout.evaluate(colour) != before


def test_the_page_says_what_made_it_and_what_was_not_asked(visit: Open, pages: Path) -> None:
    page = visit("loihi2").page
    summary = json.loads((pages / "loihi2" / "summary.json").read_text())
    said = page.locator(".provenance").inner_text()
    for words in (summary["bim_neuro"], summary["request"]["hashes"]["model"][:12], "numpy", "verify reference"):
        assert words in said
    assert json.loads((pages / "loihi2" / "series.json").read_text())["date"][:10] in said
    assert page.locator(".unasked").inner_text() == "Not asked: learning on the chip --learn."
    assert page.locator(".tile", has_text="Can it learn?").count() == 0


BARS = """values => {
    const rows = values.map((value) => ({ label: "x", parts: [[value, "red"]], range: null, text: "", tip: {} }));
    const drawn = rangeBars("x", rows, String);
    return [...drawn.querySelectorAll("circle")].map((mark) => parseFloat(mark.getAttribute("cx")));
}"""


def test_one_bar_that_dwarfs_the_rest_makes_the_axis_logarithmic(visit: Open) -> None:
    page = visit("loihi2").page
    assert page.evaluate(BARS, [1, 40]) == []
    assert page.evaluate(BARS, [1, 10, 10_000]) == [0, 25, 100]


def test_on_paper_no_table_is_cut(visit: Open) -> None:
    page = visit("loihi2").page
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 within its margins
    page.emulate_media(media="print")
    shown = "[...document.querySelectorAll('table')].filter((t) => t.offsetParent)"
    ends = page.evaluate(f"{shown}.map((t) => t.getBoundingClientRect().right)")
    wide = [end for end in ends if end > 719]
    assert wide == []
    assert page.evaluate("document.documentElement.scrollWidth") <= 718


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

"""The HTML report in a real headless browser: it opens offline, sorts, shows tips, draws what was picked."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from browsers import Open
from pages import HOSTILE, PAGES

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_without_a_complaint_and_fits_the_screen(visit: Open, name: str) -> None:
    page = visit(name, color_scheme="dark").page
    assert page.locator("h1").count() == 1
    assert page.locator("section").count() >= 3
    for width in (390, 1280, 1920):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_page_of_a_thousand_cores_is_drawn(visit: Open, capsys: pytest.CaptureFixture[str]) -> None:
    page = visit("cores").page
    size = page.evaluate("document.documentElement.outerHTML.length")
    timing = page.evaluate("performance.getEntriesByType('navigation')[0].domContentLoadedEventEnd")
    assert page.locator(".map .core[data-tip]").count() == 1100
    with capsys.disabled():
        sys.stdout.write(f"\n1,100 cores, 200 layers: drawn in {timing:.0f} ms, {size:,} characters of DOM\n")


def test_a_dead_net_says_so_first(visit: Open) -> None:
    page = visit("dead").page
    said = page.locator(".tile", has_text="Dead, saturated, clipped?").inner_text()
    assert "2 dead layers" in said
    assert "hidden, out" in said
    assert page.locator("#findings li", has_text="dead-layer").count() == 2


def test_feature_maps_are_drawn_a_picture_a_channel(visit: Open) -> None:
    page = visit("maps").page
    page.locator(".layer-pick", has_text="conv1").click()
    assert page.locator(".pictures .picture").count() == 4
    assert page.locator(".lanes canvas").count() == 4  # input, two maps, output


def test_of_a_chip_the_tiles_around_the_cores_in_use_are_drawn_and_the_free_ones_counted(visit: Open) -> None:
    page = visit("few").page  # 30 cores in rows of 8
    for picture, drawn in ((".map", 32), (".chip-picture", 30)):
        view = [float(value) for value in str(page.locator(picture).get_attribute("viewBox")).split()]
        assert page.locator(f"{picture} rect.core").count() == drawn
        places = "all => all.map((one) => [one.x, one.y].map((at) => at.baseVal.value))"
        inside = page.locator(f"{picture} rect.core[data-tip]").evaluate_all(places)
        assert len(inside) == 30
        assert all(0 <= x - view[0] <= view[2] and 0 <= y - view[1] <= view[3] for x, y in inside)
        assert view[2] < 10
        assert view[3] < 6
    assert page.locator("#chip, #program").filter(has_text="88 free cores are not drawn.").count() == 2
    whole = visit("cores").page  # several chips are drawn whole
    assert whole.locator(".map rect.core").count() == 1200
    assert "free core" not in whole.locator("#chip").inner_text()


def test_a_program_of_one_core_has_no_map_of_it(visit: Open) -> None:
    page = visit("loihi2").page
    assert page.locator(".chip-picture .core").count() == 1
    assert "119 free cores are not drawn." in page.locator("#program").inner_text()
    assert page.locator(".map").count() == 0
    assert "One core is in use, of 120." in page.locator("#chip").inner_text()


def test_the_page_of_runs_says_runs_and_has_their_figures_before_their_settings(visit: Open) -> None:
    page = visit("runs").page
    said = page.locator("body").inner_text().lower()
    assert "2 runs" in said
    assert "trial" not in said
    heads = page.locator("#runs thead th").all_inner_texts()
    assert heads[:5] == ["Run", "Task", "Validation score", "Parameters", "Seconds of training"]
    assert {"rule", "Validation error"} & set(heads) == {"rule"}  # no run has an error
    assert page.locator("#fronts .card").count() == 3


def test_the_charts_are_there(visit: Open) -> None:
    page = visit("loihi2").page
    headings = page.locator("h3").all_inner_texts()
    wanted = {
        *("By layer", "By kind of event", "Work by layer", "Memory of the core", "Placement", "Every core"),
        *("Activity over time", "Silence and zero weights", "Spikes, float and integer", "Verified on reference"),
    }
    assert wanted <= set(headings)
    assert page.locator("#energy .row[data-tip]").count() >= 6
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
    ring, dot = (page.locator(f".axes .{mark}").bounding_box() for mark in ("ring", "dot"))
    assert ring is not None
    assert dot is not None
    middles = [(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2) for box in (ring, dot)]
    width, height = middles[1][0] - middles[0][0], middles[0][1] - middles[1][1]
    assert width / height == pytest.approx((0.85 - 0.9) / (0.75 - 0.25), rel=0.05)  # old task over new
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


def test_a_neuron_is_picked_and_drawn_in_its_range(visit: Open, pages: Path) -> None:
    page = visit("loihi2").page
    shown = json.loads((pages / "loihi2" / "series.json").read_text())["neurons"]["layers"]
    box = page.locator(".card", has=page.get_by_role("heading", name="One neuron, float and integer"))
    box.get_by_label("Layer", exact=True).select_option("readout")
    assert box.locator(".lines path.of-integer").count() == len(shown["readout"]["signals"]) == 1
    last = shown["readout"]["shown"][-1]
    box.get_by_label("Neuron", exact=True).select_option(f"neuron {last['neuron']} (nearest)")
    words = np.frombuffer(b64decode(last["signals"][0]["integer"]), ">i2") * last["signals"][0]["step"]
    box.locator(".hits rect").nth(2).hover()
    said = page.get_by_role("tooltip").inner_text()
    assert float(said.split("integer\n")[1].split("\n")[0].replace(",", "")) == pytest.approx(words[2], rel=5e-3)
    assert box.locator(".lines .limit").count() == 0
    box.get_by_role("button", name="Whole range").click()
    assert box.locator(".lines .limit").count() == 2


def test_the_histograms_are_of_the_layer_that_is_picked(visit: Open, pages: Path) -> None:
    page = visit("loihi2").page
    formats = json.loads((pages / "loihi2" / "series.json").read_text())["formats"]
    box = page.locator(".card", has=page.get_by_role("heading", name="Weights, states and messages in their formats"))
    box.get_by_label("Layer of the formats").select_option("block1.lif")
    assert box.locator("h4").all_inner_texts() == ["current u", "membrane v"]
    box.get_by_label("Layer of the formats").select_option("readout")
    bars = box.locator(".histogram").first.locator("[data-tip]")
    assert bars.count() == len(formats["readout"]["weights"]["counts"])
    rows = sum(len(layer["words"]) + (layer["weights"] is not None) for layer in formats.values())
    assert box.locator("tbody tr").count() == rows


def test_the_matrices_say_which_class_is_taken_for_which(visit: Open, pages: Path) -> None:
    page = visit("loihi2").page
    accuracy = json.loads((pages / "loihi2" / "summary.json").read_text())["accuracy"]
    for at, side in enumerate(("float", "integer")):
        cells = page.locator(".matrix").nth(at).locator("tbody tr").all()
        shown = [[int(cell or 0) for cell in row.locator("td:not(.interval)").all_inner_texts()] for row in cells]
        assert shown == accuracy["confusion"][side]
    ends = accuracy["integer_interval"]
    said = page.locator(".matrix h4").nth(1).inner_text()
    assert f"{100 * ends['low']:.1f}–{100 * ends['high']:.1f} %" in said


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

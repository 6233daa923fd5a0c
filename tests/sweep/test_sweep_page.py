"""sweep.html in a real headless browser: both themes, a phone, the keyboard, links, and ten thousand trials."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import Visit
from commands import bim_sweep, save_input, save_model

from bim_neuro.report.sweep_text import MOST_ON_PAGE
from bim_neuro.sweep.objectives import objectives_of
from bim_neuro.sweep.origin import code
from bim_neuro.sweep.store import Store
from bim_neuro.sweep.table import write_table

pytestmark = pytest.mark.browser
VARY = ("--vary", "prune=0:.8:.4", "lowering=fused,stock", "target=loihi2,lava_cpu")
THOUSANDS = 10_000


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished sweep of a model whose name is markup."""
    folder = tmp_path_factory.mktemp("swept")
    model, samples = save_model(folder / "<b>é&.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)
    options = ("--fix", f"input={samples}", "--executor", "made_executors:threads", "-o", folder / "out")
    ended = bim_sweep(model, *VARY, *options)
    assert ended.code == 0, ended.err
    return folder / "out"


@pytest.fixture
def visit(chromium: Any, swept: Path) -> Iterator[Any]:
    """Open the page; afterwards nothing may have been logged, thrown or asked for."""
    visits: list[Visit] = []

    def opened(**options: Any) -> Any:
        visits.append(Visit(chromium, swept / "sweep.html", **options))
        return visits[-1].page

    yield opened
    assert [trouble for one in visits for trouble in one.troubles] == []
    for one in visits:
        one.page.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_the_screen_in_both_themes(visit: Any, theme: str, width: int) -> None:
    page = visit(color_scheme=theme)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator("h1").count() == 1
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    bright = sum(int(part) for part in colour.strip("rgb()").split(",")[:3]) > 384
    assert bright == (theme == "light")


def test_every_point_and_every_finished_trial_is_linked_to_a_file(visit: Any, swept: Path) -> None:
    page = visit()
    rows = json.loads((swept / "sweep.json").read_text())["trials"]
    points = page.locator("svg.scatter a.point").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    priced = [row for row in rows if row["metrics"]["energy_uj"] is not None]
    assert len([link for link in points if priced]) >= len(priced)
    links = page.locator("#trials tbody a").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert len(links) == len(rows) == 12
    assert all((swept / link).is_file() for link in {*points, *links})


def test_trials_are_sorted_by_the_keyboard(visit: Any) -> None:
    page = visit()
    head = page.locator("#trials thead th", has_text="prune.share")
    place = page.locator("#trials thead th").all_inner_texts().index("prune.share")

    def column() -> list[float]:
        return list(map(float, page.locator(f"#trials tbody tr > :nth-child({place + 1})").all_inner_texts()))

    head.get_by_role("button").press("Enter")
    assert (head.get_attribute("aria-sort"), column()) == ("descending", sorted(column(), reverse=True))
    head.get_by_role("button").press("Enter")
    assert (head.get_attribute("aria-sort"), column()) == ("ascending", sorted(column()))


def test_trials_are_filtered_by_the_keyboard_and_stay_sorted(visit: Any) -> None:
    page = visit()
    page.locator("#trials thead th", has_text="prune.share").get_by_role("button").press("Enter")
    page.get_by_label("Filter the trials").focus()
    page.keyboard.type("lowering=stock loihi2")
    assert page.locator("#trials tbody tr").count() == 3
    assert page.locator("#trials [aria-live]").inner_text() == "3 trials"
    assert page.locator("#trials th[aria-sort=descending]").inner_text() == "prune.share"
    page.keyboard.type(" nothing")
    assert page.locator("#trials tbody tr").count() == 0


def test_a_point_is_walked_to_and_opened_by_the_keyboard(chromium: Any, swept: Path) -> None:
    page = Visit(chromium, swept / "sweep.html").page
    chart = page.locator("#fronts .marks").first
    chart.focus()
    page.keyboard.press("End")
    tip = page.get_by_role("tooltip").inner_text()
    assert "Energy of a sample" in tip
    page.keyboard.press("Enter")
    page.wait_for_url("**/report.html")
    page.close()


def test_where_summaries_alone_are_kept_links_lead_to_them(chromium: Any, swept: Path, tmp_path: Path) -> None:
    model, samples = save_model(tmp_path / "m.pt"), save_input(tmp_path / "xy.npz", y=np.arange(6) % 4)
    ended = bim_sweep(model, "--vary", "prune=0,0.5", "--fix", f"input={samples}", "--set", "sweep.keep=summary",
                      "--executor", "made_executors:threads", "-o", tmp_path / "out")  # fmt: skip
    assert ended.code == 0, ended.err
    page = Visit(chromium, tmp_path / "out" / "sweep.html").page
    links = page.locator("a[href^=trials]").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert links
    assert all((tmp_path / "out" / link).is_file() for link in links)
    page.close()


@pytest.mark.slow
def test_a_page_of_ten_thousand_trials_is_small_and_drawn_soon(chromium: Any, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    with Store(tmp_path / "out").opened() as store:
        for index in range(THOUSANDS):
            place = store.trial(f"{index:020d}")
            place.mkdir()
            energy = float(draw.uniform(1, 9))
            metrics = {"accuracy": energy / 10, "energy_uj": energy, "energy_uj_low": 1.0, "energy_uj_high": 99.0}
            row = {"key": place.name, "status": "done", "origin": code(), "model": "m.pt", "source": "m", "said": ""}
            row |= {"values": {"prune.share": index / THOUSANDS}, "metrics": metrics, "seconds": 1.5, "host": "h"}
            (place / "trial.json").write_text(json.dumps(row))
        table = write_table(store, objectives_of("accuracy,energy"), "bim-sweep")
    assert (
        len(table["trials"]) == len(table["fronts"]["accuracy,energy"]) == THOUSANDS
    )  # each costs more, and is better
    file = tmp_path / "out" / "sweep.html"
    assert file.stat().st_size < 8 * 2**20
    one = Visit(chromium, file)
    points = one.page.locator("svg.scatter a.point").evaluate_all("all => all.map((one) => one.getAttribute('href'))")
    assert MOST_ON_PAGE // 2 <= len(points) <= MOST_ON_PAGE
    assert one.page.locator("#trials tbody tr").count() == 100
    assert one.page.evaluate("performance.now()") < 20_000
    assert one.troubles == []
    one.page.close()

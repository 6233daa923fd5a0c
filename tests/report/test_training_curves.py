"""Training curves of the report: read from the record in model.pt, which a file may have damaged."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from browsers import Visit, browser

import bim_neuro
from bim_neuro.model.checkpoint import load_checkpoint, save_checkpoint
from bim_neuro.model.export import export
from bim_neuro.report.training_curves import POINTS, training_curves
from bim_neuro.tasks import load_task

DIGITS = Path(__file__).resolve().parents[2] / "examples" / "digits.pt"


def curves_of(record: dict[str, Any]) -> dict[str, Any]:
    return training_curves(export(replace(load_checkpoint(DIGITS), training=record)))


def rows(count: int) -> list[dict[str, float]]:
    return [{"epoch": number, "loss": 1 / number, "score": 0.5} for number in range(1, count + 1)]


def test_the_curves_are_the_record() -> None:
    record = load_checkpoint(DIGITS).training
    drawn = curves_of(record)["training"]
    assert drawn["loss"] == [row["loss"] for row in record["log"]]
    assert drawn["value"] == [row["score"] for row in record["log"]]
    assert (drawn["score"], drawn["rule"], drawn["best_epoch"]) == ("accuracy", "bptt", 184)


def test_of_many_epochs_some_are_drawn_and_the_last() -> None:
    drawn = curves_of({"log": rows(10 * POINTS + 7)})["training"]
    assert len(drawn["epoch"]) <= POINTS + 1
    assert (drawn["epochs"], drawn["epoch"][-1]) == (10 * POINTS + 7, 10 * POINTS + 7)


@pytest.mark.parametrize(
    "record",
    [{}, {"log": 5}, {"log": rows(1)}, {"log": [[1], "x", {"epoch": 1}]}, {"log": rows(1) * 2, "validation": 3}],
)
def test_a_damaged_record_breaks_nothing(record: dict[str, Any]) -> None:
    assert curves_of(record).get("training", {}).get("epochs", 0) == (2 if "validation" in record else 0)


def test_a_value_that_is_not_finite_is_left_out() -> None:
    log = [*rows(3), {"epoch": 4, "loss": float("nan"), "score": 0.5}]
    assert curves_of({"log": log})["training"]["epoch"] == [1, 2, 3]


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_draws_them_in_both_themes(tmp_path: Path, scheme: str) -> None:
    model, folder = tmp_path / "short.pt", tmp_path / "report"
    save_checkpoint(replace(load_checkpoint(DIGITS), training={"log": rows(5), "rule": "rtrl"}), model)
    bim_neuro.compile(model).report(load_task("digits").test.x[:2], folder)
    try:
        with browser() as chromium:
            visit = Visit(chromium, folder / "report.html", color_scheme=scheme)
            section = visit.page.locator("#training")
            assert section.locator("svg.strip").count() == 2
            assert "5 epochs by rtrl" in section.inner_text()
            line = section.locator("path.line").first
            background = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert line.evaluate("path => getComputedStyle(path).stroke") != background
            assert visit.troubles == []
    except LookupError as reason:
        pytest.skip(str(reason))

"""A person's own tokens: how many there are, what is none, and when their numbers would be read as sizes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.intake import is_stored
from bim_neuro.jobs.plan import plan_for
from bim_neuro.tasks import Task, content, load_task, vocabulary

TOKENS, SAMPLES, STEPS = 9, 40, 6
SPLIT = np.array(["train", "validation", "test", "train"] * (SAMPLES // 4))


def task_of(folder: Path, x: np.ndarray, **arrays: Any) -> Task:
    np.savez(folder / "text.npz", x=x, split=SPLIT, layout="BTC", **arrays)
    return load_task("own", folder / "text.npz")


def text() -> tuple[np.ndarray, np.ndarray]:
    """Return whole numbers x (samples, steps, 1), as floats, and the next ones y (samples, steps)."""
    said = np.random.default_rng(0).integers(0, TOKENS, (SAMPLES, STEPS + 1))
    said[0] = np.arange(STEPS + 1) + TOKENS - STEPS - 1  # the last token too
    return said[:, :-1, None].astype(np.float64), said[:, 1:]


@pytest.mark.parametrize("kind", ["token", "table"])
@pytest.mark.parametrize("sample", [0, 1, 2])
def test_a_token_that_one_split_alone_holds_is_known(tmp_path: Path, kind: str, sample: int) -> None:
    x, _ = text()
    x[sample, 3] = 21
    task = task_of(tmp_path, x, y=np.arange(SAMPLES) // 4 % 2)
    assert plan_for(task, encoder=kind).encoder.tokens == 22


@pytest.mark.parametrize("kind", ["token", "table"])
@pytest.mark.parametrize(("sample", "split"), [(5, "validation"), (6, "test"), (7, "train")])
@pytest.mark.parametrize("value", [-1.0, 2.5])
def test_what_is_no_token_is_told_by_its_place_in_the_file(
    tmp_path: Path, kind: str, sample: int, split: str, value: float
) -> None:
    x, y = text()
    x[sample, 2] = value
    told = rf"x holds {value:g} at sample {sample}, step 2 \({split}\), which is no token"
    with pytest.raises(InputError, match=told) as refusal:
        _ = plan_for(task_of(tmp_path, x, y=y, head="next"), encoder=kind).encoder
    assert "pad with one of them" in refusal.value.hint


@pytest.mark.parametrize("kind", ["graded", "delta"])
def test_numbers_that_are_the_labels_a_step_before_are_tokens(tmp_path: Path, kind: str) -> None:
    x, y = text()
    y[1, 2] = -1  # not asked
    with pytest.raises(InputError, match=f"encoder {kind} would read the number of a token as a size"):
        _ = plan_for(task_of(tmp_path, x, y=y, head="next"), encoder=kind).encoder
    scaled = task_of(tmp_path, x / TOKENS, y=y, head="next")
    assert plan_for(scaled, encoder=kind).encoder.kind == kind


def test_a_table_that_no_memory_holds_is_refused_before_it_is_made(tmp_path: Path) -> None:
    x, y = text()
    x[0, 0] = 2**20 - 1
    task = task_of(tmp_path, x, y=y, head="next")
    with pytest.raises(InputError, match=r"1,048,576 rows of 1,000,000 numbers that learn take 20,971,520,000,000 byt"):
        _ = plan_for(task, encoder="table", embedding=1_000_000).encoder


def test_tokens_that_stay_in_their_file_are_counted_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "LARGE_BYTES", 0)
    monkeypatch.setattr(vocabulary, "AT_ONCE", 3 * STEPS)
    x, y = text()
    task_of(tmp_path, x, y=y, head="next")
    task = load_task("own", tmp_path / "text.npz", stored=True)
    assert is_stored(task.train.x)
    assert plan_for(task, encoder="token").encoder.tokens == TOKENS
    with pytest.raises(InputError, match="would read the number of a token as a size"):
        _ = plan_for(task, encoder="graded").encoder

"""The cache of prepared data: equal to memory, gone on with after an interruption, made anew for other sources."""

import errno
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bim_neuro import kept
from bim_neuro.arguments import is_mapped
from bim_neuro.errors import InputError, NoRoom
from bim_neuro.tasks import prepared, progress
from bim_neuro.tasks.prepared import Arrays

ROWS = 20
SHAPES = {"x": ((ROWS, 3), np.float32), "y": ((ROWS,), np.int64)}


class Filling:
    """Writes row by row, and breaks before row ``breaks``; ``rows`` are those it was asked to write."""

    def __init__(self, breaks: int = ROWS) -> None:
        self.breaks, self.rows = breaks, list[int]()

    def __call__(self, arrays: Arrays, first: int) -> Iterator[int]:
        for row in range(first, ROWS):
            if row == self.breaks:
                raise KeyboardInterrupt
            arrays["x"][row], arrays["y"][row] = row, 2 * row
            self.rows.append(row)
            yield row + 1


@pytest.fixture
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(prepared, "LARGE_BYTES", 0)
    monkeypatch.setattr(prepared, "KEEP_SECONDS", 0)
    monkeypatch.setenv("BIM_NEURO_CACHE", str(tmp_path / "cache"))
    source = tmp_path / "source"
    source.write_text("data")
    return source


def test_small_arrays_stay_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIM_NEURO_CACHE", str(tmp_path / "cache"))
    arrays = prepared.prepared("some", SHAPES, Filling(), [])
    assert arrays["y"].tolist() == list(range(0, 2 * ROWS, 2))
    assert not (tmp_path / "cache").exists()


def test_large_arrays_are_prepared_once_and_mapped(cached: Path) -> None:
    first, again = Filling(), Filling()
    prepared.prepared("some", SHAPES, first, [cached])
    arrays = prepared.prepared("some", SHAPES, again, [cached])
    assert (len(first.rows), again.rows) == (ROWS, [])
    assert is_mapped(arrays["x"])
    assert arrays["x"][:, 1].tolist() == list(range(ROWS))
    with pytest.raises(ValueError, match="read-only"):
        arrays["x"][0] = 1


def test_an_interrupted_preparation_goes_on(cached: Path) -> None:
    with kept.listening():
        with pytest.raises(KeyboardInterrupt):
            prepared.prepared("some", SHAPES, Filling(breaks=7), [cached])
        assert "7 of 20 rows of some are kept in" in kept.sentences()[0]
        said: list[tuple[str, int, int]] = []
        rest = Filling()
        with progress.listening(lambda *words: said.append(words)):
            arrays = prepared.prepared("some", SHAPES, rest, [cached])
        assert kept.sentences() == ()
    assert rest.rows == list(range(7, ROWS))
    assert arrays["y"].tolist() == list(range(0, 2 * ROWS, 2))
    assert said[0] == ("some: preparing", 8, ROWS)
    assert said[-1] == ("some: preparing", ROWS, ROWS)


def test_other_sources_and_options_are_prepared_anew(cached: Path) -> None:
    prepared.prepared("some", SHAPES, Filling(), [cached])
    other = Filling()
    prepared.prepared("some", SHAPES, other, [cached], rate=8000)
    assert len(other.rows) == ROWS
    cached.write_text("other data")
    changed = Filling()
    prepared.prepared("some", SHAPES, changed, [cached])
    assert len(changed.rows) == ROWS


def test_a_full_disk_is_refused_before_anything_is_written(cached: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full)
    filling = Filling()
    with pytest.raises(NoRoom, match=r"No space left on device \(it takes 240 bytes") as refusal:
        prepared.prepared("some", SHAPES, filling, [cached])
    assert "BIM_NEURO_CACHE" in refusal.value.hint
    assert filling.rows == []


def test_a_preparation_that_ends_early_is_not_taken_for_whole(cached: Path) -> None:
    with pytest.raises(InputError, match="ended after 3 of 20 rows"):
        prepared.prepared("some", SHAPES, lambda arrays, first: iter([3]), [cached])

"""From which T on forward traces save: the crossing is read from measured cells as it would be by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.training.break_even import break_evens
from benchmarks.training.cells import Cell

MIB = 2**20


def row(steps: int, batch: int = 1, **methods: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A measured cell."""
    cell = Cell(steps=steps, batch=batch)
    return {cell.key: {"cell": cell.plain(), "methods": methods}}


def found(results: dict[str, dict[str, Any]]) -> list[str]:
    """The sentences, without the network."""
    return [str(line).split(": ", 1)[1] for line in break_evens(results)]


def played(ms: float, mib: float) -> dict[str, Any]:
    return {"ms": ms, "peak_bytes": mib * MIB}


def test_memory_is_saved_from_the_length_where_two_powers_of_t_meet() -> None:
    """Traces of 4 MiB meet sqrt(T) / 16 MiB at T = 4,096, and time T ms meets 2 T ms nowhere."""
    results = {}
    for steps in (100, 1000, 10_000):
        results |= row(steps, rtrl=played(steps, 4), checkpointed=played(2 * steps, steps**0.5 / 16))
    assert found(results) == [
        "from about T = 4,100 on rtrl takes less memory than checkpointed (measured from 100 to 10,000)",
        "at every T rtrl takes less time than checkpointed (measured from 100 to 10,000)",
    ]


def test_a_lead_that_ends_and_one_that_never_begins() -> None:
    results = row(100, rtrl=played(1, 9), bptt=played(2, 1)) | row(400, rtrl=played(4, 9), bptt=played(2, 4))
    assert found(results) == [
        "at no T rtrl takes less memory than bptt (measured from 100 to 400)",
        "up to about T = 200 rtrl takes less time than bptt (measured from 100 to 400)",
    ]


def test_a_winner_that_changes_twice_is_said_length_by_length() -> None:
    results = {}
    for steps, ms in ((100, 3), (300, 1), (1000, 3)):
        results |= row(steps, rtrl=played(ms, 1), bptt=played(2, 1))
    assert found(results)[1] == "at T = 300 alone rtrl takes less time than bptt (measured from 100 to 1,000)"


@pytest.mark.parametrize("other", [{"skipped": "--memory"}, None])
def test_cells_that_were_skipped_or_stand_alone_say_nothing(other: dict[str, Any] | None) -> None:
    """A length at which one method did not play is none, and so are two batches of one length each."""
    missing = {} if other is None else {"checkpointed": other}
    results = row(100, rtrl=played(1, 1), checkpointed=played(1, 1)) | row(1000, rtrl=played(1, 1), **missing)
    assert break_evens(results) == []
    alone = row(100, rtrl=played(1, 1), bptt=played(1, 1)) | row(1000, 16, rtrl=played(1, 1), bptt=played(1, 1))
    assert break_evens(alone) == []

"""Data are encoded for training in parts: the same numbers, in memory that is little more than theirs."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from bim_neuro.jobs import evaluate as job
from bim_neuro.nodes import Encoder, fit
from bim_neuro.tasks.dataset import Dataset

X = np.random.default_rng(0).normal(0, 1, (300, 40, 25)).astype(np.float32)
DATA = Dataset(X, np.arange(len(X)) % 3)


def encoder(kind: str) -> Encoder:
    return fit(kind, X).encoder


@pytest.mark.parametrize("at_once", [1, 7 * 1000, 300 * 1000, 2**20])
@pytest.mark.parametrize("kind", ["graded", "delta"])
def test_parts_give_what_the_whole_gives(kind: str, at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = encoder(kind).to_float(encoder(kind).encode(X)).astype(np.float32)
    monkeypatch.setattr(job, "ENCODED_AT_ONCE", at_once)
    monkeypatch.setattr(job, "EVENTS_AT_ONCE", at_once)
    x, y, _ = job.encoded(encoder(kind), DATA)
    assert x.dtype == np.float32
    assert np.asarray(x).tobytes() == whole.tobytes()  # 0 is no -0: resume files hold a hash of these
    assert y is DATA.y


def test_no_sample_is_no_data() -> None:
    assert job.encoded(encoder("delta"), DATA.take(slice(0, 0))).x.shape == (0, 40, 50)


def test_memory_is_that_of_the_data_and_of_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of ten samples takes 64-bit integers and floats, the whole would take nine times the data."""
    monkeypatch.setattr(job, "ENCODED_AT_ONCE", 10 * 1000)
    known = encoder("graded")
    tracemalloc.start()
    job.encoded(known, DATA)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert X.nbytes < peak < 1.5 * X.nbytes

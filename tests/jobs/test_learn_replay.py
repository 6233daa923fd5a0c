"""bim-compile --learn with replay: what it does to a stream, what it costs, and what of it is verified and kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, save_model
from learn_runs import easy_stream, learn

from bim_neuro.jobs import learn as job
from bim_neuro.pipeline import compile_model
from bim_neuro.plasticity.replay import with_replay
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.tasks import Dataset, read_sequences

SAMPLES, STEPS = 40, 8
RTRL = ("--learn", "rtrl", "--set", f"learn.samples={SAMPLES}", "--set", "learn.rate=0.2")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, dict[str, Any]]:
    """What is reported of learning on the same stream, class after class, without replay and with."""
    folder = tmp_path_factory.mktemp("replay")
    model, stream = save_model(folder / "model.pt"), easy_stream(folder / "stream.npz")
    arrays = dict(np.load(stream))
    order = np.argsort(arrays["y"], kind="stable")[:: len(arrays["y"]) // SAMPLES]
    np.savez(folder / "sorted.npz", x=arrays["x"][order], y=arrays["y"][order])
    found = {}
    for kept in (0, 2):
        code, summary, _ = learn(
            folder / str(kept), *RTRL, "--set", f"learn.replay={kept}", "--set", f"learn.test={stream}", model=model,
            stream=folder / "sorted.npz",
        )  # fmt: skip
        assert code == 0
        found[kept] = summary["learning"]
    return found


def test_replay_keeps_what_a_stream_class_after_class_forgets(runs: dict[int, dict[str, Any]]) -> None:
    assert runs[2]["accuracy_before"] == runs[0]["accuracy_before"]
    assert runs[2]["accuracy_after"] > runs[0]["accuracy_after"] + 0.2


def test_every_update_is_counted_and_priced_a_new_sample(runs: dict[int, dict[str, Any]]) -> None:
    plain, replayed = runs[0], runs[2]
    both = 2 * SAMPLES - 1
    assert (replayed["samples"], len(replayed["curve"])) == (SAMPLES, len(plain["curve"]))
    for group, row in plain["groups"].items():
        assert replayed["groups"][group]["visited"] == row["visited"] // SAMPLES * both
    for term, energy in plain["energy_events"].items():
        assert replayed["energy_events"][term]["value"] == pytest.approx(energy["value"] * both / SAMPLES), term
    assert "keeps the samples that are replayed" in replayed["learning_signal"]
    assert "replayed" not in plain["learning_signal"]


def test_a_nir_file_describes_replay_to_the_next_run(tmp_path: Path) -> None:
    code, first, _ = learn(tmp_path, *RTRL, "--set", "learn.replay=3")
    assert (code, first["learning"]["plasticity"]["replay"]) == (0, 3)
    again = bim_compile(
        tmp_path / "out" / "model.nir", "--input", tmp_path / "stream.npz", "-o", tmp_path / "again", "--json",
        "--learn", "described", "--set", f"learn.samples={SAMPLES}",
    )  # fmt: skip
    assert again.code == 0
    assert '"replay":3' in again.out.replace(" ", "")


@pytest.mark.parametrize("kept", [0, 2])
def test_lava_is_asked_for_the_samples_that_were_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """The first of them are the first of the run, replayed ones included."""
    asked: list[np.ndarray] = []
    monkeypatch.setattr(job, "verify_learning", lambda learner, x, y, **_: asked.append(x) or {})
    data = read_sequences(easy_stream(tmp_path / "stream.npz"))
    program = compile_model(save_model(tmp_path / "model.pt"), input=tmp_path / "stream.npz")
    plasticity = Plasticity("rtrl", replay=kept, seed=5)
    job.lessons(program, plasticity, Dataset(data.x, data.y), "neurons")
    assert data.y is not None
    order = with_replay(data.y, kept, 5).order[:20]
    np.testing.assert_array_equal(asked[0][:20], program.encode(data.x[order]))

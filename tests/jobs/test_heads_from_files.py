"""A person's own file with a head and lengths: from bim-train to bim-compile's figures, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import bim_compile, bim_train

from bim_neuro.errors import InputError
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.tasks import load_task

STEPS = 8
SMALL = ("--epochs", 15, "--channels", 6, "--states", 2, "--batch", 16, "--learning-rate", 0.03)


def arrays(samples: int = 60) -> dict[str, Any]:
    """Which of three channels is high at each step; the first four steps count at least."""
    rng = np.random.default_rng(0)
    high, lengths = rng.integers(0, 3, (samples, STEPS)), rng.integers(4, STEPS + 1, samples)
    x = 2 * np.eye(3)[high] + rng.normal(0, 0.2, (samples, STEPS, 3))
    y = np.where(np.arange(STEPS) < lengths[:, None], high, -1)
    return {"x": x, "y": y, "lengths": lengths, "head": "step", "layout": "BTC"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Any]:
    folder = tmp_path_factory.mktemp("heads")
    data, model = folder / "own.npz", folder / "own.pt"
    np.savez(data, **arrays())
    ended = bim_train("own", "--data", data, "-o", model, *SMALL)
    return data, model, ended


def test_a_class_a_step_is_trained_and_compiled(trained: tuple[Path, Path, Any], tmp_path: Path) -> None:
    data, model, ended = trained
    assert (ended.code, ended.errors) == (0, [])
    assert "the test split was not opened" in ended.out
    assert {"test", "test_opened"}.isdisjoint(load_checkpoint(model).training)
    compiled = bim_compile(model, "--input", data, "-o", tmp_path / "out", "--json")
    assert (compiled.code, compiled.errors) == (0, [])
    summary = json.loads(compiled.out)
    assert (summary["accuracy"], summary["answers"]["head"]) == (None, "step")
    integer, real = (summary["answers"][law]["accuracy"] for law in ("integer", "float"))
    assert integer > 0.5
    assert abs(integer - real) < 0.05
    learnt = bim_compile(model, "--input", data, "-o", tmp_path / "learnt", "--learn", "rtrl")
    assert (learnt.code, len(learnt.errors)) == (2, 1)
    assert "on-chip learning knows one class a sequence" in learnt.err


def test_every_opening_of_the_test_split_is_counted(trained: tuple[Path, Path, Any]) -> None:
    data, model, _ = trained
    for opening in (1, 2):
        ended = bim_train("own", "--data", data, "-o", model, *SMALL, "--final")
        record = load_checkpoint(model).training
        assert (ended.code, record["test_opened"]) == (0, opening)
        assert record["test"]["date"] >= "2026"
    assert "opened 2 times" in ended.out


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"head": "steps"}, "unknown head 'steps'"),
        ({"lengths": np.full(60, STEPS + 1)}, "lengths holds 9 at sample 0"),
        ({"lengths": np.full(60, 3)}, "which has 3 steps"),
        ({"y": np.zeros(60, int)}, "a row of integers a sample is needed"),
        ({"y": np.zeros((60, STEPS - 1), int)}, "asks for (samples, 8)"),
        ({"x_test": np.zeros((3, STEPS, 3)), "y_test": np.zeros((3, STEPS), int)}, "both x_test and lengths"),
    ],
)
def test_a_file_that_does_not_answer_its_head_is_refused(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "own.npz", **{**arrays(), **change})
    with pytest.raises(InputError) as refusal:
        load_task("own", tmp_path / "own.npz")
    assert words in refusal.value.message


def test_the_next_token_of_a_text_is_learnt_from_lines(tmp_path: Path) -> None:
    """A round of five tokens, begun anywhere: each says which is next, and the integers say it too."""
    rng, steps = np.random.default_rng(0), 10
    text = (rng.integers(0, 5, (60, 1)) + np.arange(steps + 1)) % 5
    data, model = tmp_path / "text.npz", tmp_path / "text.pt"
    np.savez(data, x=text[:, :-1, None], y=text[:, 1:], head="next", layout="BTC")
    ended = bim_train("own", "--data", data, "-o", model, *SMALL, "--epochs", 60, "--encoder", "token", "--final")
    assert (ended.code, ended.errors) == (0, [])
    checkpoint = load_checkpoint(model)
    assert (checkpoint.encoder.kind, checkpoint.config.inputs) == ("token", 5)
    test = checkpoint.training["test"]
    assert test["integer"]["bits"] < 1 < np.log2(5)
    compiled = bim_compile(
        model, "--input", data, "--samples", "all", "--split", "test", "-o", tmp_path / "out", "--json"
    )
    assert (compiled.code, compiled.errors) == (0, [])
    found = json.loads(compiled.out)
    assert found["answers"]["integer"]["bits"] == pytest.approx(test["integer"]["bits"], rel=1e-9)
    assert found["answers"]["float"]["bits"] == pytest.approx(test["float"]["bits"], rel=1e-3)
    layer = next(layer for layer in found["layers"] if layer["name"] == "block1.u")
    assert layer["synops_effective"] <= layer["neurons"] * steps * found["samples"]  # one spike a step
    other = tmp_path / "other.npz"
    np.savez(other, x=text[:, :-1, None] + 1, layout="BTC")
    refused = bim_compile(model, "--input", other, "-o", tmp_path / "no")
    assert (refused.code, len(refused.errors)) == (2, 1)
    assert "the model knows the tokens 0 to 4" in refused.err
    again = bim_compile(tmp_path / "out" / "model.nir", "--input", data, "--samples", "all", "-o", tmp_path / "nir")
    assert (again.code, again.errors) == (0, [])

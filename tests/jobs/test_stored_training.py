"""Training on samples that stay in their file gives the model of the same samples in memory, or ends in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Ended, bim_train

from bim_neuro.intake import StoredSamples
from bim_neuro.jobs import evaluate as job
from bim_neuro.jobs import train as train_job
from bim_neuro.jobs.evaluate import encoded
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.nodes import fit, fitting
from bim_neuro.tasks import content, load_task
from bim_neuro.tasks.dataset import Dataset
from bim_neuro.training.progress import digest

SMALL = ("--channels", 8, "--states", 2, "--set", "train.taps=2", "--batch", 16, "--epochs", 3, "--final")


@pytest.fixture(autouse=True)
def any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """However few they are, samples stay in their file where they can."""
    monkeypatch.setattr(content, "LARGE_BYTES", 0)


def arrays(head: str = "class") -> dict[str, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = rng.normal(0, 0.5, (90, 12, 5)) + np.eye(3, 5)[y][:, None, :]
    x[7, 3, 4] = 1e4  # an outlier is named, so that its channel is read again
    lengths = {"lengths": rng.integers(6, 13, 90)} if head == "lengths" else {}
    return {"x": x, "y": y, "group": np.arange(90) // 2, **lengths}


def both(folder: Path, head: str = "class") -> tuple[Path, Path]:
    """Write a file whose x stays in it, and one of the same name whose x is held in memory."""
    paths = folder / "stays" / "own.npz", folder / "held" / "own.npz"
    for path, save in zip(paths, (np.savez, np.savez_compressed), strict=True):
        path.parent.mkdir()
        save(path, **arrays(head))
    return paths


def own(data: Path, *options: object) -> Ended:
    return bim_train("own", "--data", data, "-o", data.with_name("own.pt"), *SMALL, *options)


@pytest.mark.parametrize(
    ("head", "options"),
    [("class", ()), ("class", ("--encoder", "delta", "--rule", "bptt")), ("lengths", ("--rule", "bptt"))],
    ids=["graded", "delta", "lengths"],
)
def test_the_model_is_that_of_samples_in_memory(tmp_path: Path, head: str, options: tuple[str, ...]) -> None:
    stays, held = both(tmp_path, head)
    models = []
    for path in (stays, held):
        ended = own(path, *options)
        assert ended.code == 0, ended
        models.append(load_checkpoint(path.with_name("own.pt")))
    one, other = models
    assert one.ranges == other.ranges
    for name in ("hashes", "split"):
        np.testing.assert_array_equal(getattr(one.trained_on, name), getattr(other.trained_on, name))
    for name in ("log", "test", "validation"):
        assert one.training[name] == other.training[name]
    assert [finding["rule"] for finding in one.training["findings"]] == ["outlier"]
    assert str(one.training["findings"]) == str(other.training["findings"])
    for name, value in one.state.items():
        assert value.numpy().tobytes() == other.state[name].numpy().tobytes(), name


def test_only_who_asks_gets_rows_that_are_no_array(tmp_path: Path) -> None:
    stays, held = both(tmp_path)
    assert isinstance(load_task("own", stays, stored=True).train.x, StoredSamples)
    assert isinstance(load_task("own", held, stored=True).train.x, np.ndarray)
    assert isinstance(load_task("own", stays).train.x, np.ndarray)
    np.testing.assert_array_equal(
        load_task("own", stays, stored=True).train.x[3:9], load_task("own", held).train.x[3:9]
    )


@pytest.mark.parametrize("kept", [2**28, 1000])
@pytest.mark.parametrize("kind", ["graded", "delta"])
def test_a_resume_file_knows_the_data_wherever_they_lie(
    tmp_path: Path, kind: str, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job, "AT_ONCE", kept)
    monkeypatch.setattr(job, "ENCODED_AT_ONCE", 100)
    stays, held = (load_task("own", path, stored=True).train for path in both(tmp_path))
    encoder = fit(kind, held.x).encoder
    rows = encoded(encoder, stays)
    assert isinstance(rows.x, np.ndarray) == (kind == "delta" and kept > 1000)
    whole = encoder.to_float(encoder.encode(held.x)).astype(np.float32)
    assert digest(*rows) == digest(*encoded(encoder, held)) == digest(whole if kept > 1000 else held.x, held.y)


@pytest.mark.parametrize("kind", ["graded", "delta"])
@pytest.mark.parametrize("channels", [1, 2, 3, 5, 16, 33])
def test_channels_surveyed_some_at_a_time_give_the_same_encoder(
    kind: str, channels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sum depends on the order of its numbers; the order is that of steps within samples, however many channels."""
    x = np.random.default_rng(1).normal(3, 1, (50, 211, channels)).astype(np.float32)
    whole = fit(kind, x)
    monkeypatch.setattr(fitting, "SURVEYED_AT_ONCE", 1)
    parts = fit(kind, x)
    assert parts.encoder.gain.tobytes() == whole.encoder.gain.tobytes()
    assert parts.encoder.offset.tobytes() == whole.encoder.offset.tobytes()
    assert parts.findings == whole.findings


def test_padding_counts_as_the_last_step_before_it() -> None:
    given = arrays("lengths")
    x, lengths = given["x"].astype(np.float32), given["lengths"]
    last = np.minimum(np.arange(x.shape[1]), lengths[:, None] - 1)
    padded = np.take_along_axis(x, last[..., None], 1)
    assert fit("graded", x, lengths=lengths).encoder.gain.tobytes() == fit("graded", padded).encoder.gain.tobytes()


# ---- refused


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_named_as_of_an_array(tmp_path: Path, value: float) -> None:
    stays, held = tmp_path / "a" / "own.npz", tmp_path / "b" / "own.npz"
    given = arrays()
    given["x"][11, 2, 1] = value
    said = []
    for path, save in ((stays, np.savez), (held, np.savez_compressed)):
        path.parent.mkdir()
        save(path, **given)
        ended = own(path)
        assert ended.code == 2
        said.append(ended.err.replace(str(path.parent), ""))
    assert said[0] == said[1]
    assert "sample 11, step 2, channel 1" in said[0]


def test_a_number_beyond_float32_is_refused(tmp_path: Path) -> None:
    given = arrays()
    given["x"][11, 2, 1] = 1e300
    np.savez(tmp_path / "own.npz", **given)
    ended = own(tmp_path / "own.npz")
    assert ended.code == 2
    assert "inf at sample 11, step 2, channel 1" in ended.err


@pytest.mark.parametrize("change", ["cut", "written"])
def test_a_file_that_changes_during_training_ends_it_in_one_line(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, **arrays())
    load, seen = train_job.run_training, []

    def changed(plan: Any, *rest: Any) -> Any:
        seen.append(isinstance(plan.task.train.x, StoredSamples))
        plan.fit  # noqa: B018  the encoder is fitted before
        if change == "cut":
            path.write_bytes(path.read_bytes()[:-9000])
        else:
            with path.open("r+b") as file:
                file.seek(3000)
                file.write(b"otherwise")
        return load(plan, *rest)

    monkeypatch.setattr(train_job, "run_training", changed)
    ended = own(path)
    assert seen == [True]
    assert ended.code == 2
    assert [line for line in ended.err.splitlines() if line.startswith("error")] == [
        f"error: {path} was changed while it was being read"
    ]
    assert "Traceback" not in ended.err
    assert not path.with_name("own.pt").exists()


def test_a_time_first_file_is_read_whole(tmp_path: Path) -> None:
    given = arrays()
    np.savez(tmp_path / "own.npz", **given | {"x": np.ascontiguousarray(given["x"].swapaxes(0, 1)), "layout": "TBC"})
    task = load_task("own", tmp_path / "own.npz", stored=True)
    assert isinstance(task.train, Dataset)
    assert isinstance(task.train.x, np.ndarray)
    assert task.train.x.shape[1:] == (12, 5)

"""Arrays of a user: what each may be, which samples a model is measured on, and which axis is time."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Ended, bim_compile, bim_train, save_input, save_model
from small_models import small_checkpoint, small_input

from bim_neuro.choices import NOT_ASKED
from bim_neuro.errors import InputError
from bim_neuro.jobs import sequences
from bim_neuro.model.checkpoint import load_checkpoint, save_checkpoint
from bim_neuro.nodes import Encoder, fit
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.reading import read_model
from bim_neuro.report.findings import clipped_input
from bim_neuro.tasks import Dataset, load_task, read_recordings
from bim_neuro.trained_on import TrainedOn, sample_hashes

ROOT = Path(__file__).resolve().parents[2]
SPLIT = np.array([0, 0, 0, 0, 1, 1, 2, 2], np.int8)
Y = np.arange(8) % 4


def saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def own(samples: int = 60, classes: int = 3) -> dict[str, Any]:
    y = np.arange(samples) % classes
    x = np.random.default_rng(0).normal(0, 0.1, (samples, 5, 2))
    return {"x": x + y[:, None, None], "y": y}


def run(model: Path, file: Path, *options: object) -> dict[str, Any]:
    """Return the summary of a compile that went well."""
    ended = bim_compile(model, "--input", file, "-o", file.parent / "out", "--json", *options)
    assert ended.code == 0, ended.err
    summary: dict[str, Any] = json.loads(ended.out)
    return summary


def refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out) == (2, "")
    for word in words:
        assert word in ended.err


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Path, Path]:
    """A model that was trained on a file of eight samples, and the file."""
    x = small_input(8, 6)
    file = saved(tmp_path / "mine.npz", x=x, y=Y)
    checkpoint = replace(small_checkpoint(), trained_on=TrainedOn.of(x, SPLIT))
    return save_model(tmp_path / "mine.pt", checkpoint), file


# -- which samples


def test_the_file_a_model_was_trained_on_is_measured_on_its_test_split(trained: tuple[Path, Path]) -> None:
    model, file = trained
    summary = run(model, file)
    assert summary["input"] == f"test split of {file}"
    about = {"split": "test", "samples": 2, "of": 2, "seen_in_training": 0, "layout": "BTC", "notes": []}
    assert summary["sequences"] == {"origin": f"test split of {file}", **about}
    assert summary["findings"] == []
    ended = bim_compile(model, "--input", file, "-o", file.parent / "out")
    assert f"2 samples of 6 steps (test split of {file})" in ended.out
    assert "none of them a copy of one seen in training" in ended.out


@pytest.mark.parametrize(("split", "samples", "seen"), [("train", 4, 4), ("validation", 2, 2), ("all", 8, 6)])
def test_split_chooses(trained: tuple[Path, Path], split: str, samples: int, seen: int) -> None:
    summary = run(*trained, "--split", split)
    about = summary["sequences"]
    assert (about["split"], about["samples"], about["seen_in_training"]) == (split, samples, seen)
    assert summary["findings"] == []  # whoever names a split knows what it is


def test_the_order_of_the_file_and_its_name_do_not_matter(trained: tuple[Path, Path], tmp_path: Path) -> None:
    model, file = trained
    order = np.array([6, 0, 5, 1, 7, 2, 4, 3])
    with np.load(file) as arrays:
        other = saved(tmp_path / "other.npz", x=arrays["x"][order], y=Y[order])
    known = read_recordings(other, "BTC").data.x
    summary = run(model, other, "--split", "test")
    assert summary["sequences"]["samples"] == 2
    record = read_model(model).extra["trained_on"]
    assert TrainedOn.parse(record).split_of(sample_hashes(known)).tolist() == SPLIT[order].tolist()  # type: ignore[union-attr]


def test_a_split_that_the_file_says_otherwise_gives_way_to_that_of_training(trained: tuple[Path, Path]) -> None:
    model, file = trained
    with np.load(file) as arrays:
        other = saved(file.with_name("other.npz"), x=arrays["x"], y=Y, split=SPLIT[::-1])
    about = run(model, other)["sequences"]
    assert (about["split"], about["samples"], about["seen_in_training"]) == ("test", 2, 0)
    assert about["notes"] == ["the array split differs from the splits used in training; those of training are used"]


def test_of_another_file_the_share_seen_in_training_is_said(trained: tuple[Path, Path], tmp_path: Path) -> None:
    """Two of its four samples are in the train and validation splits, one is in the test split, one is new."""
    model, file = trained
    with np.load(file) as arrays:
        x = np.concatenate([arrays["x"][[0, 4, 7]], small_input(1, 6, seed=9)])
    other = saved(tmp_path / "other.npz", x=x, y=Y[:4])
    summary = run(model, other)
    assert (summary["input"], summary["sequences"]["split"]) == (str(other), None)
    assert summary["sequences"]["seen_in_training"] == 2
    (finding,) = summary["findings"]
    assert (finding["rule"], finding["severity"], finding["used"]) == ("seen-in-training", "warning", 2)
    ended = bim_compile(model, "--input", other, "-o", tmp_path / "out")
    assert "input: " in ended.out
    assert "2 of them (50%) seen in training" in ended.out
    refused(bim_compile(model, "--input", other, "--split", "test"), "has no splits", "x_test")


def test_the_samples_that_are_run_are_counted_not_those_of_the_file(trained: tuple[Path, Path]) -> None:
    about = run(*trained, "--split", "all", "--samples", 3)["sequences"]
    assert (about["samples"], about["of"], about["seen_in_training"]) == (3, 8, 3)


def test_model_nir_knows_its_samples_too(trained: tuple[Path, Path], tmp_path: Path) -> None:
    model, file = trained
    run(model, file)
    assert run(tmp_path / "out" / "model.nir", file)["input"] == f"test split of {file}"


def test_a_model_keeps_eight_bytes_a_sample_and_a_file_of_version_0_1_loads(tmp_path: Path) -> None:
    x = small_input(1000, 6)
    plain = save_model(tmp_path / "plain.pt")
    noted = save_model(tmp_path / "noted.pt", replace(small_checkpoint(), trained_on=TrainedOn.of(x, np.zeros(1000))))
    assert noted.stat().st_size - plain.stat().st_size < 1000 * 9 + 2000
    assert load_checkpoint(plain).trained_on is None
    record = load_checkpoint(noted).trained_on
    assert record is not None
    assert (record.steps, record.hashes.tolist()) == (6, sample_hashes(x).tolist())


@pytest.mark.parametrize(
    "garbled",
    [
        {"hashes": torch.zeros(3), "split": torch.zeros(3, dtype=torch.int8), "steps": 6},
        {"hashes": torch.zeros(3, dtype=torch.int64), "split": torch.zeros(2, dtype=torch.int8), "steps": 6},
        {"hashes": torch.zeros(1, dtype=torch.int64), "split": torch.full((1,), 3, dtype=torch.int8), "steps": 6},
        {"hashes": torch.zeros(1, dtype=torch.int64), "split": torch.zeros(1, dtype=torch.int8), "steps": "six"},
        {"hashes": 3},
        [1],
    ],
)
def test_a_garbled_record_of_samples_is_refused(tmp_path: Path, garbled: Any) -> None:
    model = save_model(tmp_path / "model.pt")
    content = torch.load(model, weights_only=True)
    torch.save({**content, "trained_on": garbled}, model)
    with pytest.raises(InputError, match="trained_on"):
        load_checkpoint(model)


def test_training_notes_the_split_of_each_sample(tmp_path: Path) -> None:
    """And compiling then finds the samples that training held out, and no others."""
    arrays = own()
    file, model = saved(tmp_path / "own.npz", **arrays), tmp_path / "own.pt"
    ended = bim_train("own", "--data", file, "-o", model, "--epochs", 1, "--channels", 4, "--states", 2)
    assert ended.code == 0, ended.err
    record, task = load_checkpoint(model).trained_on, load_task("own", file)
    assert record is not None
    assert np.bincount(record.split).tolist() == [42, 9, 9]
    test = np.flatnonzero(record.split == 2)
    assert np.array_equal(arrays["x"][test].astype(np.float32), task.test.x)
    assert run(model, file)["sequences"]["samples"] == 9


def some_digits(file: Path) -> Path:
    """Write three digits of the training split and two of the test split."""
    task = load_task("digits")
    return saved(file, x=np.concatenate([task.train.x[:3], task.test.x[:2]]), y=np.zeros(5, int))


def test_a_task_knows_its_splits(tmp_path: Path) -> None:
    """A file of digits: the share that digits.pt was trained on is known, also without a record in it."""
    digits, some = ROOT / "examples" / "digits.pt", some_digits(tmp_path / "some.npz")
    out = tmp_path / "out"
    ended = bim_compile(digits, "--split", "validation", "--samples", 2, "--json", "-o", out)
    assert json.loads(ended.out)["input"] == "digits, validation split"
    without = save_model(tmp_path / "without.pt", replace(load_checkpoint(digits), trained_on=None))
    for model in (digits, without):
        about = run(model, some)["sequences"]
        assert (about["seen_in_training"], about["notes"]) == (3, [])


def test_a_nir_holds_the_note_of_its_samples_and_needs_no_data_of_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where no note is in it, and the data are not to be had, the run says that it does not know."""
    digits, some = ROOT / "examples" / "digits.pt", some_digits(tmp_path / "some.npz")
    without = save_model(tmp_path / "without.pt", replace(load_checkpoint(digits), trained_on=None))
    files = []
    for name, model in (("noted", digits), ("without", without)):
        assert bim_compile(model, "--input", some, "-o", tmp_path / name).code == 0
        files.append(tmp_path / name / "model.nir")
    monkeypatch.setattr("bim_neuro.extras.find_spec", lambda name: None)  # as if scikit-learn were not installed
    noted, unknown = (run(file, some)["sequences"] for file in files)
    assert (noted["seen_in_training"], noted["notes"]) == (3, [])
    assert unknown["seen_in_training"] is None
    (note,) = unknown["notes"]
    assert note.startswith("it is not known which of these samples the model was trained on")
    assert "sklearn" in note


def test_training_on_a_task_with_data_of_its_own_notes_them(tmp_path: Path) -> None:
    model, task = tmp_path / "copy.pt", load_task("copy")
    small = ("--epochs", 1, "--channels", 3, "--states", 1, "--batch", 256)
    assert bim_train("copy", "-o", model, *small).code == 0
    record = load_checkpoint(model).trained_on
    assert record is not None
    assert np.bincount(record.split).tolist() == [len(part) for part in (task.train, task.validation, task.test)]
    assert np.array_equal(record.hashes[record.split == 2], sample_hashes(task.test.x))


def test_a_file_with_splits_is_run_on_its_test_split_by_any_model(tmp_path: Path) -> None:
    model, x = save_model(tmp_path / "model.pt"), small_input(8, 6)
    names = np.array(["train", "validation", "test"])
    for name, arrays in (
        ("codes", {"x": x, "y": Y, "split": SPLIT}),
        ("words", {"x": x, "y": Y, "split": names[SPLIT]}),
        ("bytes", {"x": x, "y": Y, "split": names[SPLIT].astype("S10")}),
        ("halves", {"x": x[:6], "y": Y[:6], "x_test": x[6:], "y_test": Y[6:]}),
    ):
        file = saved(tmp_path / f"{name}.npz", **arrays)
        split = read_recordings(file, "BTC").split
        assert split is not None
        assert np.bincount(split).tolist()[2] == 2, name
    for file in (tmp_path / "words.npz", tmp_path / "halves.npz"):
        about = run(model, file)["sequences"]
        assert (about["origin"], about["samples"]) == (f"test split of {file}", 2)
    assert run(model, file, "--split", "all")["sequences"]["samples"] == 8


def test_learning_streams_the_train_split_and_is_measured_on_the_test_split(trained: tuple[Path, Path]) -> None:
    model, file = trained
    learning = run(model, file, "--learn", "rtrl", "--set", "learn.samples=4")["learning"]
    assert (learning["stream"], learning["measured_on"]) == (f"train split of {file}", f"test split of {file}")
    refused(bim_compile(model, "--input", file, "--learn", "rtrl", "--split", "all"), "--split has no effect")


def test_what_was_learnt_from_counts_as_seen(trained: tuple[Path, Path], tmp_path: Path) -> None:
    """A stream that is not the training file's: the learnt model knows it, and still knows the file's splits."""
    model, file = trained
    stream = saved(tmp_path / "stream.npz", x=small_input(4, 6, seed=7), y=Y[:4])
    assert run(model, stream)["sequences"]["seen_in_training"] == 0
    run(model, stream, "--learn", "rtrl", "--set", "learn.samples=3", "--set", f"learn.test={file}")
    learnt = (tmp_path / "out" / "model.nir").rename(tmp_path / "learnt.nir")
    assert run(learnt, stream)["sequences"]["seen_in_training"] == 3
    assert run(learnt, file)["input"] == f"test split of {file}"


def test_learning_that_has_nothing_unseen_to_be_measured_on_says_so(tmp_path: Path) -> None:
    model, file = save_model(tmp_path / "model.pt"), saved(tmp_path / "s.npz", x=small_input(8, 6), y=Y)
    summary = run(model, file, "--learn", "rtrl", "--set", "learn.samples=4")
    assert summary["learning"]["measured_on"] == f"{file}, on the stream itself"
    assert [finding["rule"] for finding in summary["findings"]] == ["measured-on-the-stream"]
    other = saved(tmp_path / "t.npz", x=small_input(8, 6, seed=5), y=Y)
    learning = ("--learn", "rtrl", "--set", "learn.samples=4", "--set", f"learn.test={other}")
    assert run(model, file, *learning)["findings"] == []


def test_a_file_of_another_step_or_other_classes_is_warned_of(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt")
    file = save_input(tmp_path / "x.npz", dt=0.01, class_names=["b", "a", "c", "d"])
    assert [finding["rule"] for finding in run(model, file)["findings"]] == ["input-dt", "input-classes"]


# -- how many


def test_samples_all_runs_all(tmp_path: Path) -> None:
    model, file = save_model(tmp_path / "model.pt"), save_input(tmp_path / "x.npz", samples=40)
    assert run(model, file)["samples"] == 32
    assert run(model, file, "--samples", "all")["samples"] == 40
    for wrong in ("0", "-1", "some", "1.5", "1" * 5000):
        refused(bim_compile(model, "--input", file, "--samples", wrong), "--samples", "or all")


# -- which axis is time


def test_a_file_that_may_be_read_both_ways_is_refused_with_both(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt")
    file = saved(tmp_path / "x.npz", x=small_input(4, 6))
    ended = bim_compile(model, "--input", file)
    refused(ended, "4 samples of 6 steps or, time first, 6 samples of 4 steps?", "--layout BTC", "--layout TBC")
    assert run(model, file, "--layout", "BTC")["samples"] == 4
    summary = run(model, file, "--layout", "TBC")
    assert (summary["samples"], summary["steps"], summary["sequences"]["layout"]) == (6, 4, "TBC")
    assert "time first, 6 samples of 4 steps" in summary["sequences"]["notes"][0]


def test_time_first_gives_the_same_result(tmp_path: Path) -> None:
    model, x = save_model(tmp_path / "model.pt"), small_input(5, 7)
    results = [run(model, saved(tmp_path / "x.npz", x=array, y=Y[:5])) for array in (x, x.swapaxes(0, 1))]
    first, second = ([layer["spikes"] for layer in result["layers"]] for result in results)
    assert first == second
    assert [result["sequences"]["layout"] for result in results] == ["BTC", "TBC"]
    assert results[0]["accuracy"] == results[1]["accuracy"]
    assert results[1]["sequences"]["notes"] == [
        f"x of '{tmp_path / 'x.npz'}' is read time first, 5 samples of 7 steps: y has 5 entries"
    ]


@pytest.mark.parametrize(
    ("arrays", "layout", "samples"),
    [
        ({"y": Y[:4]}, "BTC", 4),
        ({"y": np.arange(6) % 4}, "TBC", 6),
        ({"group": np.arange(6)}, "TBC", 6),
        ({"split": np.array([0, 1, 2, 2])}, "BTC", 4),
        ({"layout": "TBC"}, "TBC", 6),
        ({"layout": np.array(b"BTC")}, "BTC", 4),
        ({"x_test": small_input(3, 6)}, "BTC", 7),
        ({"x_test": small_input(4, 3)}, "TBC", 9),
    ],
)
def test_what_tells_the_layout(tmp_path: Path, arrays: dict[str, Any], layout: str, samples: int) -> None:
    read = read_recordings(saved(tmp_path / "x.npz", x=small_input(4, 6), **arrays))
    assert (read.layout, len(read.data)) == (layout, samples)
    assert bool(read.notes) == (layout == "TBC")


def test_a_square_file_is_not_guessed_even_with_labels(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.npz", x=small_input(6, 6), y=np.arange(6) % 4)
    with pytest.raises(InputError, match="6 samples of 6 steps"):
        read_recordings(file)
    with pytest.raises(InputError, match="6 samples of 6 steps"):
        load_task("own", file)
    assert read_recordings(file, "TBC").data.x[0].tolist() == small_input(6, 6)[:, 0].astype(np.float32).tolist()


def test_the_steps_of_the_training_tell_the_layout(trained: tuple[Path, Path], tmp_path: Path) -> None:
    model, _ = trained
    first, second = small_input(4, 6, seed=3), small_input(6, 4, seed=3)
    assert run(model, saved(tmp_path / "a.npz", x=first))["sequences"]["layout"] == "BTC"
    summary = run(model, saved(tmp_path / "b.npz", x=second))
    assert (summary["samples"], summary["sequences"]["layout"]) == (4, "TBC")
    assert "the model was trained on 6 steps" in summary["sequences"]["notes"][0]


def test_a_layout_that_contradicts_the_file_or_is_none_is_refused(tmp_path: Path) -> None:
    file = saved(tmp_path / "x.npz", x=small_input(4, 6), layout="TBC")
    with pytest.raises(InputError, match="its layout is TBC, BTC was asked for"):
        read_recordings(file, "BTC")
    with pytest.raises(InputError, match="no layout is called 'CBT'"):
        read_recordings(saved(tmp_path / "y.npz", x=small_input(4, 6), layout="CBT"))
    refused(bim_compile(ROOT / "examples" / "digits.pt", "--layout", "TBC"), "--layout has no effect without --input")
    refused(bim_train("digits", "--layout", "TBC"), "knows its layout")


def test_training_reads_time_first_files(tmp_path: Path) -> None:
    arrays = own(classes=2)
    file = saved(tmp_path / "own.npz", x=arrays["x"].swapaxes(0, 1), y=arrays["y"])
    task, usual = load_task("own", file), load_task("own", saved(tmp_path / "usual.npz", **arrays))
    assert np.array_equal(task.train.x, usual.train.x)
    assert "time first, 60 samples of 5 steps" in task.notes[0]
    model = tmp_path / "own.pt"
    ended = bim_train("own", "--data", file, "-o", model, "--epochs", 1, "--channels", 4, "--states", 2)
    assert "note: x of" in ended.err
    assert "time first" in ended.err


# -- labels and names


@pytest.mark.parametrize(
    "y", [np.arange(60) % 3 * 1.0, (np.arange(60) % 3)[:, None], (np.arange(60) % 3).astype(np.uint8)]
)
def test_labels_of_another_type_are_read_without_loss(tmp_path: Path, y: Any) -> None:
    read = read_recordings(saved(tmp_path / "own.npz", **{**own(), "y": y})).data.y
    assert read is not None
    assert (read.dtype, read.tolist()) == (np.int64, (np.arange(60) % 3).tolist())


def test_labels_from_one_train_no_phantom_class(tmp_path: Path) -> None:
    arrays = own()
    file = saved(tmp_path / "own.npz", x=arrays["x"], y=arrays["y"] + 1)
    ended = bim_train("own", "--data", file, "-o", tmp_path / "own.pt")
    refused(ended, "labels run from 1 to 3, so class 0 has no sample", "subtract 1", "class_names")
    assert not (tmp_path / "own.pt").exists()
    names = ["none", "a", "b", "c"]
    task = load_task("own", saved(tmp_path / "named.npz", x=arrays["x"], y=arrays["y"] + 1, class_names=names))
    assert task.class_names == tuple(names)
    assert [finding.message for finding in task.findings] == [
        f"class 0, 'none', has no sample in the training split of '{tmp_path / 'named.npz'}'"
    ]


@pytest.mark.parametrize(
    ("y", "words", "hint"),
    [
        (np.zeros(60, int), "has one class", "is y the right array"),
        (np.arange(60) % 3 * 2, "labels run from 0 to 4 with gaps: class 1 has no sample", "numpy.unique"),
        (np.arange(60) % 2 * 2 + 1, "labels run from 1 to 3 with gaps: class 0 has no sample", "numpy.unique"),
        (np.arange(60) % 3 + 5, "labels run from 5 to 7, so classes 0 to 4 have no sample", "subtract 5"),
        (np.arange(60) % 3 - 1, "labels run from -1 to 1", "count from 0"),
        (np.full(60, np.nan), "y of .* is nan at sample 0", ""),
        (np.full(60, 2.0**63), "one integer a sample", ""),
        (np.array(["a", "b", "c"] * 20), "one integer a sample", "numpy.unique"),
        (np.zeros((60, 2), int), "one integer a sample", "argmax(1)"),
    ],
)
def test_labels_that_mean_no_class_are_refused(tmp_path: Path, y: Any, words: str, hint: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        load_task("own", saved(tmp_path / "own.npz", **{**own(), "y": y}))
    assert hint in refusal.value.hint


def test_a_class_that_no_training_sample_has_is_refused_or_named(tmp_path: Path) -> None:
    arrays = own()
    split = np.where(arrays["y"] == 2, 2, np.arange(60) // 3 % 3)
    with pytest.raises(InputError, match="class 2, '2', has no sample in the training split"):
        load_task("own", saved(tmp_path / "own.npz", **arrays, split=split))
    task = load_task("own", saved(tmp_path / "own.npz", **arrays, split=split, class_names=["a", "b", "c"]))
    assert [finding.rule for finding in task.findings] == ["class-without-samples"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([1, 2, 3], "class_names of .* is int64"),
        ([["a", "b", "c"]], "class_names of .* shape"),
        ("abc", "class_names of .* shape"),
        (["a", "b", "a"], "classes 0 and 2 are both called 'a'"),
        (["a", "b", ""], "class 2 is called ''"),
        (np.array([b"a", b"b", b"\xff\xfe"]), "bytes that are no text"),
        (["a", "b"], "labels run from 0 to 2, 2 classes are named"),
    ],
)
def test_class_names_are_different_words(tmp_path: Path, names: Any, words: str) -> None:
    with pytest.raises(InputError, match=words) as refusal:
        load_task("own", saved(tmp_path / "own.npz", **own(), class_names=names))
    assert refusal.value.message.isprintable()


def test_class_names_of_bytes_are_words(tmp_path: Path) -> None:
    names = np.array(["été", "[/other]", "N"])
    task = load_task("own", saved(tmp_path / "own.npz", **own(), class_names=np.char.encode(names, "utf-8")))
    assert task.class_names == ("été", "[/other]", "N")


# -- splits and the rest of the file


def test_a_file_brings_its_own_splits_to_training(tmp_path: Path) -> None:
    arrays = own()
    given = np.arange(60) // 3 % 3
    task = load_task("own", saved(tmp_path / "a.npz", **arrays, split=given))
    assert np.array_equal(task.train.x, arrays["x"][given == 0].astype(np.float32))
    assert np.array_equal(task.validation.x, arrays["x"][given == 1].astype(np.float32))
    halves = {"x": arrays["x"][:45], "y": arrays["y"][:45], "x_test": arrays["x"][45:], "y_test": arrays["y"][45:]}
    task = load_task("own", saved(tmp_path / "b.npz", **halves))
    assert np.array_equal(task.test.x, arrays["x"][45:].astype(np.float32))
    assert [len(task.train), len(task.validation)] == [39, 6]  # 15 % of each class of what is no test
    assert sorted(np.concatenate([task.train.place, task.validation.place]).tolist()) == list(range(45))  # type: ignore[list-item]


def test_validation_is_dealt_by_groups_where_there_are_some(tmp_path: Path) -> None:
    arrays, group = own(), np.arange(60) // 6
    task = load_task("own", saved(tmp_path / "a.npz", **arrays, group=group, split=np.where(group > 7, 2, 0)))
    assert task.train.group is not None
    assert task.validation.group is not None
    assert not set(task.train.group.tolist()) & set(task.validation.group.tolist())
    assert [len(task.train), len(task.validation), len(task.test)] == [42, 6, 12]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y_test": np.zeros(3, int)}, "y_test without x_test"),
        ({"x_test": np.zeros((3, 5, 2))}, "has y and no y_test"),
        ({"x_test": np.zeros((3, 5, 2)), "y_test": np.zeros(3, int), "split": np.zeros(60, int)}, "both x_test and"),
        ({"x_test": np.zeros((3, 5, 4)), "y_test": np.zeros(3, int)}, "x and x_test of .* differ"),
        ({"x_test": np.full((3, 5, 2), np.nan), "y_test": np.zeros(3, int)}, "x_test of .* holds nan at sample 0"),
        ({"split": np.array(["train"] * 59 + ["tset"])}, "split of .* holds 'tset'"),
        ({"split": np.full(60, 3)}, "split of .* holds numbers from 3 to 3"),
        ({"split": np.zeros(60, int)}, "leaves no sample for 'test'"),
        ({"split": np.arange(60) // 3 % 3, "group": np.zeros(60, int)}, "group 0 of .* lies in the splits train and"),
    ],
)
def test_splits_that_contradict_themselves_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        load_task("own", saved(tmp_path / "own.npz", **own(), **change))


def test_an_unknown_array_is_named_once_and_not_read(tmp_path: Path) -> None:
    model = save_model(tmp_path / "model.pt")
    file = save_input(tmp_path / "x.npz", labels=np.array([{}], dtype=object))
    notes = run(model, file)["sequences"]["notes"]
    assert notes == [f"'labels' of '{file}' means nothing here and was not read"]


def test_every_array_stands_in_the_page() -> None:
    from bim_neuro.tasks.arrays import KEYS

    page = (ROOT / "docs" / "inputs.md").read_text()
    assert [key for key in KEYS if f"| `{key}` |" not in page] == []


# -- the encoder


def clean(samples: int = 42) -> Any:
    return np.random.default_rng(0).normal(0, 0.4, (samples, 20, 3))


@pytest.mark.parametrize("kind", ["graded", "delta"])
@pytest.mark.parametrize("value", [1e6, -1e6, 50.0])
def test_one_glitched_step_does_not_set_the_scale(kind: str, value: float) -> None:
    x = clean()
    glitched = x.copy()
    glitched[7, 11] = value
    places = np.arange(100, 142)
    right, got = fit(kind, x), fit(kind, glitched, places)
    assert got.encoder.gain == pytest.approx(right.encoder.gain, rel=0.06)  # one value was there too
    assert got.encoder.offset == pytest.approx(right.encoder.offset, abs=0.1)
    assert right.findings == ()
    assert [finding.rule for finding in got.findings] == ["outlier"] * 3
    assert f"channel 1 is {value:g} at sample 107, step 11" in got.findings[1].message


def test_a_few_glitches_in_two_samples_do_not_set_it() -> None:
    x = clean()
    glitched = x.copy()
    glitched[[7, 30], 4:8, 1] = 300
    got = fit("graded", glitched)
    assert got.encoder.gain == pytest.approx(fit("graded", x).encoder.gain, rel=0.06)
    assert "(2 samples go that way)" in got.findings[0].message


def test_a_sample_on_another_scale_does_not_set_it_either() -> None:
    x = clean()
    other = x.copy()
    other[3] *= 1000
    assert fit("graded", other).encoder.gain == pytest.approx(fit("graded", x).encoder.gain, rel=0.06)


@pytest.mark.parametrize("kind", ["graded", "delta"])
def test_data_that_are_merely_wild_keep_their_range(kind: str) -> None:
    """Heavy tails, a class that is rare and loud, and a channel that seldom speaks are no glitches."""
    rng = np.random.default_rng(0)
    loud = rng.normal(0, 1, (100, 20, 1))
    loud[:8] *= 30
    seldom = np.zeros((100, 20, 1))
    seldom[rng.choice(100, 9, replace=False), 3] = 1
    for x in (rng.standard_t(3, (200, 20, 1)), rng.lognormal(0, 1.5, (200, 20, 1)), loud, seldom):
        got = fit(kind, x)
        assert got.findings == ()
        if kind == "delta":
            assert (got.encoder.gain, got.encoder.offset) == (4 / x.std(), x.mean())
        else:
            low, high = np.percentile(x, [0.1, 99.9])
            centre = (low + high) / 2 if low < 0 else low
            assert (got.encoder.gain, got.encoder.offset) == (127 / (high - centre), centre)


@pytest.mark.parametrize("kind", ["graded", "delta"])
@pytest.mark.parametrize("noise", [0, 1e-7])
def test_a_constant_channel_is_named_and_silent(kind: str, noise: float) -> None:
    """Float32's rounding is no signal: a gain of 1e11 would make one of it."""
    x = clean()
    x[..., 1] = 5 * (1 + noise * np.random.default_rng(1).normal(size=x.shape[:2]))
    got = fit(kind, x)
    assert got.encoder.gain[1] == 0
    assert [finding.rule for finding in got.findings] == ["constant-channel"]
    assert "channel 1 is constant in training: " in got.findings[0].message
    later = x[:2].copy()
    later[..., 1] = 1e9
    encoded = got.encoder.encode(later)
    assert not encoded[..., 1::3].any()
    assert encoded[..., 0].any()


def test_a_silent_channel_is_no_part_of_the_scale_a_model_wants(tmp_path: Path) -> None:
    encoder = Encoder("graded", np.array([127.0, 0, 127, 127, 127]), np.array([0.0, 700, 0, 0, 0]))
    model = save_model(tmp_path / "model.pt", replace(small_checkpoint(), encoder=encoder))
    summary = run(model, saved(tmp_path / "x.npz", x=16 * small_input(4, 6), y=Y[:4]))
    assert (summary["encoder"]["low"][1], summary["encoder"]["high"][1]) == (700, 700)
    (finding,) = (finding for finding in summary["findings"] if finding["rule"] == "clipped-input")
    assert "the model expects -1 to 1: divide by" in finding["hint"]
    moves = Encoder("delta", np.array([10.0, 0]), np.zeros(2))
    _, seen = moves.encode_and_see(np.random.default_rng(0).normal(size=(2, 9, 2)))
    (finding,) = clipped_input(moves, seen, "input")
    assert finding.hint.startswith("x is 1.6 or more away from the sum of its events")


def test_a_channel_that_moves_once_is_named() -> None:
    x = clean()
    x[..., 2] = 0
    x[5, 6, 2] = 3
    got = fit("graded", x)
    assert np.isfinite(got.encoder.gain).all()
    assert got.encoder.gain.max() < 1e4
    assert [finding.rule for finding in got.findings] == ["lone-sample"]
    words = "channel 2 is 0 at every step of every sample but one: it is 3 at sample 5, step 6"
    assert words in got.findings[0].message


def test_a_channel_of_tiny_numbers_is_a_channel() -> None:
    """Magnetic fields of a brain are 1e-13 T; a floor of 1e-9 made them silence."""
    x = clean() * 1e-13
    assert fit("graded", x).encoder.gain == pytest.approx(fit("graded", clean()).encoder.gain * 1e13)


def test_nothing_but_constants_is_refused_before_training(tmp_path: Path) -> None:
    file = saved(tmp_path / "own.npz", x=np.ones((60, 5, 2)), y=np.arange(60) % 3)
    refused(bim_train("own", "--data", file, "-o", tmp_path / "own.pt"), "every one of the 2 channels of x is constant")
    assert not (tmp_path / "own.pt").exists()


def test_training_names_the_glitch_before_it_trains(tmp_path: Path) -> None:
    """By its number in the file; the record keeps it."""
    arrays = own()
    place = int(load_task("own", saved(tmp_path / "own.npz", **arrays)).train.place[17])  # type: ignore[index]
    arrays["x"][place, 3, 1] = 1e6
    file, record = saved(tmp_path / "own.npz", **arrays), tmp_path / "record.json"
    ended = bim_train("own", "--data", file, "-o", tmp_path / "own.pt", "--epochs", 1, "--channels", 4, "--states", 2,
                      "--json", record)  # fmt: skip
    assert ended.code == 0, ended.err
    assert f"warning: channel 1 is 1e+06 at sample {place}, step 3" in ended.err
    (finding,) = json.loads(record.read_text())["findings"]
    assert (finding["rule"], finding["severity"]) == ("outlier", "warning")
    save_checkpoint(load_checkpoint(tmp_path / "own.pt"), tmp_path / "again.pt")


def test_many_degenerate_channels_take_few_lines() -> None:
    x = np.concatenate([clean(), np.zeros((42, 20, 700))], axis=2)
    findings = fit("graded", x).findings
    assert len(findings) == 6
    assert "695 more channels are constant too: 8, 9, 10" in findings[-1].message


@pytest.mark.parametrize("name", ["digits", pytest.param("ecg", marks=pytest.mark.slow)])
def test_the_examples_keep_their_encoders(name: str, request: pytest.FixtureRequest) -> None:
    """The robust fit is today's fit, to the last bit, on data that are well."""
    data = None if name == "digits" else request.getfixturevalue("recordings") / "mitbih"
    encoder = load_checkpoint(ROOT / "examples" / f"{name}.pt").encoder
    got = fit("graded", load_task(name, data).train.x)
    assert np.array_equal(got.encoder.gain, encoder.gain)
    assert np.array_equal(got.encoder.offset, encoder.offset)
    assert got.findings == ()


@pytest.mark.parametrize("y", [[np.array([1]), np.array([0, 1])], [np.array([[1, 0]]), np.array([[1], [0]])]])
def test_splits_of_several_lengths_are_put_behind_each_other_padded(y: list[Array]) -> None:
    """Strings of symbols have several lengths too."""
    x = [np.ones((1, 3, 2), np.float32), np.full((2, 5, 2), 2, np.float32)]
    parts = (Dataset(x[0], y[0]), Dataset(x[1], y[1], lengths=np.array([4, 5])))
    whole = sequences._joined(parts)
    assert whole.valid.tolist() == [3, 4, 5]
    for part, first in zip(parts, (0, 1), strict=True):
        rows = slice(first, first + len(part))
        assert np.array_equal(whole.x[rows, : part.x.shape[1]], part.x)
        assert part.y is not None
        assert whole.y is not None
        assert np.array_equal(whole.y[rows] if part.y.ndim == 1 else whole.y[rows, : part.y.shape[1]], part.y)
    assert not whole.x[0, 3:].any()
    assert y[0].ndim == 1 or whole.y[1:, 1:].tolist() == [[NOT_ASKED], [NOT_ASKED]]

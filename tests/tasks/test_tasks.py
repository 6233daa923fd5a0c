"""Tasks: what a split holds, what a beat looks like, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from made_records import write_archive, write_record
from sklearn.metrics import accuracy_score, f1_score, recall_score

from bim_neuro.errors import InputError
from bim_neuro.tasks import TASKS, Dataset, Task, load_task, logistic_regression_baseline, metrics, read_sequences
from bim_neuro.tasks import ecg as ecg_task
from bim_neuro.tasks.dataset import HEADS
from bim_neuro.tasks.mitbih import DS2, Beats


def sequences(samples: int = 60, classes: int = 3) -> dict[str, np.ndarray]:
    """Sequences whose class is the sign and size of their first channel."""
    y = np.arange(samples) % classes
    x = np.random.default_rng(0).normal(0, 0.1, (samples, 5, 2))
    x[:, :, 0] += y[:, None]
    return {"x": x, "y": y}


def saved(path: Path, **arrays: object) -> Path:
    np.savez(path, **arrays)
    return path


# -- the registry and the checks


def test_an_unknown_task_is_refused_with_the_list() -> None:
    with pytest.raises(InputError, match="no task is called 'chess'") as refusal:
        load_task("chess")
    assert refusal.value.hint == f"one of: {', '.join(TASKS)}"


def test_a_seed_that_no_generator_takes_is_refused() -> None:
    with pytest.raises(InputError, match="seed is -1, a whole number from 0 to"):
        load_task("digits", seed=-1)


@pytest.mark.parametrize(
    ("x", "words"),
    [
        (np.zeros((3, 4)), r"x has 2 axes \(3, 4\)"),
        (np.zeros((3, 0, 2)), "x is empty"),
        (np.full((1, 1, 1), "a"), "x holds <U1"),
        (np.where(np.arange(24).reshape(2, 4, 3) == 17, np.nan, 0), "x holds nan at sample 1, step 1, channel 2"),
        (np.where(np.arange(24).reshape(2, 4, 3) == 3, np.inf, 0), "x holds inf at sample 0, step 1, channel 0"),
    ],
)
def test_a_dataset_names_what_is_wrong_and_where(x: np.ndarray, words: str) -> None:
    with pytest.raises(InputError, match=words):
        Dataset(x)


def test_labels_and_groups_are_one_a_sample() -> None:
    with pytest.raises(InputError, match=r"group has shape \(3,\), x has 2 samples"):
        Dataset(np.zeros((2, 3, 1), np.float32), np.array([0, 1]), np.array([1, 2, 3]))


def test_take_keeps_labels_and_groups_with_their_samples() -> None:
    data = Dataset(np.arange(6, dtype=np.float32).reshape(3, 2, 1), np.array([0, 1, 2]), np.array([7, 8, 9]))
    part = data.take(np.array([2, 0]))
    assert part.x[:, 0, 0].tolist() == [4, 0]
    assert part.y is not None
    assert part.group is not None
    assert (part.y.tolist(), part.group.tolist()) == ([2, 0], [9, 7])


def test_a_task_refuses_a_label_without_a_name_and_an_empty_split() -> None:
    x = np.zeros((2, 3, 1), np.float32)
    full, empty = Dataset(x, np.array([0, 1])), Dataset(x[:0], np.array([], np.int64))
    with pytest.raises(InputError, match="labels run from 0 to 1, 1 classes are named"):
        Task("toy", "", ("only",), ("c",), 0.001, full, full, full)
    toy = Task("toy", "", ("a", "b"), ("c",), 0.001, full, full, empty)
    assert toy.split("train") is full
    with pytest.raises(InputError, match="no samples for the test split"):
        toy.split("test")
    with pytest.raises(InputError, match="no split is called 'valid'"):
        toy.split("valid")


def toy(head: str, y: np.ndarray, lengths: np.ndarray | None = None) -> Task:
    """Two samples of four steps, three classes."""
    data = Dataset(np.zeros((2, 4, 1), np.float32), y, lengths=lengths)
    return Task("toy", "", ("a", "b", "c"), ("x",), 0.001, data, data, data, head=head)


ANSWERS = {
    "class": [0, 2],
    "step": [[0, -1, 2, -1], [1, 1, 1, 1]],
    "next": [[0, -1, 2, -1], [1, 1, 1, 1]],
    "labels": [[0, 1, 1], [0, 0, 0]],
    "ctc": [[1, 1], [2, -1]],
}


@pytest.mark.parametrize("head", HEADS)
def test_every_head_takes_its_own_answers(head: str) -> None:
    assert toy(head, np.array(ANSWERS[head]), np.array([3, 4])).head == head


@pytest.mark.parametrize(
    ("head", "y", "words"),
    [
        ("class", [[0], [1]], r"y has shape \(2, 1\), head 'class' asks for \(samples,\)"),
        ("step", [0, 1], r"y has shape \(2,\), head 'step' asks for \(samples, 4\)"),
        ("labels", [[0, 1], [1, 0]], r"asks for \(samples, 3\)"),
        ("labels", [[0, 1, 2], [0, 0, 0]], "y runs from 0 to 2, head 'labels' asks for 0 and 1"),
        ("next", [[0, 3, 0, 0], [0, 0, 0, 0]], "labels run from 0 to 3, 3 classes are named"),
        ("step", [[0, 0, 0, 1], [0, 0, 0, 0]], "y asks for class 1 at sample 0, step 3, which has 3 steps"),
        ("step", [[0, 0, 0, -1], [-1, -1, -1, -1]], "y asks nothing of sample 1"),
        ("ctc", [[1, 0], [2, 1]], "y of sample 0 holds class 0, which is the blank"),
        ("ctc", [[1, 2], [-1, 1]], "y of sample 1 goes on after its padding"),
        ("ctc", [[1, 2], [-1, -1]], "y of sample 1 is empty"),
        ("ctc", [[1, 1, -1], [2, 2, 2]], "y of sample 1 needs at least 5 steps, it has 4"),
    ],
)
def test_a_task_says_what_its_head_asks_for(head: str, y: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        toy(head, np.array(y), np.array([3, 4]))


@pytest.mark.parametrize("lengths", [[0, 4], [4, 5]])
def test_lengths_lie_within_the_sequence(lengths: list[int]) -> None:
    with pytest.raises(InputError, match=r"lengths holds . at sample ., x has 4 steps"):
        toy("class", np.array([0, 1]), np.array(lengths))


def test_take_keeps_lengths_and_a_mapped_file_stays_mapped(tmp_path: Path) -> None:
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(3, 4, 1))
    y = np.memmap(tmp_path / "y", np.int64, "w+", shape=(3, 4))
    data = Dataset(x, y, lengths=np.array([4, 2, 3]))
    assert np.shares_memory(data.x, x)
    assert data.y is not None
    assert np.shares_memory(data.y, y)
    assert data.take(np.array([2, 0])).valid.tolist() == [3, 4]


# -- metrics and the baseline


def test_metrics_of_a_case_counted_by_hand() -> None:
    """a: 2 of 3 found, claimed 3 times; b: 1 of 2 found, claimed twice; c never occurs."""
    y, predicted = np.array([0, 0, 0, 1, 1]), np.array([0, 0, 1, 1, 0])
    assert metrics(y, predicted, ("a", "b", "c")) == {
        "accuracy": 3 / 5,
        "sensitivity": {"a": 2 / 3, "b": 1 / 2},
        "macro_f1": pytest.approx((4 / 6 + 2 / 4) / 2),
    }


@pytest.mark.parametrize("seed", range(4))
def test_metrics_are_those_of_scikit_learn(seed: int) -> None:
    """Classes that nobody has or claims, and one that is claimed only, among them."""
    rng = np.random.default_rng(seed)
    y, predicted = rng.integers(0, 4, 200), rng.integers(0, 5, 200)
    got = metrics(y, predicted, tuple("abcdefg"))
    assert got["accuracy"] == accuracy_score(y, predicted)
    assert list(got["sensitivity"].values()) == list(recall_score(y, predicted, labels=[0, 1, 2, 3], average=None))
    assert got["macro_f1"] == pytest.approx(f1_score(y, predicted, average="macro"), rel=1e-15)


def test_metrics_refuse_what_cannot_be_compared() -> None:
    with pytest.raises(InputError, match="2 predictions cannot be compared with 3 labels"):
        metrics(np.zeros(3, int), np.zeros(2, int), ("a",))
    with pytest.raises(InputError, match="0 predictions"):
        metrics(np.zeros(0, int), np.zeros(0, int), ("a",))


def test_the_baseline_separates_what_a_line_separates(tmp_path: Path) -> None:
    task = load_task("own", saved(tmp_path / "own.npz", **sequences()))
    assert logistic_regression_baseline(task)["accuracy"] == 1.0


# -- digits


def test_digits_are_rows_of_pixels_in_a_stratified_split() -> None:
    task = load_task("digits")
    assert [len(task.split(name)) for name in ("train", "validation", "test")] == [1018, 180, 599]
    assert task.test.x.shape[1:] == (8, 8)
    assert (task.train.x.min(), task.train.x.max()) == (0, 1)
    assert task.test.y is not None
    assert set(np.bincount(task.test.y).tolist()) <= {58, 59, 60, 61}


def test_the_seed_draws_the_digits_and_draws_them_again() -> None:
    first, again, other = (load_task("digits", seed=seed).test.x for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_digits_take_no_data(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="brings its own data"):
        load_task("digits", tmp_path)


# -- a person's own file


def test_an_own_file_is_split_class_by_class(tmp_path: Path) -> None:
    arrays = sequences()
    task = load_task("own", saved(tmp_path / "own.npz", **arrays, class_names=["a", "b", "c"], dt=0.01))
    assert (task.class_names, task.dt) == (("a", "b", "c"), 0.01)
    counts = [np.bincount(data.y).tolist() for data in (task.train, task.validation, task.test) if data.y is not None]
    assert counts == [[14] * 3, [3] * 3, [3] * 3]
    everything = np.concatenate([task.train.x, task.validation.x, task.test.x])
    assert np.array_equal(np.unique(everything, axis=0), np.unique(arrays["x"].astype(np.float32), axis=0))


def test_a_group_stays_whole(tmp_path: Path) -> None:
    group = np.arange(60) // 6
    task = load_task("own", saved(tmp_path / "own.npz", **sequences(), group=group))
    groups = [set(data.group.tolist()) for data in (task.train, task.validation, task.test) if data.group is not None]
    assert [len(part) for part in groups] == [6, 2, 2]
    assert set.union(*groups) == set(range(10))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"x": None}, "has no array 'x', it has: y"),
        ({"y": None}, "no array 'y', and training needs labels"),
        ({"y": np.arange(60) / 2}, "y of .* is 0.5 at sample 1, one integer"),
        ({"y": np.arange(60)}, "class 0 has 1 members, 3 are needed"),
        ({"y": np.repeat([0, 1000], 30)}, "y of .*: labels run from 0 to 1000 with gaps: class 1 has no sample"),
        ({"y": np.arange(60) % 3 - 1}, "labels run from -1 to 1"),
        ({"y": np.zeros(59, int)}, r"y has shape \(59,\)"),
        ({"class_names": ["a", "b"]}, "labels run from 0 to 2, 2 classes are named"),
        ({"class_names": ["a", "a", "b"]}, "class_names"),
        ({"dt": 0.0}, "dt of .* one positive number"),
        ({"group": np.arange(60) % 2}, "group has 2 members"),
        ({"x": np.zeros((0, 5, 2)), "y": np.zeros(0, int)}, r"x of .* is empty: its shape is \(0, 5, 2\)"),
        ({"x": np.full((60, 5, 2), 1e300)}, "x holds inf at sample 0"),
        ({"x": np.array([None, 1], dtype=object)}, "holds Python objects"),
    ],
)
def test_a_wrong_own_file_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    arrays = {name: value for name, value in {**sequences(), **change}.items() if value is not None}
    with pytest.raises(InputError, match=words) as refusal:
        load_task("own", saved(tmp_path / "own.npz", **arrays))
    assert "\n" not in refusal.value.message


def test_sequences_to_run_need_no_labels(tmp_path: Path) -> None:
    assert read_sequences(saved(tmp_path / "run.npz", x=sequences()["x"]), "BTC").y is None
    labelled = read_sequences(saved(tmp_path / "run.npz", **sequences()))
    assert labelled.y is not None
    assert labelled.y.tolist() == sequences()["y"].tolist()


@pytest.mark.parametrize("name", ["own", "ecg"])
@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    file = tmp_path / "file.npz"
    file.write_bytes(content)
    with pytest.raises(InputError, match=r"file.npz is (empty|damaged or not an .npz archive)"):
        load_task(name, file)


def test_a_bare_array_and_a_missing_file_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "bare.npy", np.zeros(3))
    with pytest.raises(InputError, match="one bare array"):
        load_task("own", tmp_path / "bare.npy")
    with pytest.raises(InputError, match="no such file"):
        load_task("own", tmp_path / "nothing.npz")
    with pytest.raises(InputError, match="needs a file"):
        load_task("own")


# -- heartbeats


def test_a_made_record_gives_the_beats_that_were_written(tmp_path: Path) -> None:
    """Classes by symbol, Q dropped, lead MLII chosen though it comes second, the spike at R = step 11, sample 2."""
    write_record(tmp_path, "101", "NLAVFQ/eN")
    train = load_task("ecg", tmp_path).train
    assert train.y is not None
    assert train.y.tolist() == [0, 0, 1, 2, 3, 0]  # the ninth is kept for validation
    assert np.flatnonzero(train.x[0, :, :16]).tolist() == [90]
    assert train.x[0, 5, 10] == 1.0


def test_the_archive_and_the_record_give_the_same_sequences(tmp_path: Path) -> None:
    write_record(tmp_path, "101", "NLAVFQNNN")
    raw = load_task("ecg", tmp_path)
    archive = load_task("ecg", write_archive(tmp_path / "beats.npz", 101, "NLAVFQNNN"))
    for split in ("train", "validation"):
        assert np.array_equal(raw.split(split).x, archive.split(split).x)
        assert np.array_equal(raw.split(split).y, archive.split(split).y)


def beats_of(rr: list[int], window: np.ndarray | None = None) -> Beats:
    """Whole N beats with these intervals, spikes of 1 mV unless given."""
    if window is None:
        window = np.zeros((len(rr), 256), np.float32)
        window[:, 90] = 1
    zeros = np.zeros(len(rr), np.int64)
    return Beats(101, window.astype(np.float32), np.array(rr), zeros, zeros == 0)


def context(beats: Beats) -> dict[str, list[float]]:
    """The repeated channels by name, one value a beat."""
    x = ecg_task.features(beats)
    assert np.array_equal(x[:, :1, 16:].repeat(16, axis=1), x[:, :, 16:])
    return {name: x[:, 0, 16 + i].tolist() for i, name in enumerate(ecg_task.CHANNEL_NAMES[16:])}


def test_rhythm_channels_worked_out_by_hand() -> None:
    """0.8 s is assumed first; then 0.4 s against a mean of 0.8; then 1.2 s against 0.6, after 0.4."""
    channels = context(beats_of([0, 144, 432]))
    assert channels["rr"] == pytest.approx([0.8, 0.4, 1.2])
    assert channels["rr_to_mean"] == pytest.approx([0, -1, 1])
    assert channels["previous_rr_to_mean"] == pytest.approx([0, 0, np.log2(2 / 3)], abs=1e-6)


def test_a_beat_like_the_ones_before_matches_and_an_upside_down_one_does_not() -> None:
    window = np.zeros((3, 256), np.float32)
    window[:, 90] = [1, 1, -1]
    channels = context(beats_of([0, 300, 300], window))
    assert channels["qrs_match"] == pytest.approx([1, 1, -1], abs=1e-3)
    assert channels["qrs_change"] == pytest.approx([np.log2(0.05), np.log2(0.05), np.log2(2.05)], abs=0.2)


def test_each_wave_has_its_own_channel() -> None:
    """A P wave, a QRS or a T wave that the beats before did not have moves its own channel only."""
    for name, at in (("p_change", 45), ("qrs_change", 80), ("t_change", 200)):
        window = np.zeros((3, 256), np.float32)
        window[:, 90] = 1
        window[2, at] = 0.5
        channels = context(beats_of([0, 300, 300], window))
        moved = {key for key, value in channels.items() if abs(value[2] - value[1]) > 0.1}
        assert moved - {"qrs_match"} == {name}


def test_amplitude_is_measured_by_the_beats_before() -> None:
    """A patient with twice the voltage gives the same sequence, but for the floor of 1 uV under a difference of 0."""
    rng = np.random.default_rng(0)
    window = rng.normal(0, 1, (5, 256))
    once, twice = (ecg_task.features(beats_of([0] + [300] * 4, scale * window)) for scale in (1, 2))
    assert twice == pytest.approx(once, abs=0.05)


def test_a_later_beat_changes_nothing_before_it() -> None:
    rng = np.random.default_rng(0)
    window, rr = rng.normal(0, 1, (6, 256)), [0, 300, 200, 400, 300, 250]
    changed = window.copy()
    changed[4:] *= -3
    first, second = (ecg_task.features(beats_of(*given)) for given in ((rr, window), ([*rr[:4], 90, 700], changed)))
    assert np.array_equal(first[:4], second[:4])
    assert not np.array_equal(first[4], second[4])


def test_a_beat_cut_by_the_end_is_dropped_and_still_counts_as_past(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "beats.npz", 101, "NNNNN")
    with np.load(archive) as z:
        arrays = dict(z)
    arrays["pos"][0] = 89
    whole, cut = load_task("ecg", archive), load_task("ecg", saved(tmp_path / "cut.npz", **arrays))
    kept, every = (np.concatenate([task.train.x, task.validation.x]) for task in (cut, whole))
    assert len(every) == 5
    assert np.array_equal(kept, every[1:])


@pytest.mark.parametrize(
    ("records", "sizes"),
    [
        ([101, 118, 100], (9, 9, 9)),  # a training, a validation and a test record
        ([101, 106], (9, 9, 0)),  # no validation record: the last third is held out
        ([116, 118, 205], (18, 9, 0)),  # validation records only
        ([101, 999], (8, 1, 0)),  # one record: its last fifth; 999 is not MIT-BIH's
        ([100, 103], (0, 0, 18)),  # test records only
    ],
)
def test_any_subset_of_records_is_split_sensibly(tmp_path: Path, records: list[int], sizes: tuple[int, ...]) -> None:
    for record in records:
        write_record(tmp_path, str(record), "NNNNNNNNN")
    task = load_task("ecg", tmp_path)
    assert (len(task.train), len(task.validation), len(task.test)) == sizes


def test_missing_ecg_data_is_refused_with_the_way_to_it(tmp_path: Path) -> None:
    for data in (None, tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError) as refusal:
            load_task("ecg", data)
        assert "PhysioNet mitdb 1.0.0" in refusal.value.hint


def test_a_record_at_another_rate_or_without_a_file_is_refused(tmp_path: Path) -> None:
    write_record(tmp_path, "101", "NNN", fs=250)
    with pytest.raises(InputError, match="sampled at 250 Hz, MIT-BIH records at 360 Hz"):
        load_task("ecg", tmp_path)
    write_record(tmp_path, "101", "NNN")
    (tmp_path / "101.atr").unlink()
    with pytest.raises(InputError, match=r"cannot read the record .*101"):
        load_task("ecg", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sym": None}, "lacks the arrays sym"),
        ({"X": np.zeros((5, 255), np.int16)}, r"X of .* has shape \(5, 255\)"),
        ({"pos": np.zeros(4, int)}, r"pos of .* has shape \(4,\), X has 5 beats"),
        ({"rec": np.full(5, 999)}, "no beat of the 44 records"),
        ({"sym": np.array(list("+~|QQ"))}, "no beat of the 44 records"),
    ],
)
def test_a_wrong_archive_is_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    with np.load(write_archive(tmp_path / "beats.npz", 101, "NNNNN")) as z:
        arrays = {name: value for name, value in {**z, **change}.items() if value is not None}
    with pytest.raises(InputError, match=words):
        load_task("ecg", saved(tmp_path / "changed.npz", **arrays))


# -- real recordings


@pytest.fixture(scope="module")
def mitbih(recordings: Path) -> Task:
    return load_task("ecg", recordings / "mitbih")


def test_the_inter_patient_split_holds_what_de_chazal_counted(mitbih: Task) -> None:
    """README of the archive, less Q and the 39 beats, 20 + 19, cut by a record's ends."""
    counts = [
        np.bincount(data.y).tolist() for data in (mitbih.train, mitbih.validation, mitbih.test) if data.y is not None
    ]
    assert np.sum(counts[:2], axis=0).tolist() == [45848, 944, 3788, 414]
    assert sum(counts[2]) == 49685
    assert set(np.unique(mitbih.validation.group)) == set(ecg_task.VALIDATION)
    assert set(np.unique(mitbih.test.group)) == set(DS2)


@pytest.mark.parametrize(("record", "split"), [(100, "test"), (119, "validation")])
def test_a_real_record_and_the_archive_give_the_same_sequences(
    mitbih: Task, recordings: Path, record: int, split: str
) -> None:
    """119 has 107 annotations that mark no beat; both sources measure intervals between beats only."""
    archive, raw = mitbih.split(split), load_task("ecg", recordings / "mitbih" / "records")
    expected = archive.take(archive.group == record)
    got = next(
        data.take(data.group == record) for data in (raw.train, raw.validation, raw.test) if record in data.group
    )
    assert len(expected) > 1900
    assert np.array_equal(expected.x, got.x)
    assert np.array_equal(expected.y, got.y)

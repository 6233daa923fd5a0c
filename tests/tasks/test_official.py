"""Data sets in their official layout: what is read, how it is split, and which faults are named."""

import gzip
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.tasks.bonn import FS_HZ, SAMPLES, SETS, band_powers
from bim_neuro.tasks.psmnist import IMAGES, LABELS, read_idx


def idx(items: np.ndarray, magic: int) -> bytes:
    return b"".join(int(part).to_bytes(4, "big") for part in (magic, *items.shape)) + items.tobytes()


@pytest.fixture
def mnist(tmp_path: Path) -> Path:
    """Thirty-six generated images, twelve of them for the test; the training images are gzipped."""
    rng = np.random.default_rng(0)
    for part, count in (("train", 24), ("t10k", 12)):
        images = rng.integers(0, 256, (count, 28, 28)).astype(np.uint8)
        content = idx(images, IMAGES)
        end = ".gz" if part == "train" else ""
        path = tmp_path / f"{part}-images-idx3-ubyte{end}"
        path.write_bytes(gzip.compress(content) if end else content)
        (tmp_path / f"{part}-labels-idx1-ubyte").write_bytes(idx(np.arange(count, dtype=np.uint8) % 10, LABELS))
    return tmp_path


@pytest.fixture
def bonn(tmp_path: Path) -> Path:
    """Four generated segments a set, in the folders of the original zips."""
    rng = np.random.default_rng(0)
    for letter in SETS:
        (tmp_path / letter).mkdir()
        for number in range(1, 5):
            values = rng.integers(-200, 200, SAMPLES).astype(str)
            (tmp_path / letter / f"{letter}{number:03}.txt").write_text("\n".join(values) + "\n")
    return tmp_path


def test_the_pixels_of_an_image_come_in_one_drawn_order(mnist: Path) -> None:
    task = load_task("psmnist", mnist, seed=3)
    images = read_idx(mnist / "t10k-images-idx3-ubyte", IMAGES)
    order = np.random.default_rng(3).permutation(784)
    assert [len(task.train), len(task.validation), len(task.test)] == [22, 2, 12]
    np.testing.assert_array_equal(task.test.x[5, :, 0], images[5].ravel()[order].astype(np.float32) / 255)
    assert task.test.y is not None
    assert task.test.y.tolist() == [*range(10), 0, 1]
    assert any("not the bytes of the official MNIST" in note for note in task.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda content: b"\0\0\x08\x01" + content[4:], "begins with 0x00000801, IDX images with 0x00000803"),
        (lambda content: content[:-1], "declares 9,408 bytes, it holds 9,407"),
        (lambda content: content + b"\0", "declares 9,408 bytes, it holds more"),
        (lambda content: content[:4] + b"\xff" * 12 + content[16:], "1,000,000 of 28 x 28 are read at most"),
        (lambda content: content[:2], "begins with 0x00000000"),
    ],
)
def test_an_idx_file_that_lies_is_refused(mnist: Path, change, words: str) -> None:
    path = mnist / "t10k-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(InputError, match=words):
        load_task("psmnist", mnist)


def test_a_gzip_that_ends_early_is_refused(mnist: Path) -> None:
    path = mnist / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match="is damaged"):
        load_task("psmnist", mnist)


def test_a_missing_file_is_named_with_its_page(mnist: Path) -> None:
    (mnist / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(InputError, match="no file t10k-labels-idx1-ubyte") as refusal:
        load_task("psmnist", mnist)
    assert "yann.lecun.com" in refusal.value.hint


def test_segments_lie_in_one_split_and_every_set_in_each(bonn: Path) -> None:
    task = load_task("bonn-sets", bonn)
    groups = [set(np.unique(part.group)) for part in (task.train, task.validation, task.test)]
    assert set.union(*groups) == set(range(20))
    assert sum(map(len, groups)) == 20
    assert [np.bincount(part.y).tolist() for part in (task.train, task.validation, task.test)] == [
        [2] * 5, [1] * 5, [1] * 5]  # fmt: skip
    assert load_task("bonn", bonn).test.x.shape == (5, 256, 16)


def test_a_sine_has_its_power_in_its_own_band() -> None:
    time = np.arange(SAMPLES) / FS_HZ
    powers = band_powers(np.round(100 * np.sin(2 * np.pi * 10 * time)).astype(np.int64)[None])
    assert powers.shape == (1, 23, 5)
    assert (powers.argmax(-1) == 2).all()  # alpha
    np.testing.assert_allclose(powers[..., 2], np.log10(100**2 / 2), atol=0.05)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("1\n2\n", "holds 2 values, a segment has 4,097"),
        ("1\n" * 4096 + "x", "holds 'x' as value 4097"),
        ("1\n" * 200_000, "more than 262,144 bytes"),
    ],
)
def test_a_damaged_segment_is_named(bonn: Path, content: str, words: str) -> None:
    (bonn / "F" / "F002.txt").write_text(content)
    with pytest.raises(InputError, match=words):
        load_task("bonn", bonn)


def test_a_missing_set_is_named(bonn: Path) -> None:
    for path in (bonn / "S").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="no segment of set E"):
        load_task("bonn", bonn)


def test_data_of_another_task_are_refused_by_name(bonn: Path) -> None:
    with pytest.raises(InputError, match="looks like the Bonn EEG sets A to E, task 'psmnist' reads MNIST") as refusal:
        load_task("psmnist", bonn)
    assert refusal.value.hint == "use task bonn"
    with pytest.raises(InputError, match="looks like the Bonn EEG"):
        load_task("ecg", bonn)


def test_the_original_bonn_files_are_read(recordings: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(recordings / "bonn_eeg" / "bonn_original_txt.zip") as archive:
        archive.extractall(tmp_path)
    task = load_task("bonn-bands", tmp_path)
    assert [len(task.train), len(task.validation), len(task.test)] == [350, 75, 75]
    assert [int(part.y.sum()) for part in (task.train, task.validation, task.test)] == [70, 15, 15]

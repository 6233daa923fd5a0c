"""Samples that stay in their file are what numpy reads of it, and are refused where it would be refused."""

from __future__ import annotations

import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.intake import StoredSamples, read_npz, stored_samples
from bim_neuro.nodes.arithmetic import Array

SHAPE = (7, 5, 3)
LOCAL_NAME, LOCAL_EXTRA = 26, 28
"""Where a member's local header has the lengths of its name and of what follows it."""


def numbers(kind: str = "<f4") -> Array:
    return np.random.default_rng(0).integers(0, 2 if kind == "?" else 100, SHAPE).astype(kind)


def written(path: Path, x: Array, *before: str) -> Path:
    """Write x behind arrays of other lengths, so that it does not begin where any header is aligned."""
    np.savez(path, **{name: np.arange(index) for index, name in enumerate(before, 3)}, x=x)
    return path


def stored(path: Path) -> StoredSamples:
    found = stored_samples(path, "x")
    assert found is not None
    return found


INDICES: list[Any] = [
    2, -1, np.int64(3), slice(None), slice(1, 6, 2), slice(0, 0), np.array([5, 0, 5]), np.arange(7) % 2 == 0, [1, -2],
    Ellipsis,
]  # fmt: skip


@pytest.mark.parametrize("kind", ["<f4", ">f4", "<f8", "<f2", "<i4", "|u1", "?"])
def test_any_rows_are_those_of_the_array(tmp_path: Path, kind: str) -> None:
    path = written(tmp_path / "x.npz", numbers(kind), "a", "bcd")
    x, wanted = stored(path), read_npz(path)["x"].astype(np.float32)
    assert (x.shape, x.dtype, x.ndim, x.size, len(x)) == (SHAPE, np.float32, 3, 105, 7)
    for index in INDICES:
        found = x[index]
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, wanted[index], err_msg=str(index))
    np.testing.assert_array_equal(np.asarray(x), wanted)
    np.testing.assert_array_equal(np.stack(list(x)), wanted)
    np.testing.assert_array_equal(np.asarray(x, np.float64), wanted.astype(np.float64))


@pytest.mark.parametrize("index", INDICES[3:])
def test_a_split_stays_in_the_file_and_may_be_split_again(tmp_path: Path, index: Any) -> None:
    x, wanted = stored(written(tmp_path / "x.npz", numbers())), numbers()
    taken = x.taken(index)
    assert isinstance(taken, StoredSamples)
    np.testing.assert_array_equal(np.asarray(taken), wanted[index])
    np.testing.assert_array_equal(np.asarray(taken.taken(slice(1, None))), wanted[index][1:])


@pytest.mark.parametrize("index", [7, -8, [0, 7], np.arange(6) > 2, 0.5, "x"])
def test_no_such_rows_as_of_an_array(tmp_path: Path, index: Any) -> None:
    x = stored(written(tmp_path / "x.npz", numbers()))
    for refused in (lambda: x[index], lambda: x.taken(index), lambda: numbers()[index]):
        with pytest.raises((IndexError, ValueError)):
            refused()


@pytest.mark.parametrize(
    "index", [None, (..., 0), np.eye(3, dtype=int), ([0, 1], [0, 1]), (0, None), (3, slice(None), 1)]
)
def test_what_would_read_other_than_rows_is_refused(tmp_path: Path, index: Any) -> None:
    with pytest.raises(IndexError, match="a number, a slice, a mask or positions"):
        stored(written(tmp_path / "x.npz", numbers()))[index]


@pytest.mark.parametrize(
    "write",
    [
        lambda path: np.savez_compressed(path, x=numbers()),
        lambda path: np.savez(path, x=np.asfortranarray(numbers())),
        lambda path: np.savez(path, x=numbers("<c8")),
        lambda path: np.savez(path, x=np.array(["a", "b"])),
        lambda path: np.savez(path, x=np.float32(1)),
    ],
    ids=["compressed", "fortran", "complex", "texts", "one-number"],
)
def test_what_does_not_lie_there_as_it_is_read_is_read_as_before(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "x.npz")
    assert stored_samples(tmp_path / "x.npz", "x") is None


# ---- damaged and forged files


def place_of(path: Path) -> tuple[int, int]:
    """Return where the local header of x lies, and where its content ends."""
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo("x.npy")
        name, extra = struct.unpack("<HH", path.read_bytes()[info.header_offset + LOCAL_NAME :][:4])
        return info.header_offset, info.header_offset + 30 + name + extra + info.file_size


def poked(path: Path, offset: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def flip_last(path: Path) -> None:
    end = place_of(path)[1]
    poked(path, end - 1, bytes([path.read_bytes()[end - 1] ^ 1]))


def shift_content(path: Path) -> None:
    poked(path, place_of(path)[0] + LOCAL_EXTRA, struct.pack("<H", 8))


def far_content(path: Path) -> None:
    poked(path, place_of(path)[0] + LOCAL_EXTRA, struct.pack("<H", 65_535))


def rename(path: Path) -> None:
    poked(path, place_of(path)[0] + 30, b"z")


def cut(path: Path) -> None:
    os.truncate(path, place_of(path)[1] - 20)


def more_samples(path: Path) -> None:
    """The header of the array claims a sample more than the member has."""
    poked(path, path.read_bytes().index(b"(7, 5, 3)"), b"(8, 5, 3)")


def objects(path: Path) -> None:
    np.savez(path, x=np.array([[{}]], object))


@pytest.mark.parametrize("harm", [flip_last, shift_content, far_content, rename, cut, more_samples])
def test_it_is_refused_as_an_array_that_is_read_whole(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    path = written(tmp_path / "x.npz", numbers())
    harm(path)
    with pytest.raises(InputError) as whole:
        read_npz(path)
    with pytest.raises(InputError) as refusal:
        stored_samples(path, "x")
    assert (refusal.value.message, refusal.value.hint) == (whole.value.message, whole.value.hint)


def test_python_objects_are_left_to_the_reader_that_refuses_them(tmp_path: Path) -> None:
    objects(tmp_path / "x.npz")
    assert stored_samples(tmp_path / "x.npz", "x") is None
    with pytest.raises(InputError, match="Python objects"):
        read_npz(tmp_path / "x.npz")


def test_a_reader_that_was_taken_over_cannot_point_outside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "x.npz", numbers())
    size = path.stat().st_size
    for offset, kind, shape in ((-1, "<f4", SHAPE), (size - 4, "<f4", SHAPE), (0, "|O", (1, 1)), (0, "<f4", (-1, 3))):
        said = [offset, kind, shape, [0, 0, size, 0]], {}
        monkeypatch.setattr("bim_neuro.intake.npz.read", lambda *given, said=said: said)
        with pytest.raises(InputError, match=r"array 'x' of .* does not lie in the file"):
            stored_samples(path, "x")


# ---- files that change


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 1))


def longer(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more")


@pytest.mark.parametrize("change", [touch, longer, cut, flip_last])
def test_a_file_that_changes_is_refused_in_one_line(tmp_path: Path, change: Callable[[Path], None]) -> None:
    x = stored(written(tmp_path / "x.npz", numbers()))
    x.taken([1])[0]
    change(x.file.path)
    with pytest.raises(InputError, match="was changed while it was being read") as refusal:
        x[6]
    assert refusal.value.hint == "leave the file as it is while it is in use, and run the command again"


def test_one_that_is_replaced_or_removed_is_read_on(tmp_path: Path) -> None:
    """What was opened is still there: another file at its path is another file."""
    x = stored(written(tmp_path / "x.npz", numbers()))
    written(tmp_path / "other.npz", numbers() + 1).replace(x.file.path)
    np.testing.assert_array_equal(np.asarray(x), numbers())
    x.file.path.unlink()
    np.testing.assert_array_equal(np.asarray(x), numbers())


def test_the_file_is_closed_with_the_last_of_its_samples(tmp_path: Path) -> None:
    x = stored(written(tmp_path / "x.npz", numbers()))
    descriptor, taken = x.file.descriptor, x.taken([0])
    del x
    os.fstat(descriptor)
    del taken
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)

"""The child that reads files: whatever its reader does, one clear refusal comes back, and nothing of it stays."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from commands import ROOT, children

from bim_neuro.errors import InputError
from bim_neuro.intake import Answer, Budget, Format, Opened, child, limits, read, read_npz, read_npz_headers

FORM = Format("a test file", "make another")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.bin"
    path.write_bytes(b"content")
    return path


def crash(file: Opened, budget: Budget) -> Answer:
    os.kill(os.getpid(), signal.SIGSEGV)
    raise AssertionError


def hang(file: Opened, budget: Budget) -> Answer:
    while True:
        pass


def sleep(file: Opened, budget: Budget) -> Answer:
    time.sleep(1000)
    return None, {}


def told_to_end(file: Opened, budget: Budget) -> Answer:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        os.kill(os.getpid(), number)
    return "went on", {}


def take_memory(file: Opened, budget: Budget) -> Answer:
    return None, {"x": np.ones(budget.limit, np.uint8), "y": np.ones(2 * budget.limit, np.uint8)}


def take_much_memory(file: Opened, budget: Budget) -> Answer:
    return len(np.ones(2**34, np.uint8)), {}


def open_another(file: Opened, budget: Budget) -> Answer:
    return Path("/etc/passwd").read_text(), {}


def connect(file: Opened, budget: Budget) -> Answer:
    import socket

    socket.socket()
    return None, {}


def write(file: Opened, budget: Budget) -> Answer:
    file.path.write_bytes(b"changed")
    return None, {}


def write_through_a_descriptor(file: Opened, budget: Budget) -> Answer:
    os.pwrite(file.descriptor, b"changed", 0)
    return None, {}


def end(file: Opened, budget: Budget) -> Answer:
    os._exit(0)


def give_objects(file: Opened, budget: Budget) -> Answer:
    return None, {"x": np.array([{}])}


def give_a_class(file: Opened, budget: Budget) -> Answer:
    return child, {}


def recurse(file: Opened, budget: Budget) -> Answer:
    return recurse(file, budget)


@pytest.mark.timeout(200)
@pytest.mark.parametrize(
    ("reader", "words"),
    [
        (crash, "crashes the library that reads it (SIGSEGV)"),
        (hang, "could not be read within 1 seconds"),
        (sleep, "could not be read within 1 seconds"),
        (take_memory, "more memory than the"),
        (take_much_memory, "more memory than the"),
        (open_another, "Too many open files"),
        (connect, "Too many open files"),
        (write, "Too many open files"),
        (write_through_a_descriptor, "x.bin is damaged or not a test file"),
        (end, "without an answer"),
        (give_objects, "'x' holds object"),
        (give_a_class, "not JSON serializable"),
        (recurse, "x.bin is damaged or not a test file"),
    ],
)
def test_whatever_a_reader_does_becomes_one_refusal(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], reader: child.Reader, words: str
) -> None:
    if reader in (hang, sleep):
        monkeypatch.setattr(child, "SECONDS", 1.0)
    descriptors, before = len(list(Path("/proc/self/fd").iterdir())), children()
    with pytest.raises(InputError) as refusal:
        read(file, reader, FORM)
    assert words in refusal.value.message
    assert str(file) in refusal.value.message
    assert file.read_bytes() == b"content"
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
    assert capfd.readouterr() == ("", "")
    assert children() == before


def test_an_interruption_ends_the_child_at_once(file: Path) -> None:
    before = children()
    threading.Timer(0.3, signal.pthread_kill, (threading.main_thread().ident, signal.SIGINT)).start()
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        read(file, sleep, FORM)
    assert time.monotonic() - start < 100
    assert children() == before


def test_words_and_arrays_come_back_as_they_were(file: Path) -> None:
    words = {"a": [1, 2.5, None, True, "ü", float("inf")]}
    arrays = {
        "empty": np.zeros((0, 3)),
        "scalar": np.array(7, np.int8),
        "big-endian": np.arange(5, dtype=">i4"),
        "texts": np.array(["a", "bc"]),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "large": np.arange(300_000, dtype=np.float32),
        "complex": np.ones(2, complex),
    }
    found, back = read(file, lambda *_: (words, arrays), FORM)
    assert found == words
    assert list(back) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(back[name], array)
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert back[name].flags.writeable


@pytest.mark.parametrize("shut", ["0", "0 1", "0 1 2", "1 2"])
def test_a_file_is_read_where_standard_streams_are_closed(tmp_path: Path, shut: str) -> None:
    """The pipe must not become one of them."""
    np.savez(tmp_path / "x.npz", x=np.arange(5))
    code = (
        f"import os\nfor stream in map(int, '{shut}'.split()): os.close(stream)\n"
        "from pathlib import Path\nfrom bim_neuro.intake import read_npz\n"
        f"os._exit(int(read_npz(Path(r'{tmp_path / 'x.npz'}'))['x'].sum()))"
    )
    ended = subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": str(ROOT)}, timeout=200)
    assert ended.returncode == 10


def test_many_threads_read_at_a_time(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.arange(1000))
    sums: list[int] = []
    threads = [
        threading.Thread(target=lambda: sums.append(int(read_npz(tmp_path / "x.npz")["x"].sum()))) for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [499_500] * 6


def test_only_what_is_asked_for_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BASE_BYTES", 1_000_000)
    path = tmp_path / "x.npz"
    np.savez_compressed(path, x=np.arange(3), y=np.zeros(500_000, np.uint8), z=np.zeros(4_000_000, np.uint8))
    assert {name: header.shape for name, header in read_npz_headers(path).items()} == {
        "x": (3,), "y": (500_000,), "z": (4_000_000,),
    }  # fmt: skip
    assert list(read_npz(path, names=("x", "w"))) == ["x"]
    assert list(read_npz(path, names=lambda name: name < "y")) == ["x"]
    with pytest.raises(InputError, match="array 'z' of"):
        read_npz(path)


def test_a_child_runs_no_handler_of_its_parent(file: Path) -> None:
    """A terminal tells the whole group: the parent is interrupted, and ends the child."""
    signals, before = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), signal.pthread_sigmask(signal.SIG_BLOCK, [])
    handlers = [signal.signal(number, lambda *_: pytest.fail("handled")) for number in signals]
    try:
        assert read(file, told_to_end, FORM)[0] == "went on"
    finally:
        for number, handler in zip(signals, handlers, strict=True):
            signal.signal(number, handler)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == before

"""`make fuzz` itself: a case is the same each time, structural ones have right checksums, and every fault is seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from fuzzing import cases, formats
from fuzzing.hdf5 import arrays_below
from fuzzing.lines import Lines

from bim_neuro import cli
from bim_neuro.cli import compile_command
from bim_neuro.nir_bridge import exact


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound files of the formats that are quick to make."""
    folder = tmp_path_factory.mktemp("sound")
    formats.sound_data(folder)
    for name in ("nir", "net", "pt", "bimn", "npz", "toml"):
        (folder / name).mkdir()
        formats.FORMATS[name].sound(folder / name)
    return folder


def prepared(name: str, index: int, sound: Path, folder: Path) -> tuple[str, formats.Command]:
    return cases.prepare(formats.FORMATS[name], 7, index, sound, folder)


@pytest.mark.parametrize("name", ["pt", "bimn", "npz", "toml"])
def test_a_case_is_the_same_whenever_it_is_made(name: str, sound: Path, tmp_path: Path) -> None:
    for index in range(8):
        (kind, command), (again, _) = (prepared(name, index, sound, tmp_path / f"{index}{turn}") for turn in "ab")
        (file,), (other,) = ((tmp_path / f"{index}{turn}" / "in").glob(f"*.{name}") for turn in "ab")
        assert (kind, _said(file)) == (again, _said(other))
        assert command.entry in ("compile", "train")


def _said(file: Path) -> list[tuple[str, int]] | bytes:
    """Return what a file says: of an archive, its members' checksums; the times in it are of its making."""
    try:
        return [(entry.filename, entry.CRC) for entry in zipfile.ZipFile(file).infolist()]
    except zipfile.BadZipFile:
        return file.read_bytes() if file.suffix == ".toml" else b""


@pytest.mark.parametrize("name", ["nir", "net", "pt", "bimn", "npz", "toml"])
def test_more_than_half_of_the_cases_change_what_a_file_says(name: str, sound: Path, tmp_path: Path) -> None:
    kinds = Counter(prepared(name, index, sound, tmp_path / str(index))[0] for index in range(60))
    assert kinds["structural"] > 30


def test_a_changed_exact_copy_and_a_changed_archive_have_right_checksums(sound: Path, tmp_path: Path) -> None:
    changed = 0
    for index in range(110):
        if prepared("nir", index, sound, tmp_path / f"n{index}")[0] == "structural":
            (file,) = (tmp_path / f"n{index}" / "in").glob("*.nir")
            with h5py.File(file) as opened:
                changed += _changed_with_right_checksum(opened, sound / "nir" / file.name)
        if prepared("bimn", index, sound, tmp_path / f"b{index}")[0] == "structural":
            (archive,) = (tmp_path / f"b{index}" / "in").glob("*.bimn")
            assert zipfile.ZipFile(archive).testzip() is None
    assert changed >= 5


def _changed_with_right_checksum(opened: h5py.File, sound: Path) -> bool:
    group = opened.get(exact.GROUP)
    if group is None or not {"header", "sha256", "arrays"} <= set(group):
        return False
    text = group["header"].asstr()[()]
    with h5py.File(sound) as before:
        if text == before[f"{exact.GROUP}/header"].asstr()[()]:
            return False
    right = exact._digest(text, arrays_below(group["arrays"])) == group["sha256"].asstr()[()]
    return right and isinstance(json.loads(text), (dict, list, str, int, float, type(None)))


def _leave_a_process() -> None:
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdin=subprocess.DEVNULL)


def _break() -> None:
    raise RuntimeError("broken")


FAULTS: dict[str, tuple[Callable[[], object], str]] = {
    "internal error": (lambda: sys.exit(4), "exit 4"),
    "traceback": (_break, "traceback"),
    "signal": (lambda: os.kill(os.getpid(), signal.SIGKILL), "exit -9"),
    "hang": (lambda: time.sleep(60), "no end"),
    "memory": (lambda: bytes(bytearray(b"x") * (1200 << 20))[:1], "MiB"),
    "escape sequence": (lambda: sys.stdout.write("\x1b[31mred"), "not escaped"),
    "bytes literal": (lambda: sys.stderr.write("no node b'lif'"), "not escaped"),
    "hidden file": (lambda: Path(".out.part").write_text("half"), "left behind: .out.part"),
    "process": (_leave_a_process, "a process was left"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_seen(fault: str, sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    does, word = FAULTS[fault]
    monkeypatch.setattr(cases, "SECONDS", 20.0 if fault != "hang" else 0.3)
    for entry in ("compile_main", "train_main"):
        monkeypatch.setattr(cli, entry, does)
    cases.adopt_orphans()
    result = cases.run(formats.FORMATS["npz"], 7, 0, sound, tmp_path / "case", bare=cases.bare_memory(None))
    assert any(word in seen for seen in result.faults), result


def test_processes_of_others_are_left_alone(tmp_path: Path, sound: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "compile_main", _leave_a_process)
    cases.adopt_orphans()
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        result = cases.run(formats.FORMATS["npz"], 7, 0, sound, tmp_path / "case", bare=cases.bare_memory(None))
        assert result.faults == ("a process was left",)
        assert other.poll() is None
        other.kill()


def test_a_sound_end_is_no_fault_and_its_lines_are_counted(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = Lines(("hardware/read.py",))
    monkeypatch.setattr(cli, "compile_main", lambda: compile_command.compile_app(["--list", "targets"]))
    monkeypatch.setattr(cli, "train_main", cli.compile_main)
    cases.adopt_orphans()
    result = cases.run(formats.FORMATS["npz"], 7, 0, sound, tmp_path / "case", lines, cases.bare_memory(lines))
    assert (result.code, result.faults) == (0, ())
    passed, whole = lines.share(next(iter(lines.lines)))
    assert 50 < passed < whole

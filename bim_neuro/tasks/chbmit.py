"""The files of CHB-MIT: summaries of each case, and EDF headers read strictly before EDF is read.

chb01/chb01-summary.txt      files of the case, and when a seizure begins and ends in them, in seconds
chb01/chb01_03.edf           some 23 bipolar channels at 256 Hz, mostly an hour
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError
from ..intake import opened

MOST_BYTES = 2**20
"""Of a summary; the longest have some 20 kB."""
HINT = "download the file again: physionet.org/content/chbmit"
_HEAD, _SIGNAL = 256, 256
"""Bytes of an EDF header that are there once, and for each signal."""


@dataclass(frozen=True)
class EegRecording:
    """An EDF file: its case (1 to 24), whole seconds, and seizures as (begin, end) in seconds."""

    path: Path
    case: int
    seconds: int
    seizures: tuple[tuple[float, float], ...]


def recordings_of(folder: Path) -> tuple[list[EegRecording], list[str]]:
    """The recordings that are in the folder and in a summary, by name, and what is worth knowing of others."""
    found: list[EegRecording] = []
    absent = unlisted = 0
    for summary in sorted([*folder.glob("chb[0-9][0-9]-summary.txt"), *folder.glob("*/chb[0-9][0-9]-summary.txt")]):
        listed = seizures_of(summary)
        for name, seizures in sorted(listed.items()):
            path = summary.with_name(name)
            if not path.exists() and not path.is_symlink():
                absent += 1
                continue
            found.append(_recording(path, int(summary.name[3:5]), seizures, summary))
        unlisted += sum(path.name not in listed for path in summary.parent.glob(f"{summary.name[:5]}*.edf"))
    notes = [f"{absent} recordings of the summaries are not in this folder"] if absent else []
    return found, notes + ([f"{unlisted} recordings are in no summary and left out"] if unlisted else [])


def _recording(path: Path, case: int, seizures: list[tuple[float, float]], summary: Path) -> EegRecording:
    seconds = seconds_of(path)
    late = [seizure for seizure in seizures if seizure[1] > seconds + 1]
    if late:
        raise InputError(
            f"'{summary}' has a seizure at {late[0][0]:g} to {late[0][1]:g} s of {path.name}, which lasts {seconds} s",
            HINT,
        )
    return EegRecording(path, case, seconds, tuple(seizures))


def seizures_of(summary: Path) -> dict[str, list[tuple[float, float]]]:
    """The seizures of each file that a summary lists."""
    with opened(summary) as file:
        content = os.read(file.descriptor, MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise InputError(f"'{summary}' has more than {MOST_BYTES:,} bytes", HINT)
    parts = re.split(r"File Name:[ \t]*", content.decode("utf-8", "replace"))[1:]
    files: dict[str, list[tuple[float, float]]] = {}
    for part in parts:
        name = part.split("\n", 1)[0].strip()
        if not re.fullmatch(r"chb[0-9]{2}[a-z]?_[0-9]{2,3}\+?\.edf", name):
            raise InputError(f"'{summary}' lists a file '{name:.60}', as chb01_03.edf is needed", HINT)
        begins, ends = (
            [
                float(second)
                for second in re.findall(rf"Seizure[ \t]*[0-9]*[ \t]*{edge} Time:[ \t]*([0-9]{{1,7}})", part)
            ]
            for edge in ("Start", "End")
        )
        told = re.search(r"Number of Seizures in File:[ \t]*([0-9]{1,4})", part)
        pairs = list(zip(begins, ends, strict=False))
        if told is None or not int(told[1]) == len(begins) == len(ends) or any(end <= begin for begin, end in pairs):
            count = "no number of" if told is None else told[1]
            where = f"'{summary}', {name}"
            raise InputError(f"{where}: {count} seizures, {len(begins)} begin and {len(ends)} end in the list", HINT)
        files[name] = pairs
    if not files:
        raise InputError(f"'{summary}' lists no file", HINT)
    return files


def seconds_of(path: Path) -> int:
    """The whole seconds of an EDF file; InputError where its header is none or declares more than the file holds."""
    with opened(path) as file:
        head = os.pread(file.descriptor, _HEAD, 0)
        records, duration, signals = (_field(head, place, path) for place in ((236, 8), (244, 8), (252, 4)))
        if head[:8].strip() != b"0" or not 1 <= signals <= 256 or duration <= 0 or records < 1:
            raise InputError(f"'{path}' does not begin as an EDF file of {signals:g} signals does", HINT)
        count = int(signals)
        each = os.pread(file.descriptor, count * _SIGNAL, _HEAD)
        samples = sum(int(_field(each, (216 * count + 8 * signal, 8), path)) for signal in range(count))
        declared = _HEAD + count * _SIGNAL + int(records) * samples * 2
        if declared > file.size:
            raise InputError(f"'{path}' declares {declared:,} bytes, it holds {file.size:,}", HINT)
    return int(records * duration)


def _field(head: bytes, place: tuple[int, int], path: Path) -> float:
    """A number of an EDF header, in ASCII."""
    text = head[place[0] : sum(place)].decode("ascii", "replace").strip()
    if not re.fullmatch(r"-?[0-9]{1,8}(\.[0-9]{1,7})?", text):
        raise InputError(f"'{path}' has '{text:.8}' at byte {place[0]} of its header, a number is needed", HINT)
    return float(text)

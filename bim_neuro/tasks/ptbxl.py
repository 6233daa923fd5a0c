"""PTB-XL: twelve-lead ECGs of 10 s and which of five diagnostic superclasses hold.

A step is 10 ms (the 100 Hz recordings), twelve leads in mV, each less its mean over the training folds and over its
deviation there. Labels: every diagnostic statement of scp_codes counts, whatever its likelihood, by its
diagnostic_class of scp_statements.csv; a record without one is left out, as in the published benchmark.

Folds 1 to 8 are for training, 9 for validation, 10 for the test, as the data set recommends; a patient is in one fold.

Files: ptbxl_database.csv, scp_statements.csv, records100/. Wagner et al., Scientific Data 7, 154 (2020); PhysioNet
ptb-xl 1.0.3. The benchmark: Strodthoff et al., IEEE JBHI 25(5), 1519-1528 (2021).
"""

from __future__ import annotations

import csv
import io
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..extras import check_extra
from ..intake import Answer, Budget, Format, Opened, opened, read
from .dataset import SPLITS, Dataset, Task
from .official import official_file, official_folder
from .prepared import Arrays, prepared
from .wfdb_files import check_header

FS_HZ, STEPS = 100, 1000
LEADS = ("I", "II", "III", "AVR", "AVL", "AVF", "V1", "V2", "V3", "V4", "V5", "V6")
CLASS_NAMES = ("NORM", "MI", "STTC", "CD", "HYP")
FOLDS = {"train": range(1, 9), "validation": range(9, 10), "test": range(10, 11)}
MOST_BYTES = 64 * 2**20
"""Of a table; ptbxl_database.csv has 6 MB."""
TOGETHER = 64
"""Records that one child reads."""
RECORD = Format("a WFDB record", "a record is two files: .hea and .dat")


@dataclass(frozen=True)
class EcgRow:
    """A record: where it lies, whose it is, and which superclasses hold."""

    header: Path
    number: int
    patient: int
    fold: int
    classes: frozenset[str]


def load_ptbxl_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task from PTB-XL's folder, or a part of its records; ``seed`` changes nothing: the folds are official."""
    folder = official_folder("ptbxl", data)
    every = _rows(folder)
    rows = [row for row in every if row.classes]
    parts = {name: [row for row in rows if row.fold in FOLDS[name]] for name in SPLITS}
    for name, some in parts.items():
        if not some:
            folds = "folds 1 to 8" if name == "train" else f"fold {FOLDS[name][0]}"
            raise InputError(
                f"'{folder}' has no record of {folds}, the {name} split", "download all of ptbxl_database.csv"
            )
    mean, deviation = _scale([row.header for row in parts["train"]])
    return Task(
        name="ptbxl",
        title="PTB-XL: five diagnostic superclasses",
        class_names=CLASS_NAMES,
        channel_names=LEADS,
        dt=1 / FS_HZ,
        train=_dataset(parts["train"], mean, deviation, "train"),
        validation=_dataset(parts["validation"], mean, deviation, "validation"),
        test=_dataset(parts["test"], mean, deviation, "test"),
        notes=(
            f"{len(rows):,} of {len(every):,} records have a diagnostic superclass",
            "each lead less its mean, over its deviation, both of the training folds",
        ),
        head="labels",
    )


def _dataset(rows: list[EcgRow], mean: NDArray[Any], deviation: NDArray[Any], split: str) -> Dataset:
    headers = [row.header for row in rows]

    def fill(arrays: Arrays, first: int) -> Iterator[int]:
        for place, leads in enumerate(_records(headers[first:]), first):
            arrays["x"][place] = (leads - mean) / deviation
            yield place + 1

    scale = [*mean.tolist(), *deviation.tolist()]
    shapes: Any = {"x": ((len(rows), STEPS, len(LEADS)), np.float32)}
    x = prepared(f"ptbxl-{split}", shapes, fill, headers, scale=scale)["x"]
    y = np.array([[name in row.classes for name in CLASS_NAMES] for row in rows], np.int64)
    patients, numbers = (np.array([getattr(row, name) for row in rows], np.int64) for name in ("patient", "number"))
    return Dataset(x, y, patients, numbers)


def _scale(headers: list[Path]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and deviation of each lead, (12,) each, in mV."""
    total, squares = np.zeros(len(LEADS)), np.zeros(len(LEADS))
    for leads in _records(headers):
        total += leads.mean(0) / len(headers)
        squares += (leads**2).mean(0) / len(headers)
    deviation = np.sqrt((squares - total**2).clip(0))
    return total, np.where(deviation > 0, deviation, 1.0)


def _rows(folder: Path) -> list[EcgRow]:
    """The records of ptbxl_database.csv, in its order."""
    wanted = ("ecg_id", "patient_id", "strat_fold", "filename_lr", "scp_codes")
    path = official_file("ptbxl", folder, "ptbxl_database.csv")
    known = _superclasses(official_file("ptbxl", folder, "scp_statements.csv"))
    rows = []
    for line, cells in enumerate(_table(path, wanted), 2):
        where = f"'{path}', line {line}"
        number, patient, fold = (_whole(cells[name], f"{where}: {name}") for name in wanted[:3])
        if not 1 <= fold <= 10:
            raise InputError(f"{where}: strat_fold is {fold}, folds are 1 to 10")
        if not re.fullmatch(r"records100/[0-9]{5}/[0-9]{5}_lr", cells["filename_lr"]):
            raise InputError(
                f"{where}: filename_lr is '{cells['filename_lr']:.60}', as records100/00000/00001_lr is needed"
            )
        statements = re.findall(r"'([^']{1,20})': ?[0-9.]+", cells["scp_codes"])
        if not re.fullmatch(r"\{.*\}", cells["scp_codes"].strip()):
            raise InputError(f"{where}: scp_codes is '{cells['scp_codes']:.60}', a dict of statements is needed")
        classes = frozenset(known[name] for name in statements if name in known)
        rows.append(EcgRow(folder / f"{cells['filename_lr']}.hea", number, patient, fold, classes))
    return rows


def _superclasses(path: Path) -> dict[str, str]:
    """The superclass of each diagnostic statement."""
    found = {
        cells[""]: cells["diagnostic_class"]
        for cells in _table(path, ("", "diagnostic", "diagnostic_class"))
        if cells["diagnostic"].strip() in ("1", "1.0")
    }
    for statement, name in found.items():
        if name not in CLASS_NAMES:
            raise InputError(
                f"'{path}': {statement:.20} is of the class '{name:.20}', {', '.join(CLASS_NAMES)} are known"
            )
    return found


def _table(path: Path, wanted: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """The rows of a CSV file; InputError where it lacks a column or a cell."""
    with opened(path) as file:
        content = b"".join(iter(lambda: os.read(file.descriptor, 2**20), b"")) if file.size <= MOST_BYTES else b""
    if not content:
        raise InputError(f"'{path}' has more than {MOST_BYTES:,} bytes")
    reader = csv.DictReader(io.StringIO(content.decode("utf-8", "replace")))
    missing = [name or "(the statement)" for name in wanted if name not in (reader.fieldnames or ())]
    if missing:
        raise InputError(f"'{path}' lacks the columns {', '.join(missing)}", "download the file again")
    for line, cells in enumerate(reader, 2):
        if any(cells[name] is None for name in wanted):
            raise InputError(f"'{path}', line {line} has too few cells", "download the file again")
        yield cells


def _whole(cell: str, where: str) -> int:
    """A whole number, which the tables may write as 15709.0."""
    if not re.fullmatch(r"[0-9]{1,9}(\.0*)?", cell.strip()):
        raise InputError(f"{where} is '{cell:.30}', a whole number is needed")
    return int(float(cell))


def _records(headers: Sequence[Path]) -> Iterator[NDArray[np.float64]]:
    """Give the leads (1000, 12) of each record, in mV; InputError names the record that is wrong."""
    check_extra("tasks", "wfdb", "task 'ptbxl'")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # wfdb 4.3.1 calls pandas in a deprecated way
        import wfdb  # noqa: F401  before the child that reads with it starts

    for first in range(0, len(headers), TOGETHER):
        some = headers[first : first + TOGETHER]
        for header in some:
            check_header(header, RECORD.hint)
        try:
            yield from _together(some)
        except InputError:
            for header in some:
                yield from _together([header])


def _together(headers: Sequence[Path]) -> NDArray[np.float64]:
    def leads_of(_: Opened, budget: Budget) -> Answer:
        return [], {"leads": np.stack([_leads(header) for header in headers])}

    try:
        _, arrays = read(headers[0], leads_of, RECORD, files=True)
    except InputError as error:
        raise InputError(f"cannot read the record '{headers[0].stem}': {error.message}", error.hint) from None
    if arrays["leads"].shape != (len(headers), STEPS, len(LEADS)):
        raise InputError(f"cannot read the record '{headers[0].stem}' and those after it", RECORD.hint)
    return arrays["leads"].astype(np.float64)


def _leads(header: Path) -> NDArray[np.float64]:
    """Read one record, in the child."""
    import wfdb

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = str(header.with_suffix(""))
        head = wfdb.rdheader(name)
        if (head.fs, head.sig_len, head.n_sig) != (FS_HZ, STEPS, len(LEADS)):
            found = f"{head.n_sig} leads of {head.sig_len} samples at {head.fs} Hz"
            raise InputError(f"it has {found}, 12 of 1000 at 100 Hz are needed", RECORD.hint)
        if [lead.upper() for lead in head.sig_name] != list(LEADS):
            raise InputError(f"its leads are {', '.join(map(str, head.sig_name)):.80}, {', '.join(LEADS)} are needed")
        leads = wfdb.rdrecord(name).p_signal
    if not np.isfinite(leads).all():
        raise InputError(f"it has no value at sample {int(np.argmin(np.isfinite(leads).all(1)))}")
    return np.asarray(leads, np.float64)

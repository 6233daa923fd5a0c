"""Data sets in their official layout, told apart by their files, each with the page it is downloaded from.

A task that reads one refuses a folder of another by name, so that nothing is trained on by mistake.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ..errors import InputError


@dataclass(frozen=True)
class Official:
    """A data set: its ``name``, the ``page`` that has it, and globs of files, any of which tells it from all others.

    ``also``: globs of files that will do where no other data set is recognised.
    """

    name: str
    page: str
    signs: tuple[str, ...]
    also: tuple[str, ...] = ()


_FSDD = Official(
    "the Free Spoken Digit Dataset",
    "github.com/Jakobovski/free-spoken-digit-dataset",
    ("recordings/[0-9]_*_*.wav", "[0-9]_*_*.wav"),
)
OFFICIAL: dict[str, Official] = {
    "bonn": Official(
        "the Bonn EEG sets A to E",
        "the Universitat Pompeu Fabra's page of Andrzejak et al. 2001",
        ("[ZzOoNnFfSs][0-9][0-9][0-9].[Tt][Xx][Tt]", "*/[ZzOoNnFfSs][0-9][0-9][0-9].[Tt][Xx][Tt]"),
    ),
    "connected-digits": _FSDD,
    "cue-reckon": Official(
        "ReckOn's cue accumulation", "github.com/ChFrenkel/ReckOn, src/data", ("dataset_cueAcc_*.dat",)
    ),
    "ecg": Official("MIT-BIH", "physionet.org/content/mitdb/1.0.0", ("mitbih_beats.npz", "[12][0-9][0-9].hea")),
    "eeg": Official(
        "CHB-MIT",
        "physionet.org/content/chbmit",
        ("chb[0-9][0-9]/chb[0-9][0-9]-summary.txt", "chb[0-9][0-9]-summary.txt"),
    ),
    "language": Official(
        "WikiText or a folder of .txt files",
        "huggingface.co/datasets/Salesforce/wikitext",
        ("wiki.*.tokens", "wiki.*.raw"),
        ("*.[Tt][Xx][Tt]", "*/*.[Tt][Xx][Tt]"),
    ),
    "psmnist": Official("MNIST", "yann.lecun.com/exdb/mnist", ("*-images[-.]idx3-ubyte", "*-images[-.]idx3-ubyte.gz")),
    "ptbxl": Official("PTB-XL", "physionet.org/content/ptb-xl", ("ptbxl_database.csv", "records100", "records500")),
    "speech": Official(
        "LibriSpeech",
        "www.openslr.org/12",
        ("SPEAKERS.TXT", "LibriSpeech", "train-clean-100", "train-clean-360", "dev-clean", "test-clean"),
    ),
    "spoken-digits": _FSDD,
}
"""By the name of the task that reads it. Signs go two folders deep at most: a data set may hold millions of files."""


def official_folder(task: str, data: Path | None) -> Path:
    """Return the folder ``data`` of a task's data set; InputError where it is missing or holds something else."""
    wanted = OFFICIAL[task]
    hint = f"download {wanted.name} ({wanted.page}) and give its folder as --data DIR"
    if data is None:
        raise InputError(f"task '{task}' needs {wanted.name}", hint)
    if not data.exists():
        raise InputError(f"there is no '{data}'", hint)
    if not data.is_dir():
        raise InputError(f"'{data}' is not a folder", hint)
    if not _holds(data, wanted.signs):
        refuse_other(task, data)
    if not _holds(data, (*wanted.signs, *wanted.also)):
        raise InputError(f"'{data}' does not hold {wanted.name}: it has no file {wanted.signs[0]}", hint)
    return data


def refuse_other(task: str, data: Path) -> None:
    """Refuse a folder that holds the data of another task, and name both."""
    for other, found in OFFICIAL.items():
        if found is not OFFICIAL[task] and data.is_dir() and _holds(data, found.signs):
            raise InputError(f"'{data}' looks like {found.name}, task '{task}' reads {OFFICIAL[task].name}",
                             f"use task {other}")  # fmt: skip


def official_file(task: str, folder: Path, *names: str) -> Path:
    """Return the first file of these names that the folder holds; InputError names it and its page."""
    for name in names:
        if (folder / name).exists() or (folder / name).is_symlink():
            return folder / name
    raise InputError(f"'{folder}' has no file {names[0]}", f"download {OFFICIAL[task].name} ({OFFICIAL[task].page})")


def _holds(data: Path, signs: tuple[str, ...]) -> bool:
    return any(next(data.glob(sign), None) is not None for sign in signs)

"""Speech recognition on LibriSpeech: the letters of an utterance, by CTC.

A step is 10 ms, 80 log-mel energies (log_mel.py). The classes are the blank, a space, an apostrophe and the letters A
to Z. Training takes every subset train-* in the folder, validation dev-clean and the test test-clean; a folder may lack
some, whose split is then empty. Speakers of the subsets differ, and `Task` checks it.

Files: SUBSET/SPEAKER/CHAPTER/SPEAKER-CHAPTER-UTTERANCE.flac, 16 kHz, and SPEAKER-CHAPTER.trans.txt beside them.
Panayotov et al., ICASSP 2015; www.openslr.org/12.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..choices import NOT_ASKED
from ..errors import InputError
from ..intake import opened
from .audio import heard
from .dataset import SPLITS, Dataset, Task
from .log_mel import HOP_S
from .official import OFFICIAL, official_folder

RATE_HZ = 16_000
BANDS = 80
LETTERS = " 'ABCDEFGHIJKLMNOPQRSTUVWXYZ"
CLASS_OF = {letter: place for place, letter in enumerate(LETTERS, 1)}
SUBSETS = {"train": "train-*", "validation": "dev-clean", "test": "test-clean"}
MOST_BYTES = 4 * 2**20
"""Of a chapter's transcripts; the longest have some 30 kB."""


@dataclass(frozen=True)
class Utterance:
    """A recording and what is said in it."""

    path: Path
    words: str

    @property
    def speaker(self) -> int:
        """The number that its name begins with."""
        return int(self.path.name.split("-")[0])


def load_speech_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task from LibriSpeech's folder, or the one above it; ``seed`` changes nothing: the split is official."""
    folder = official_folder("speech", data)
    if (folder / "LibriSpeech").is_dir():
        folder = folder / "LibriSpeech"
    parts, notes = {}, []
    for split in SPLITS:
        subsets = sorted(path for path in folder.glob(SUBSETS[split]) if path.is_dir())
        utterances = [utterance for subset in subsets for utterance in _utterances(subset)]
        parts[split] = _dataset(utterances, split)
        said = ", ".join(subset.name for subset in subsets) or f"no {SUBSETS[split]} in this folder"
        hours = parts[split].valid.sum() * HOP_S / 3600
        notes.append(f"{split}: {said}; {len(utterances):,} utterances, {hours:.2f} hours")
    if not any(map(len, parts.values())):
        raise InputError(f"'{folder}' has no utterance of train-*, dev-clean or test-clean", _page())
    return Task(
        name="speech",
        title="LibriSpeech: letters of an utterance",
        class_names=("blank", *LETTERS),
        channel_names=tuple(f"mel{band}" for band in range(BANDS)),
        dt=HOP_S,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        notes=(*notes, f"{BANDS} log-mel energies every 10 ms, less their mean over the utterance"),
        head="ctc",
    )


def _dataset(utterances: list[Utterance], split: str) -> Dataset:
    x, lengths = heard(f"speech-{split}", [utterance.path for utterance in utterances], RATE_HZ, BANDS)
    longest = max((len(utterance.words) for utterance in utterances), default=1)
    y = np.full((len(utterances), longest), NOT_ASKED, np.int64)
    for row, utterance in enumerate(utterances):
        y[row, : len(utterance.words)] = [CLASS_OF[letter] for letter in utterance.words]
    speakers = np.array([utterance.speaker for utterance in utterances], np.int64)
    return Dataset(x, y, speakers, lengths=lengths)


def _utterances(subset: Path) -> Iterator[Utterance]:
    for chapter in sorted(subset.glob("*/*/*.trans.txt")):
        with opened(chapter) as file:
            content = os.read(file.descriptor, MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise InputError(f"'{chapter}' has more than {MOST_BYTES:,} bytes", _page())
        for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
            if line.strip():
                yield _utterance(chapter, number, line)


def _utterance(chapter: Path, number: int, line: str) -> Utterance:
    """Read one line of a chapter's transcripts: the name of the recording and the words."""
    name, _, rest = line.strip().partition(" ")
    words = " ".join(rest.split())
    where = f"'{chapter}', line {number}"
    if not re.fullmatch(r"[0-9]{1,9}-[0-9]{1,9}-[0-9]{1,9}", name):
        raise InputError(f"{where} names no utterance: '{name:.40}'", _page())
    if not words:
        raise InputError(f"{where}: the transcript of {name} is empty", "remove the line, or download the file again")
    if strange := set(words) - set(LETTERS):
        raise InputError(f"{where}: the transcript of {name} holds '{min(strange)}'", "letters A to Z, ' and space do")
    path = chapter.with_name(f"{name}.flac")
    if not path.exists() and not path.is_symlink():
        raise InputError(f"{where}: there is no {path.name} beside it", _page())
    return Utterance(path, words)


def _page() -> str:
    return f"download {OFFICIAL['speech'].name} ({OFFICIAL['speech'].page}) again"

"""Spoken digits of the Free Spoken Digit Dataset: one digit a recording, or strings of digits made of them.

    spoken-digits               which digit; the official split: recordings 0 to 4 of a speaker and digit are the test
    spoken-digits-SPEAKER       the same, that speaker is the test: george, jackson, lucas, nicolas, theo, yweweler
    connected-digits            which string of 3 to 7 digits (CTC); the last speaker is the test
    connected-digits-frames     which digit sounds, or none, at each step; of the same strings

A step is 10 ms, 40 log-mel energies (log_mel.py). Validation: recordings 5 to 9 of the official split, recordings 0 to
4 of the other speakers, of connected digits the last speaker but one.

A connected string joins recordings of one speaker with 50 to 250 ms of silence around each; ``seed`` draws it. Each
recording is used three times in training and once in validation and test.

Files: recordings/DIGIT_SPEAKER_NUMBER.wav, 8 kHz. Jackson et al., github.com/Jakobovski/free-spoken-digit-dataset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import NOT_ASKED
from ..errors import InputError
from .audio import heard, read_sounds, scaled
from .dataset import SPLITS, Dataset, Int64Array, Task
from .log_mel import HOP_S, WINDOW_S, log_mel, steps_of
from .official import official_folder
from .prepared import Arrays, prepared

RATE_HZ = 8000
BANDS = 40
DIGITS = tuple(str(digit) for digit in range(10))
TESTED, HELD = 5, 10
"""Numbers of recordings before which they are the official test, and before which validation."""
SHORTEST, LONGEST = 3, 7
"""Digits of a connected string."""
SILENCE_S = (0.05, 0.25)
PASSES = {"train": 3, "validation": 1, "test": 1}
"""How often each recording is used."""

Sound = NDArray[np.int16]


@dataclass(frozen=True)
class SpokenDigit:
    """A file and what its name says."""

    path: Path
    digit: int
    speaker: str
    number: int


@dataclass(frozen=True, eq=False)
class Digits:
    """A connected string: the sounds, the digit of each, and samples of silence before each and at the end."""

    speaker: int
    digits: tuple[int, ...]
    sounds: tuple[Sound, ...]
    silences: tuple[int, ...]

    @property
    def samples(self) -> int:
        """Of the whole string."""
        return sum(map(len, self.sounds)) + sum(self.silences)


def load_spoken_digits_task(data: Path | None = None, seed: int = 0, speaker: str = "") -> Task:
    """The task of single digits; ``speaker`` is left out of training, '' is the official split."""
    recordings = _recordings(official_folder("spoken-digits", data))
    names = sorted({recording.speaker for recording in recordings})
    if speaker and speaker not in names:
        raise InputError(f"there is no recording of {speaker}", f"recorded are: {', '.join(names)}")
    split = np.array([_split_of(recording, speaker) for recording in recordings])
    x, lengths = heard("spoken-digits", [recording.path for recording in recordings], RATE_HZ, BANDS)
    whose = [names.index(recording.speaker) for recording in recordings] if speaker else range(len(recordings))
    y = np.array([recording.digit for recording in recordings], np.int64)
    every = Dataset(x, y, np.array(whose, np.int64), np.arange(len(y)), lengths)
    parts = {name: every.take(split == place) for place, name in enumerate(SPLITS)}
    tested = f"{speaker} is the test, heard in no other split" if speaker else "the official split; speakers are in all"
    return Task(
        name=f"spoken-digits-{speaker}" if speaker else "spoken-digits",
        title="spoken digits" + (f", {speaker} unheard in training" if speaker else ""),
        class_names=DIGITS,
        channel_names=_mel_names(),
        dt=HOP_S,
        **_checked(parts),
        notes=(f"{len(y):,} recordings of {len(names)} speakers: {tested}", _FEATURES),
    )


def load_connected_digits_task(data: Path | None = None, seed: int = 0, head: str = "ctc") -> Task:
    """The task of strings; ``head`` is 'ctc' or 'step'."""
    recordings = _recordings(official_folder("connected-digits", data))
    names = sorted({recording.speaker for recording in recordings})
    if len(names) < 3:
        raise InputError(f"recordings of {len(names)} speakers, 3 are needed: one for each split")
    sounds = list(read_sounds([recording.path for recording in recordings], RATE_HZ))
    rng = np.random.default_rng(seed)
    parts = {}
    for split, who in zip(SPLITS, (names[:-2], names[-2:-1], names[-1:]), strict=True):
        strings = [
            string
            for _ in range(PASSES[split])
            for name in who
            for string in _strings(names.index(name), _of(name, recordings, sounds), rng)
        ]
        parts[split] = _dataset(strings, head, [recording.path for recording in recordings], seed, split)
    return Task(
        name="connected-digits" if head == "ctc" else "connected-digits-frames",
        title="strings of spoken digits" + ("" if head == "ctc" else ", frame by frame"),
        class_names=("blank" if head == "ctc" else "silence", *DIGITS),
        channel_names=_mel_names(),
        dt=HOP_S,
        **_checked(parts),
        notes=(f"strings that seed {seed} draws; validation by {names[-2]}, test by {names[-1]}", _FEATURES),
        head=head,
    )


_FEATURES = f"{BANDS} log-mel energies every 10 ms, less their mean over the recording"


def _mel_names() -> tuple[str, ...]:
    return tuple(f"mel{band}" for band in range(BANDS))


def _checked(parts: dict[str, Dataset]) -> dict[str, Any]:
    """Return the splits; an empty one is refused, it would be noticed only after training."""
    for name, part in parts.items():
        if not len(part):
            raise InputError(f"these recordings leave none for the {name} split", "download the whole data set")
    return parts


def _recordings(folder: Path) -> list[SpokenDigit]:
    found = [
        SpokenDigit(path, int(named[1]), named[2], int(named[3]))
        for path in [*folder.glob("*.wav"), *folder.glob("recordings/*.wav")]
        if (named := re.fullmatch(r"([0-9])_([a-z]+)_([0-9]{1,4})", path.stem))
    ]
    return sorted(found, key=lambda recording: (recording.speaker, recording.digit, recording.number))


def _split_of(recording: SpokenDigit, speaker: str) -> int:
    """The position in SPLITS."""
    if speaker:
        return 2 if recording.speaker == speaker else int(recording.number < TESTED)
    return 2 if recording.number < TESTED else int(recording.number < HELD)


def _of(name: str, recordings: list[SpokenDigit], sounds: list[Sound]) -> list[tuple[int, Sound]]:
    pairs = zip(recordings, sounds, strict=True)
    return [(recording.digit, sound) for recording, sound in pairs if recording.speaker == name]


def _strings(speaker: int, spoken: list[tuple[int, Sound]], rng: np.random.Generator) -> Iterator[Digits]:
    """Deal all recordings of a speaker into strings."""
    order = rng.permutation(len(spoken)).tolist()
    while order:
        count = int(rng.integers(SHORTEST, LONGEST + 1))
        some, order = [spoken[place] for place in order[:count]], order[count:]
        silences = np.round(rng.uniform(*SILENCE_S, len(some) + 1) * RATE_HZ).astype(int).tolist()
        digits, sounds = zip(*some, strict=True)
        yield Digits(speaker, digits, sounds, tuple(silences))


def _dataset(strings: Sequence[Digits], head: str, sources: list[Path], seed: int, split: str) -> Dataset:
    lengths = np.array([steps_of(string.samples, RATE_HZ) for string in strings], np.int64)
    longest = int(lengths.max())

    def fill(arrays: Arrays, first: int) -> Iterator[int]:
        for row, string in enumerate(strings[first:], first):
            arrays["x"][row, : lengths[row]] = log_mel(scaled(_joined(string)), RATE_HZ, BANDS)
            yield row + 1

    shapes: Any = {"x": ((len(strings), longest, BANDS), np.float32)}
    x = prepared(f"connected-digits-{split}", shapes, fill, sources, seed=seed)["x"]
    y = np.full((len(strings), LONGEST if head == "ctc" else longest), NOT_ASKED, np.int64)
    for row, string in enumerate(strings):
        if head == "ctc":
            y[row, : len(string.digits)] = np.array(string.digits) + 1
        else:
            y[row, : lengths[row]] = _frames(string, int(lengths[row]))
    return Dataset(x, y, np.array([string.speaker for string in strings], np.int64), lengths=lengths)


def _joined(string: Digits) -> Sound:
    parts = [np.zeros(string.silences[0], np.int16)]
    for sound, silence in zip(string.sounds, string.silences[1:], strict=True):
        parts += [sound, np.zeros(silence, np.int16)]
    return np.concatenate(parts)


def _frames(string: Digits, steps: int) -> Int64Array:
    """The digit + 1 that sounds in the middle of each step's window, 0 in silence."""
    labels = np.zeros(string.samples, np.int64)
    end = 0
    for digit, sound, silence in zip(string.digits, string.sounds, string.silences, strict=False):
        labels[end + silence : end + silence + len(sound)] = digit + 1
        end += silence + len(sound)
    middles = np.arange(steps) * round(HOP_S * RATE_HZ) + round(WINDOW_S * RATE_HZ) // 2
    return np.where(middles < len(labels), labels[middles.clip(max=len(labels) - 1)], 0)

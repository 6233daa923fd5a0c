"""Recordings of sound and what is heard of them: WAV and FLAC by libsndfile, many files in one child process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..extras import check_extra
from ..intake import Answer, Budget, Format, Opened, check_kind, read
from .dataset import Float32Array, Int64Array
from .log_mel import log_mel, steps_of
from .prepared import Arrays, prepared

T = TypeVar("T")

TOGETHER = 64
"""Files that one child reads."""
LONGEST_S = 60.0
"""Of a recording; LibriSpeech's longest has 35 s."""
SOUND = Format("a WAV or FLAC file", "download the file again")
_FULL_SCALE = 2**15


def heard(what: str, paths: Sequence[Path], rate: int, bands: int) -> tuple[Float32Array, Int64Array]:
    """The log-mel energies of recordings, (recordings, steps of the longest, bands), and the steps of each.

    ``what`` names them in the cache, where they lie if they are large.
    """
    if not paths:
        return np.empty((0, 1, bands), np.float32), np.empty(0, np.int64)
    lengths = np.array([steps_of(samples, rate) for samples in _in_parts(paths, rate, _declared)], np.int64)

    def fill(arrays: Arrays, first: int) -> Iterator[int]:
        for row, sound in enumerate(read_sounds(paths[first:], rate), first):
            arrays["x"][row, : lengths[row]] = log_mel(scaled(sound), rate, bands)
            yield row + 1

    shape = (len(paths), int(lengths.max()), bands)
    return prepared(what, {"x": (shape, np.float32)}, fill, paths, rate=rate)["x"], lengths


def read_sounds(paths: Sequence[Path], rate: int) -> Iterator[NDArray[np.int16]]:
    """Give the samples (samples,) of each recording, one channel at ``rate``; InputError names the wrong file."""
    return _in_parts(paths, rate, _samples)


def scaled(samples: NDArray[np.int16]) -> Float32Array:
    """Samples between -1 and 1."""
    return samples.astype(np.float32) / np.float32(_FULL_SCALE)


def _in_parts(paths: Sequence[Path], rate: int, ask: Callable[[Sequence[Path], int], Sequence[T]]) -> Iterator[T]:
    """Ask some files at a time; where they are refused, one by one, to know which."""
    check_extra("tasks", "soundfile", "a recording of sound")
    import soundfile  # noqa: F401  before the child that reads with it starts

    for first in range(0, len(paths), TOGETHER):
        some = paths[first : first + TOGETHER]
        for path in some:
            check_kind(path)
        try:
            answers = ask(some, rate)
        except InputError:
            answers = [ask([path], rate)[0] for path in some]
        yield from answers


def _declared(paths: Sequence[Path], rate: int) -> list[int]:
    """How many samples each file declares."""

    def frames(_: Opened, budget: Budget) -> Answer:
        return [_frames(path, rate) for path in paths], {}

    counts, _ = read(paths[0], frames, SOUND, files=True)
    if not isinstance(counts, list) or len(counts) != len(paths):
        raise InputError(f"cannot read '{paths[0]}' and those after it", SOUND.hint)
    return counts


def _samples(paths: Sequence[Path], rate: int) -> list[NDArray[np.int16]]:
    def samples(_: Opened, budget: Budget) -> Answer:
        sounds = [_sound(path, rate, budget) for path in paths]
        return [len(sound) for sound in sounds], {"samples": np.concatenate(sounds)}

    lengths, arrays = read(paths[0], samples, SOUND, files=True)
    if not isinstance(lengths, list) or len(lengths) != len(paths) or sum(lengths) != len(arrays["samples"]):
        raise InputError(f"cannot read '{paths[0]}' and those after it", SOUND.hint)
    return np.split(arrays["samples"].astype(np.int16), np.cumsum(lengths)[:-1])


# ---- in the child


def _frames(path: Path, rate: int) -> int:
    with _sound_file(path) as file:
        if file.samplerate != rate:
            raise InputError(f"'{path}' was sampled at {file.samplerate:,} Hz, this task reads {rate:,} Hz", SOUND.hint)
        if file.channels != 1:
            raise InputError(f"'{path}' has {file.channels} channels, one is read", SOUND.hint)
        if not 0 < file.frames <= LONGEST_S * rate:
            limit = f"from 1 to {LONGEST_S * rate:,.0f} are read"
            raise InputError(f"'{path}' declares {file.frames:,} samples, {limit}", SOUND.hint)
        return int(file.frames)


def _sound(path: Path, rate: int, budget: Budget) -> NDArray[np.int16]:
    """The samples of one file; what it declares is held against what it holds."""
    import soundfile

    declared = _frames(path, rate)
    budget.take(f"'{path}'", 2 * declared)
    with _sound_file(path) as file:
        try:
            samples = file.read(declared, dtype="int16")
        except soundfile.LibsndfileError as error:
            raise InputError(f"'{path}' is damaged: {error.error_string}", SOUND.hint) from None
    if len(samples) != declared:
        raise InputError(f"'{path}' declares {declared:,} samples, it holds {len(samples):,}", SOUND.hint)
    return np.asarray(samples)


def _sound_file(path: Path) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(str(path))
    except soundfile.LibsndfileError as error:
        raise InputError(f"'{path}' is no WAV or FLAC file: {error.error_string}", SOUND.hint) from None

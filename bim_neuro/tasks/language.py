"""Language modelling: the next byte, or the next word, of WikiText-2, WikiText-103 or any folder of .txt files.

    language          a step is a byte of UTF-8, 256 tokens; of wiki.*.raw, else of wiki.*.tokens
    language-words    a step is a word or the end of a line (<eos>); of wiki.*.tokens, else of wiki.*.raw

Bytes need no vocabulary and lose nothing, so that their likelihood is that of the original text: bits a character are
all bits over the *characters* of the text (metrics/language.py). The words are those of the training split; in a text
without <unk> of its own, words that occur less than three times there become <unk>, which is WikiText's rule.

A sample is a window of 256 bytes, or 64 words, and a model begins each anew. Windows follow each other without a gap;
the first token of a text is never asked for. Of the training text the rest behind the last window is left out, the
last window of validation and test reaches back, and asks for the rest alone: every token counts once.

Splits are those of the files (wiki.train, wiki.valid, wiki.test; or train, valid, test in the names of .txt files).
Other folders are split by file, drawn by ``seed``, and fewer than three files by place: 90, 5 and 5 % of the text.

Merity et al., Pointer Sentinel Mixture Models, arXiv 1609.07843 (2016): WikiText.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import NOT_ASKED
from ..errors import InputError
from .dataset import SPLITS, Dataset, Task
from .drawn import split_by_group
from .official import official_file, official_folder
from .prepared import Arrays, prepared
from .text import EOS, Bytes, cut, read_texts, units, words

BYTES_A_WINDOW, WORDS_A_WINDOW = 256, 64
DT_S = 0.001
"""A step has no duration of its own; one millisecond is a convention."""
UNKNOWN = "<unk>"
LEAST = 3
"""Times that a word must occur to be one of its own."""
PLACES = (0.90, 0.95)
"""Shares of a single text at which validation and test begin."""
NAMES = {"train": ("train",), "validation": ("valid", "val"), "test": ("test",)}
"""What names a split in the name of a file."""

Tokens = NDArray[Any]


def load_language_task(data: Path | None = None, seed: int = 0, level: str = "bytes") -> Task:
    """The task from a folder of WikiText or of .txt files; ``level`` is 'bytes' or 'words'."""
    folder = official_folder("language", data)
    texts, sources, notes = _texts(folder, seed, level)
    windows = _byte_windows if level == "bytes" else _word_windows
    names, parts = windows(texts, sources)
    sizes = {name: units(text) for name, text in texts.items()}
    return Task(
        name="language" if level == "bytes" else "language-words",
        title=f"the next {'byte' if level == 'bytes' else 'word'} of a text",
        class_names=names,
        channel_names=("token",),
        dt=DT_S,
        train=parts["train"],
        validation=parts["validation"],
        test=parts["test"],
        notes=(
            *notes,
            *(f"{name}: {count.characters:,} characters, {count.words:,} words" for name, count in sizes.items()),
        ),
        head="next",
        units=sizes,
    )


def windows_of(tokens: Tokens, steps: int, *, whole: bool, name: str) -> Dataset:
    """Windows (samples, steps, 1) of a text and the token after each step; views of ``tokens`` where they can be.

    ``whole``: every token but the first is asked for, else the rest behind the last window is left out.
    """
    asked = len(tokens) - 1
    count = asked // steps
    if count == 0:
        raise InputError(
            f"the {name} text has {len(tokens):,} tokens, a window takes {steps + 1}", "give a longer text"
        )
    x, y = tokens[: count * steps].reshape(count, steps), tokens[1 : count * steps + 1].reshape(count, steps)
    if whole and (rest := asked - count * steps):
        last = np.full((1, steps), NOT_ASKED, np.int64)
        last[0, -rest:] = tokens[-rest:]
        x, y = np.concatenate([x, tokens[None, -steps - 1 : -1]]), np.concatenate([y.astype(np.int64), last])
    return Dataset(x[:, :, None], y)


def _byte_windows(texts: dict[str, Bytes], _: list[Path]) -> tuple[tuple[str, ...], dict[str, Dataset]]:
    names = tuple(chr(byte) if 32 < byte < 127 else f"0x{byte:02x}" for byte in range(256))
    return names, _windows(texts, BYTES_A_WINDOW)


def _word_windows(texts: dict[str, Bytes], sources: list[Path]) -> tuple[tuple[str, ...], dict[str, Dataset]]:
    vocabulary = _vocabulary(texts["train"])
    number = {word: index for index, word in enumerate(vocabulary)}
    unknown = number[UNKNOWN.encode()]

    def encoded(name: str, text: Bytes) -> Tokens:
        count = units(text).words

        def fill(arrays: Arrays, first: int) -> Iterator[int]:
            end = 0
            for some in words(text):
                begin, end = end, end + len(some)
                if end > first:
                    arrays["tokens"][begin:end] = [number.get(word, unknown) for word in some]
                    yield end

        shapes: Any = {"tokens": ((count,), np.int32)}
        return prepared(f"language-words-{name}", shapes, fill, sources, split=name)["tokens"]

    tokens = {name: encoded(name, text) for name, text in texts.items()}
    return tuple(word.decode() for word in vocabulary), _windows(tokens, WORDS_A_WINDOW)


def _windows(tokens: dict[str, Tokens], steps: int) -> dict[str, Dataset]:
    return {name: windows_of(some, steps, whole=name != "train", name=name) for name, some in tokens.items()}


def _vocabulary(text: Bytes) -> list[bytes]:
    """Return the words of the training text, the most frequent first."""
    counts: Counter[bytes] = Counter()
    for some in words(text):
        counts.update(some)
    if UNKNOWN.encode() not in counts:
        rare = sum(times for times in counts.values() if times < LEAST)
        counts = Counter({word: times for word, times in counts.items() if times >= LEAST or word == EOS.encode()})
        counts[UNKNOWN.encode()] = rare
    return [word for word, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _texts(folder: Path, seed: int, level: str) -> tuple[dict[str, Bytes], list[Path], list[str]]:
    """The text of each split, the files it comes from, and what is worth knowing of them."""
    if any(folder.glob("wiki.*.raw")) or any(folder.glob("wiki.*.tokens")):
        ends = ("raw", "tokens") if level == "bytes" else ("tokens", "raw")
        marks = zip(SPLITS, ("train", "valid", "test"), strict=True)
        files = {
            name: [official_file("language", folder, *(f"wiki.{mark}.{end}" for end in ends))] for name, mark in marks
        }
        if len({paths[0].suffix for paths in files.values()}) > 1:
            raise InputError(f"'{folder}' has .raw of some splits and .tokens of others", "give all three of a kind")
        notes = [_said(files["train"][0], level)]
    else:
        files, notes = _of_folder(folder, seed)
    sources = [path for paths in files.values() for path in paths]
    if len(files) == 1:
        text = read_texts(sources)
        ends_at = [0, *(cut(text, share) for share in PLACES), len(text)]
        texts = {name: text[ends_at[place] : ends_at[place + 1]] for place, name in enumerate(SPLITS)}
    else:
        texts = {name: read_texts(paths) for name, paths in files.items()}
    for name, text in texts.items():
        if not len(text):
            raise InputError(
                f"'{folder}' leaves no text for the {name} split", "give more text, or a file for each split"
            )
    return texts, sources, notes


def _said(path: Path, level: str) -> str:
    if path.suffix == ".tokens" and level == "bytes":
        return f"{path.name}: its words are set apart by blanks and rare ones are <unk>; wiki.*.raw holds the original"
    return f"{path.name} and its two companions are the splits"


def _of_folder(folder: Path, seed: int) -> tuple[dict[str, list[Path]], list[str]]:
    """The .txt files of each split; all of them under 'train' where the text is to be cut by place."""
    paths = sorted([*folder.glob("*.[Tt][Xx][Tt]"), *folder.glob("*/*.[Tt][Xx][Tt]")])
    named = {name: [path for path in paths if _names(path, marks)] for name, marks in NAMES.items()}
    if all(named.values()):
        others = len(paths) - sum(map(len, named.values()))
        return named, [f"files with train, valid and test in their names are the splits, {others} others are not read"]
    if len(paths) < 3:
        return {"train": paths}, [
            f"{len(paths)} files, cut by place: 90 % are for training, 5 % for validation and test"
        ]
    dealt = split_by_group(np.arange(len(paths)), np.random.default_rng(seed))
    files = {name: [paths[place] for place in members] for name, members in zip(SPLITS, dealt, strict=True)}
    return files, [f"{len(paths)} files, drawn by seed {seed} for the splits"]


def _names(path: Path, marks: tuple[str, ...]) -> bool:
    parts = path.stem.lower().replace("-", ".").replace("_", ".").split(".")
    return any(mark in parts or f"{mark}ation" in parts for mark in marks)

"""Text in UTF-8 as bytes: checked piece by piece, counted in characters and words, mapped where it is large.

A word is what stands between ASCII white space; the end of a line is one too, as in WikiText's published perplexities.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import opened
from .dataset import TextUnits
from .prepared import Arrays, prepared

LARGE_BYTES = 16 * 2**20
"""Of a file; a larger one is mapped. Labels of 64 bits take eight times as much in memory."""
PIECE = 2**20
"""Bytes that are looked at together."""
EOS = "<eos>"
"""The word at the end of a line."""
_NEWLINE = ord("\n")
_SPACE = np.zeros(256, np.bool_)
_SPACE[list(b" \t\n\r\v\f")] = True

Bytes = NDArray[np.uint8]


def read_texts(paths: Sequence[Path]) -> Bytes:
    """The bytes of some files, one after another, a newline between them; InputError where one is no UTF-8 or empty."""
    contents = [_read(path) for path in paths]
    for path, content in zip(paths, contents, strict=True):
        check_utf8(content, path)
    if len(contents) == 1:
        return contents[0]
    sizes = [len(content) + (content[-1] != _NEWLINE) for content in contents]

    def fill(arrays: Arrays, first: int) -> Iterator[int]:
        end = 0
        for content, size in zip(contents, sizes, strict=True):
            end += size
            if end > first:
                arrays["text"][end - size : end] = _NEWLINE
                arrays["text"][end - size : end - size + len(content)] = content
                yield end

    return prepared("text", {"text": ((sum(sizes),), np.uint8)}, fill, paths)["text"]


def _read(path: Path) -> Bytes:
    """A file's bytes; a large one stays on the disk, and must not change while it is used."""
    with opened(path) as file, open(file.descriptor, "rb", closefd=False) as stream:
        if file.size > LARGE_BYTES:
            return np.memmap(stream, np.uint8, "r")
        return np.frombuffer(stream.read(), np.uint8)


def pieces(content: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Give the content in pieces of `PIECE` items."""
    for first in range(0, len(content), PIECE):
        yield content[first : first + PIECE]


def check_utf8(content: Bytes, path: Path) -> None:
    """Refuse a text that is no UTF-8, naming the first wrong byte, or that is nothing but white space."""
    decoder, done = codecs.getincrementaldecoder("utf-8")(), 0
    blank = True
    for piece in [*pieces(content), content[:0]]:
        waiting = len(decoder.getstate()[0])
        try:
            decoder.decode(piece.tobytes(), final=not len(piece))
        except UnicodeDecodeError as error:
            wrong = done - waiting + error.start
            byte = int(content[wrong])
            raise InputError(f"'{path}' is not UTF-8: byte {wrong:,} is {byte:#04x}", "convert it with iconv") from None
        done += len(piece)
        blank = blank and bool(_SPACE[piece].all())
    if blank:
        raise InputError(f"'{path}' holds no text", "leave the file out")


def units(content: Bytes) -> TextUnits:
    """The characters and the words of a text in UTF-8."""
    characters = words = 0
    inside = False
    for piece in pieces(content):
        characters += int(((piece & 0xC0) != 0x80).sum())  # all but bytes that continue a character
        word = ~_SPACE[piece]
        words += int((word[1:] & ~word[:-1]).sum()) + int(word[0] and not inside) + int((piece == _NEWLINE).sum())
        inside = bool(word[-1])
    return TextUnits(characters, words)


def words(content: Bytes) -> Iterator[list[bytes]]:
    """Give the words of the text, `EOS` at the end of each line, in lists of some."""
    rest, end = b"", f" {EOS} ".encode()
    for piece in pieces(content):
        blanks = np.flatnonzero(_SPACE[piece])
        last = int(blanks[-1]) + 1 if len(blanks) else 0
        whole, rest = rest + piece[:last].tobytes(), piece[last:].tobytes() if last else rest + piece.tobytes()
        yield (whole if last else b"").replace(b"\n", end).split()
    yield rest.split()


def cut(content: Bytes, share: float) -> int:
    """The first byte of the line that follows a share of the text; of the next character, where no line ends soon."""
    place = int(share * len(content))
    ends = np.flatnonzero(content[place : place + PIECE] == _NEWLINE)
    if len(ends):
        return place + int(ends[0]) + 1
    while place < len(content) and (content[place] & 0xC0) == 0x80:
        place += 1
    return place

r"""Untrusted text made safe to print: names of nodes and classes, paths, errors of libraries.

    plain("a\x1b[31m")       the characters a \ x 1 b [ 3 1 m: nothing that moves a cursor, hides or turns text round
    escape("[/other]")       plain, and no markup of the terminal's tables either
    marked(summary)          a whole report with every text in it escaped
    as_json(data)            JSON that every reader takes: no NaN, no infinity, no half a character
    csv_cell("=1+1")         a cell that a spreadsheet shows and does not compute
    outline(node)            a dataclass in one short line, arrays by their type and shape

Whatever comes from a file and reaches a terminal, a page, a table or a log goes through one of these.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable
from dataclasses import fields
from math import isfinite
from typing import Any

from rich.markup import escape as _without_markup

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories of characters that are not shown as they are: controls, formats (right-to-left overrides), surrogates."""
_FORMULA = ("=", "+", "-", "@")
_OUTLINE, _VALUE = 400, 60
"""Characters of an outline that name fields, and of one value in it."""


def plain(text: Any) -> str:
    """Return a text in which every character can be seen; the others are written as backslash escapes."""
    read = text.decode("utf-8", "backslashreplace") if isinstance(text, bytes | bytearray) else str(text)
    return read if read.isascii() and read.isprintable() else "".join(map(_seen, read))


class Marked(str):
    """A text that went through `escape`."""


def escape(text: Any) -> Marked:
    """Return `plain` text, escaped for rich markup; text that is escaped already is left as it is."""
    if isinstance(text, Marked):
        return text
    safe = _without_markup(plain(text))
    return Marked(safe + "\\" * ((len(safe) - len(safe.rstrip("\\"))) % 2))  # else it would escape the tag after it


def marked(data: Any) -> Any:
    """Return data with every text in it, keys too, made safe by `escape`."""
    return _each_text(data, escape)


def as_json(data: Any, indent: int | None = 2) -> str:
    """Return strict JSON: null for NaN and infinities, and half characters (surrogates) written as escapes."""
    separators = (",", ":") if indent is None else None
    return json.dumps(_strict(data), indent=indent, separators=separators, allow_nan=False)


def printable_data(data: Any) -> Any:
    """Return data with every text in it, keys too, made `plain`."""
    return _each_text(data, plain)


def csv_cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    if not isinstance(value, str):
        return value
    return f"'{plain(value)}" if value.startswith(_FORMULA) else plain(value)


def counted(number: int, noun: str, several: str = "") -> str:
    """'1 core', '2 cores'; the plural is given where it is not one of s."""
    return f"{number:,} {noun if number == 1 else several or f'{noun}s'}"


def outline(value: Any) -> str:
    """Return a dataclass in one line of at most some 450 characters; fields that find no room are counted.

    It is the ``__repr__`` of what holds arrays: numbers stand as they are, arrays as their type and shape.
    """
    said = [f"{field.name}={_outlined(getattr(value, field.name))}" for field in fields(value) if field.repr]
    room = _OUTLINE
    for index, words in enumerate(said):
        room -= len(words) + 2
        if room < 0:
            said[index:] = [f"and {len(said) - index} more"]
            break
    return f"{type(value).__name__}({', '.join(said)})"


def _outlined(value: Any) -> str:
    if getattr(value, "shape", ()):
        return f"<{value.dtype} {tuple(value.shape)}>"
    text = plain(repr(value))
    if len(text) <= _VALUE:
        return text
    return f"<{counted(len(value), 'item')}>" if isinstance(value, dict | list | tuple) else f"{text[: _VALUE - 3]}..."


def _each_text(data: Any, change: Callable[[Any], str]) -> Any:
    if isinstance(data, dict):
        return {_each_text(key, change): _each_text(value, change) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_each_text(value, change) for value in data]
    return change(data) if isinstance(data, str | bytes) else data


def _seen(character: str) -> str:
    if unicodedata.category(character) not in _UNSAFE:
        return character
    return character.encode("unicode_escape", "backslashreplace").decode("ascii")


def _strict(data: Any) -> Any:
    if isinstance(data, dict):
        return {_strict(key): _strict(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_strict(value) for value in data]
    if isinstance(data, float):
        return data if isfinite(data) else None
    if isinstance(data, bytes):
        return plain(data)
    return data.encode("utf-8", "backslashreplace").decode("utf-8") if isinstance(data, str) else data

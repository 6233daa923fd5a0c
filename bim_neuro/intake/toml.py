"""A TOML file as plain tables, texts and numbers."""

from __future__ import annotations

import sys
from datetime import date, time
from pathlib import Path
from typing import Any

from ..errors import InputError
from .child import Answer, Format, read
from .kind import Opened
from .limits import Budget

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_BYTES = 2**20


def read_toml(path: Path, hint: str = "") -> dict[str, Any]:
    """Return the tables of a TOML file; dates come as texts. `InputError` names the file and the place."""
    words, _ = read(path, lambda file, budget: _read(file, budget, hint), Format("a TOML file", hint))
    return dict(words)


def _read(file: Opened, budget: Budget, hint: str) -> Answer:
    if file.size > MAX_BYTES:
        raise InputError(f"{file.path} has {file.size:,} bytes, a TOML file of at most {MAX_BYTES:,} is read")
    with open(file.descriptor, "rb", closefd=False) as source:
        content = source.read()
    try:
        return _plain(tomllib.loads(content.decode())), {}
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file.path} is not TOML: {error!s:.300}", hint) from None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return str(value) if isinstance(value, date | time) else value

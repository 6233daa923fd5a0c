"""A JSON file of bounded size, as plain values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError
from .kind import opened

MAX_BYTES = 128 * 2**20


def read_json(path: Path) -> Any:
    """Return the content of a JSON file; `InputError` if it is no file, no JSON, too large or nested too deep."""
    with opened(path) as file:
        if file.size > MAX_BYTES:
            raise InputError(f"{path} has {file.size:,} bytes, a JSON file of at most {MAX_BYTES:,} is read")
        with open(file.descriptor, "rb", closefd=False) as source:
            content = source.read(file.size)
    try:
        return json.loads(content)
    except (ValueError, RecursionError, MemoryError) as error:
        raise InputError(f"{path} is damaged or not JSON: {type(error).__name__} {error!s:.200}") from None

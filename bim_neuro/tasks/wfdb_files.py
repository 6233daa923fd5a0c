"""Headers of WFDB records, checked before wfdb follows what they name."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..errors import InputError
from ..intake import check_kind, opened

MAX_HEADER_BYTES = 64 * 2**10


def check_header(header: Path, hint: str) -> None:
    """Refuse a header that names anything but signal files beside it: another folder, a pipe, a web address."""
    with opened(header) as file:
        content = os.read(file.descriptor, MAX_HEADER_BYTES + 1)
    if len(content) > MAX_HEADER_BYTES:
        raise InputError(f"{header} has more than {MAX_HEADER_BYTES:,} bytes")
    lines = [line.split() for line in content.decode("utf-8", "replace").splitlines() if not line.startswith("#")]
    first, *signals = [words for words in lines if words] or [[]]
    if not first or first[0] != header.stem:
        raise InputError(f"{header} is the header of another record, or of several", hint)
    for name in {words[0] for words in signals}:
        if not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", name):
            raise InputError(f"{header} names a signal file '{name:.60}', a plain name beside it is needed", hint)
        check_kind(header.with_name(name))

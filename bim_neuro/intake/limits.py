"""Limits of memory per file and per run: what the file's size justifies, and what the user allows."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError, NoRoom

BASE_BYTES = 256 * 2**20
"""Bytes any file may expand to; the setting run.max_memory raises it."""
RUN_BYTES = 512 * 2**20
"""Bytes a run may hold at a time; the setting run.max_memory raises it too."""
BYTES_A_BYTE = 16
"""Further bytes per byte of the file: spikes compress well."""
DEFLATE_RATIO = 1032
"""The most bytes that deflate makes of one (zlib, technical details)."""
HEADER_BYTES = 64 * 2**10
"""Bytes allowed beyond the deflate ratio: a small array and its header."""
HINT = "if you trust this file, allow more memory, for example --set run.max_memory=8G"
_UNITS = {"": 2**30, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass
class _Allowed:
    """The run.max_memory of this process, in bytes; 0 if not set."""

    bytes: int = 0


_allowed = _Allowed()


def allow_memory(text: str | None) -> int:
    """Set run.max_memory from ``text``, in GiB or as '8G' or '500M'; None resets it."""
    _allowed.bytes = 0 if text is None else _parse(text)
    return _allowed.bytes


def memory_for(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes may expand to."""
    return max(BASE_BYTES + BYTES_A_BYTE * size, _allowed.bytes)


def memory_of_a_run() -> int:
    """Return how many bytes a run may hold at a time."""
    return max(RUN_BYTES, _allowed.bytes)


def check_run_memory(what: str, size: int) -> None:
    """Refuse ``size`` bytes for ``what`` if a run may not hold so much."""
    if size > memory_of_a_run():
        hint = "give fewer --samples or --steps, or more memory, for example --set run.max_memory=8G"
        raise InputError(f"{what} take {size:,} bytes, {memory_of_a_run():,} are allowed for a run", hint)


def check_available(what: str, size: int, hint: str = "give fewer samples or steps, or keep less") -> None:
    """Refuse ``size`` bytes for ``what`` if the machine has fewer left."""
    if (left := _available()) is not None and size > left:
        raise NoRoom(f"{what} take {size:,} bytes, this machine has {left:,} left", hint)


def _available() -> int | None:
    """Return the bytes available without swapping, None if the system does not report it."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError, IndexError):
        return None


def _parse(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE | re.ASCII)
    count = float(found[1]) * _UNITS[found[2].upper()] if found else 0
    if not 1 <= count < 2**50:
        raise InputError(
            f"run.max_memory {text!r:.60} is not an amount of memory", "give GiB, as 8, or a unit, as 500M or 8G"
        )
    return int(count)


@dataclass
class Budget:
    """A memory budget of ``limit`` bytes; each array is counted before it is allocated."""

    limit: int
    used: int = field(default=0)

    @classmethod
    def of_file(cls, size: int) -> Budget:
        """Return the budget of a file of ``size`` bytes."""
        return cls(memory_for(size))

    def take(self, what: str, size: int) -> None:
        """Count ``size`` bytes for ``what``; `InputError` with both where they are more than is left."""
        if size > self.limit - self.used:
            already = f" in addition to {self.used:,} for others" if self.used else ""
            raise InputError(f"{what} takes {size:,} bytes{already}, {self.limit:,} are allowed for this file", HINT)
        self.used += size


def check_claim(what: str, claimed: int, stored: int) -> None:
    """Refuse ``claimed`` bytes that cannot be compressed into the ``stored`` ones."""
    if claimed > HEADER_BYTES + DEFLATE_RATIO * stored:
        raise InputError(
            f"{what} declares {claimed:,} bytes, the file holds {stored:,} for it", "the file is damaged or malicious"
        )

"""How much memory and time a file may take: what its own bytes justify, and what the user allows beyond."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import InputError

BASE_BYTES = 256 * 2**20
"""What any file may unfold to; the setting run.max_memory raises it."""
RUN_BYTES = 512 * 2**20
"""What a run may keep at a time; the setting run.max_memory raises that too."""
BYTES_A_BYTE = 16
"""What each byte of a file may unfold to beyond that: spikes compress well."""
DEFLATE_RATIO = 1032
"""The most bytes that deflate makes of one (zlib, technical details)."""
HEADER_BYTES = 64 * 2**10
"""What may be claimed beyond the deflate ratio: a small array and its header."""
HINT = "a file that is honest and as large as that is read with more memory, as --set run.max_memory=8G"
_UNITS = {"": 2**30, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


@dataclass
class _Allowed:
    """What run.max_memory says of this process, in bytes; 0 where nothing was said."""

    bytes: int = 0


_allowed = _Allowed()


def allow_memory(text: str | None) -> int:
    """Let files unfold to as much as ``text`` says, in GiB or as '8G' or '500M'; None takes that back."""
    _allowed.bytes = 0 if text is None else _parse(text)
    return _allowed.bytes


def memory_for(size: int) -> int:
    """Return how many bytes a file of ``size`` bytes may unfold to."""
    return max(BASE_BYTES + BYTES_A_BYTE * size, _allowed.bytes)


def memory_of_a_run() -> int:
    """Return how many bytes a run may keep at a time."""
    return max(RUN_BYTES, _allowed.bytes)


def check_run_memory(what: str, size: int) -> None:
    """Refuse to take ``size`` bytes for ``what`` where that is more than a run may keep."""
    if size > memory_of_a_run():
        hint = "give fewer --samples or --steps, or more memory, as --set run.max_memory=8G"
        raise InputError(f"{what} take {size:,} bytes, {memory_of_a_run():,} are allowed for a run", hint)


def check_available(what: str, size: int, hint: str = "give fewer samples or steps, or keep less") -> None:
    """Refuse to take ``size`` bytes for ``what`` where the machine has fewer left."""
    if (left := _available()) is not None and size > left:
        raise InputError(f"{what} take {size:,} bytes, this machine has {left:,} left", hint)


def _available() -> int | None:
    """Return the bytes that can be had without swapping, None where the system does not say."""
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
    """What may still be taken of ``limit`` bytes; each array asks before it is made."""

    limit: int
    used: int = field(default=0)

    @classmethod
    def of_file(cls, size: int) -> Budget:
        """Return the budget of a file of ``size`` bytes."""
        return cls(memory_for(size))

    def take(self, what: str, size: int) -> None:
        """Count ``size`` bytes for ``what``; `InputError` with both where they are more than is left."""
        if size > self.limit - self.used:
            already = f" beside {self.used:,} for others" if self.used else ""
            raise InputError(f"{what} takes {size:,} bytes{already}, {self.limit:,} are allowed for this file", HINT)
        self.used += size


def check_claim(what: str, claimed: int, stored: int) -> None:
    """Refuse ``claimed`` bytes that no compression makes of the ``stored`` ones."""
    if claimed > HEADER_BYTES + DEFLATE_RATIO * stored:
        raise InputError(f"{what} claims {claimed:,} bytes, the file holds {stored:,} for it", "it is no honest file")

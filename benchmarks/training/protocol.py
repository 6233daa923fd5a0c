"""How a measured process speaks: one line when ready, then for each line it hears the seconds of one call.

It imports numpy alone, as rivals live in environments of their own.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def resident(field: str) -> int:
    """Return VmRSS (now) or VmHWM (the peak) of this process in bytes; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


class Peak:
    """How far the peak of resident memory rises above what is held when this is made."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew from here
        self.before = resident("VmRSS")

    def rise(self) -> int:
        """Return the bytes until now."""
        return max(0, resident("VmHWM") - self.before)


def serve(call: Callable[[], object], *, gradient: tuple[str, dict[str, Any]], **said: Any) -> None:
    """Write the gradient, say ``said`` in one line, then time a call for every line heard."""
    np.savez(gradient[0], **gradient[1])
    print(json.dumps(said), flush=True)
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(time.perf_counter() - start, flush=True)

"""Which lines of the readers a run passed, counted in memory that forked processes share."""

from __future__ import annotations

import inspect
import mmap
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

PACKAGE = Path(__file__).resolve().parents[2] / "bim_neuro"


class Lines:
    """The lines of the functions of some files of the package, and which of them were passed."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        files = sorted({path.resolve() for pattern in patterns for path in PACKAGE.glob(pattern)})
        self.lines = {str(path): set(_lines(path)) for path in files}
        self.start: dict[str, int] = {}
        size = 1
        for name, lines in self.lines.items():
            self.start[name] = size
            size += max(lines, default=0) + 1
        self.passed = mmap.mmap(-1, size)
        self._known: dict[str, str] = {}

    def watch(self) -> None:
        """Mark lines from now on, in this thread, later ones, and forked processes."""
        threading.settrace(self._enter)
        sys.settrace(self._enter)

    def share(self, file: str) -> tuple[int, int]:
        """Return how many lines of a file were passed, and how many there are."""
        first = self.start[file]
        return sum(self.passed[first + line] for line in self.lines[file]), len(self.lines[file])

    def clear(self) -> None:
        self.passed[:] = bytes(len(self.passed))

    def _enter(self, frame: FrameType, event: str, argument: Any) -> Any:
        name = frame.f_code.co_filename
        file = self._known.get(name)
        if file is None:
            file = self._known[name] = str(Path(name).resolve())
        first = self.start.get(file)
        if first is None:
            return None

        def mark(frame: FrameType, event: str, argument: Any) -> Any:
            if event == "line":
                self.passed[first + frame.f_lineno] = 1
            return mark

        return mark


def _lines(path: Path) -> Iterator[int]:
    waiting: list[CodeType] = [compile(path.read_text(encoding="utf-8"), str(path), "exec")]
    while waiting:
        code = waiting.pop()
        waiting += [inner for inner in code.co_consts if isinstance(inner, CodeType)]
        if code.co_flags & inspect.CO_OPTIMIZED:  # a function; modules and classes ran when they were imported
            yield from {line for _, _, line in code.co_lines() if line and line != code.co_firstlineno}

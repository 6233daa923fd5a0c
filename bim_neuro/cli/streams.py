"""Standard output and standard error as we find them: closed, full, or of a terminal that knows ASCII alone.

A command ends with its own exit code and without a traceback, whatever its streams are. What cannot be shown in
ASCII is written as a backslash escape; what is printed to a stream that was closed is not missed by anybody; what
cannot be printed because a disk is full is said on standard error, and the exit code is 2.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..printable import as_json

BROKEN_PIPE = 1
CANNOT_WRITE = 2
NO_FOLDER = """error: the current folder was removed, or may not be entered
hint: go to another one and run the command again
"""
OTHER_SYSTEM = """error: bim-neuro runs on Linux, and this is {system}
hint: use a Linux machine, a container or a virtual machine
"""


def run_app(app: Callable[..., Any], **options: Any) -> None:
    """Run a command line from start to end, on Linux, with streams that can be written to."""
    _steady()
    if sys.platform != "linux":
        _say(OTHER_SYSTEM.format(system=sys.platform))
        raise SystemExit(2)
    try:
        os.getcwd()  # noqa: PTH109  (libraries look for their own parts by it, and end the process without)
    except OSError:
        _say(NO_FOLDER)
        raise SystemExit(2) from None
    try:
        app(**options)
    finally:
        _settle()


def print_json(content: Any) -> None:
    """Print strict JSON, and nothing else, on standard output."""
    sys.stdout.write(as_json(content) + "\n")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Keep the warnings of libraries from standard error; `python -W` shows them, and a filter that raises raises."""
    if sys.warnoptions:
        yield
        return
    shown, last_resort = warnings.showwarning, logging.lastResort
    warnings.showwarning = lambda *warning, **more: None
    logging.lastResort = logging.NullHandler()
    try:
        yield
    finally:
        warnings.showwarning, logging.lastResort = shown, last_resort


def _steady() -> None:
    """Open what was closed, so that no file of ours takes its number; let nothing be too foreign to be written."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:  # noqa: PERF203
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _settle() -> None:
    """Write what is still held back; a stream that does not take it gets no second chance when Python ends."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _abandon(sys.stdout)
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        _abandon(sys.stdout)
        _say(f"error: cannot write to standard output: {error.strerror or error}\n")
        raise SystemExit(CANNOT_WRITE) from None
    finally:
        try:
            sys.stderr.flush()
        except OSError:
            _abandon(sys.stderr)


def _say(text: str) -> None:
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _abandon(stream: Any) -> None:
    """Let a stream's rest go nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

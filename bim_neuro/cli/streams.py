"""Standard output and standard error that may be closed, full, or limited to ASCII.

A command ends with its own exit code and without a traceback, whatever its streams are. A character that the stream
cannot encode is written as a backslash escape; output to a closed stream is discarded; if standard output cannot be
written (disk full), standard error says so and the exit code is 2.
"""

from __future__ import annotations

import logging
import os
import re
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
    if any(re.fullmatch(r"_BIM_\w+_COMPLETE", name) for name in os.environ):
        from typer._completion_classes import completion_init

        completion_init()  # of shells: bash, zsh, fish
    try:
        app(**options)
    finally:
        _settle()


def print_json(content: Any) -> None:
    """Print strict JSON, and nothing else, on standard output."""
    sys.stdout.write(as_json(content) + "\n")


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Hide warnings of libraries; `python -W` shows them, and a filter 'error' still raises them."""
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
    """Open closed standard streams, so that no file gets their number; escape characters they cannot encode."""
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
    """Flush the streams; one that fails is discarded, so that Python does not flush it again at exit."""
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
    """Discard whatever a stream still has to write."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

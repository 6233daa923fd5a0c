"""The face: how the three commands print, show progress, refuse, and end."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .errors import BimError, DoesNotFit

INTERRUPTED = 130

_PIPED_WIDTH = 110  # columns where standard output is not a terminal

out = Console(highlight=False, width=None if sys.stdout.isatty() else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False)


def guarded(command: Callable[[], None], debug: bool) -> None:
    """Run a command; turn every error into one clear message and its exit code, a traceback only with --debug.

    To be told to end (SIGTERM) is to be interrupted: nothing is left behind either.
    """
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        command()
    except BimError as error:
        if debug:
            raise
        refuse(error)
    except KeyboardInterrupt:
        err.print("interrupted; nothing was left half-written")
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if debug:
            raise
        where = f" {error.filename}" if error.filename else ""
        _refusal("error", f"cannot read or write{where}: {error.strerror or error}")
        raise SystemExit(2) from None
    except Exception as error:
        if debug:
            raise
        _refusal(
            "internal error", f"{type(error).__name__}: {error}", "this is a defect of bim-neuro; --debug shows where"
        )
        raise SystemExit(4) from None


def refuse(error: BimError) -> NoReturn:
    """Print an error, or all its findings, with the hints; leave with its exit code."""
    if isinstance(error, DoesNotFit):
        for finding in error.findings:
            _refusal("does not fit", finding.message, finding.hint)
    else:
        _refusal("error", error.message, error.hint)
    raise SystemExit(error.exit_code)


def _refusal(kind: str, message: str, hint: str = "") -> None:
    """Print one line, and one for the hint, whatever the message is made of."""
    err.print(f"[bold red]{kind}:[/] {escape(' '.join(message.split()))}", soft_wrap=True)
    if hint:
        err.print(f"[dim]hint:[/] {escape(' '.join(hint.split()))}", soft_wrap=True)


def progress_bar(**options: Any) -> Progress:
    """Return a progress bar on standard error, silent where that is not a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    return Progress(*columns, console=err, transient=True, disable=not err.is_terminal, **options)

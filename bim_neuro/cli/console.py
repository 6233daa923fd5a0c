"""The terminal: how the three commands print, show progress, report errors and exit."""

from __future__ import annotations

import math
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from types import FrameType
from typing import Any, NoReturn

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from .. import kept
from ..errors import BimError, DoesNotFit, as_text
from ..printable import escape
from .streams import BROKEN_PIPE, quiet_libraries

INTERRUPTED = 130
_KINDS = {"error": "[bold red]does not fit:[/]", "warning": "[bold yellow]warning:[/]"}
_LONGEST = 2000  # characters of a message, which may hold a name from a file

_TIDYING_SECONDS = 3.0  # a Ctrl-C within so many seconds of the last is the same one
_MOMENT_SECONDS = 0.05

_PIPED_WIDTH = 120  # columns where standard output is not a terminal

_terminal = sys.stdout is not None and sys.stdout.isatty()  # closed: there is none
out = Console(highlight=False, emoji=False, width=None if _terminal else _PIPED_WIDTH)
err = Console(stderr=True, highlight=False, emoji=False)


def guarded(command: Callable[[], None], debug: bool) -> None:
    """Run a command; turn every error into one clear message and its exit code, a traceback only with --debug.

    What was kept of the work is said with it. To be told to end (SIGTERM, SIGHUP) is to be interrupted.
    """
    interruption = _Interruption()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:  # nohup sets it: leave it ignored
                signal.signal(number, interruption)
    unraisable, sys.unraisablehook = sys.unraisablehook, interruption.swallowed
    try:
        with kept.listening():
            _guarded(command, debug, interruption)
    finally:
        sys.unraisablehook = unraisable


class _Interruption:
    """A handler that interrupts once: a second Ctrl-C does not cut short the tidying up after the first."""

    def __init__(self) -> None:
        self.last = -math.inf
        self.unraisable = sys.unraisablehook

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now = time.monotonic()
        if now - self.last > _TIDYING_SECONDS:
            self.last = now
            raise KeyboardInterrupt

    @property
    def tidying(self) -> bool:
        """Whether we were interrupted just now: an error that follows is caused by it."""
        return time.monotonic() - self.last <= _TIDYING_SECONDS

    def swallowed(self, what: sys.UnraisableHookArgs) -> None:
        """Interrupt again a moment later, if the first interrupt came where Python cannot raise an exception."""
        if issubclass(what.exc_type, KeyboardInterrupt):
            self.last = -math.inf
            signal.signal(signal.SIGALRM, self)
            signal.setitimer(signal.ITIMER_REAL, _MOMENT_SECONDS)
        else:
            self.unraisable(what)


def _guarded(command: Callable[[], None], debug: bool, interruption: _Interruption) -> None:
    try:
        with nullcontext() if debug else quiet_libraries():
            command()
    except BimError as error:
        if interruption.tidying and not isinstance(error, DoesNotFit):  # a refusal is an answer, no interrupt's effect
            _interrupted()
        if debug:
            raise
        refuse(error)
    except KeyboardInterrupt:
        _interrupted()
    except BrokenPipeError:
        raise SystemExit(BROKEN_PIPE) from None
    except OSError as error:
        if interruption.tidying:
            _interrupted()
        if debug:
            raise
        where = f" {error.filename}" if error.filename else ""
        _refusal("error", f"cannot read or write{where}: {error.strerror or error}", _with_kept())
        raise SystemExit(2) from None
    except Exception as error:
        if interruption.tidying:
            _interrupted()
        if debug:
            raise
        if _is_of_memory(error):
            asked = str(error) or "an allocation failed"
            _refusal("error", f"this machine has too little memory: {asked}", "give fewer or shorter samples at a time")
            raise SystemExit(2) from None
        _refusal(
            "internal error",
            f"{type(error).__name__}: {error}",
            _with_kept("this is a defect of bim-neuro; --debug shows where"),
        )
        raise SystemExit(4) from None


def _is_of_memory(error: Exception) -> bool:
    """Whether memory ran out; PyTorch has no class for it."""
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)


def _interrupted() -> NoReturn:
    said = "; ".join(kept.sentences()) or "no file was left half-written"
    with suppress(OSError):
        err.print(f"interrupted; {escape(said)}", soft_wrap=True)
    raise SystemExit(INTERRUPTED) from None


def refuse(error: BimError) -> NoReturn:
    """Print an error, or all its findings, with the hints; leave with its exit code."""
    if isinstance(error, DoesNotFit):
        *others, last = sorted(error.findings, key=lambda finding: finding.severity != "error")
        for finding in others:
            _say(_KINDS[finding.severity], finding.message, finding.hint)
        _say(_KINDS[last.severity], last.message, _with_kept(last.hint))
    else:
        _refusal("error", error.message, _with_kept(error.hint))
    raise SystemExit(error.exit_code)


def remark(message: str, hint: str = "", *, kind: str = "note") -> None:
    """Print a warning on standard error; the command continues."""
    _say(f"[bold yellow]{kind}:[/]", message, hint)


def _with_kept(hint: str = "") -> str:
    return "; ".join(part for part in (hint, *kept.sentences()) if part)


def _refusal(kind: str, message: str, hint: str = "") -> None:
    _say(f"[bold red]{kind}:[/]", message, hint)


def _say(kind: str, message: str, hint: str) -> None:
    """Print the message on one line and the hint on another; never fail, even if the stream cannot be written."""
    with suppress(OSError):  # standard error is full: the exit code says the rest
        err.print(f"{kind} {escape(_one_line(message))}", soft_wrap=True)
        if hint:
            err.print(f"[dim]hint:[/] {escape(_one_line(hint))}", soft_wrap=True)


def _one_line(text: str) -> str:
    line = as_text(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}... ({len(line):,} characters)"


class Paced:
    """Prints notes on standard error where there is no terminal to draw a bar in: the first, then one a second."""

    SECONDS = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._due = -math.inf

    def __call__(self, note: str) -> None:
        now = self._clock()
        if now >= self._due and not err.is_terminal:
            self._due = now + self.SECONDS
            with suppress(OSError):
                err.print(escape(note), soft_wrap=True)


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

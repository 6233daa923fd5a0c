"""Every error a user can meet, as one tree.

    BimError                    anything we refuse, with a message and a hint
    ├── InputError              exit 2   unreadable, malformed or unknown input
    │   ├── BackendMissing      exit 2   a backend that is not installed here
    │   └── NoRoom              exit 2   this machine's disk or memory does not take it now
    ├── DoesNotFit              exit 1   the chip cannot hold it, or a node is not supported; holds every finding
    ├── ThresholdMissed         exit 3   a verification found a difference, or a limit the user set was missed
    └── BackendFailed           exit 4   a backend broke or ran past its time limit

A message names the part, the amount and the limit; the hint says what to do next. From Python 3.11 on, the hint is a
note of the exception, which a traceback prints below the message; 3.10 has no notes, so the hint ends the message.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

_BYTES_LITERAL = re.compile(r"(?<!['\"\w])b(?=['\"])")


class BimError(Exception):
    """A refusal with one clear ``message``, an optional ``hint`` and the ``exit_code`` of the command line."""

    exit_code = 4

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint
        _note(self, [hint])

    def __str__(self) -> str:
        return _said(self.message, self.hint)


class InputError(BimError):
    """Input that is missing, unreadable, malformed or unknown."""

    exit_code = 2


class BackendMissing(InputError):
    """A backend that is not installed in this environment."""


class NoRoom(InputError):
    """A disk or a memory that does not take what is written now: on another day, or another machine, it may."""


def not_registered(thing: object, what: str, place: str) -> InputError:
    """Return the error for a node or synapse whose class has no registered ``what``; ``place`` is where to add it."""
    return InputError(f"{type(thing).__name__} has no '{what}', see {place}", "docs/adding_a_node.md names every place")


def _note(error: BimError, hints: Iterable[str]) -> None:
    """Add each hint to an error as a note, once, where Python has notes."""
    if sys.version_info >= (3, 11):
        for hint in dict.fromkeys(filter(None, hints)):
            error.add_note(f"hint: {hint}")


def _said(message: str, hint: str) -> str:
    """Return a message, with its hint if Python has no notes."""
    return f"{message} ({hint})" if hint and sys.version_info < (3, 11) else message


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error; its kind where that says nothing."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return as_text((lines or [type(error).__name__])[0][:200])


def as_text(words: str) -> str:
    """Return a library's message with names that it quotes as bytes, b'lif', quoted as text."""
    return _BYTES_LITERAL.sub("", words)


@dataclass(frozen=True)
class Finding:
    """One problem: which ``rule``, at which ``layer``, the amount found, and what is allowed.

    An 'error' rejects the model; a 'warning' marks results that may be unreliable, and is an error only with --strict.
    """

    rule: str
    layer: str
    message: str
    used: float | None = None
    limit: float | None = None
    hint: str = ""
    severity: str = "error"


class DoesNotFit(BimError):
    """The model cannot be put on the target; ``findings`` lists every violation, not the first, and every warning."""

    exit_code = 1

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__("; ".join(finding.message for finding in findings if finding.severity == "error"))
        self.findings = tuple(findings)
        self.args = (self.findings,)
        _note(self, (finding.hint for finding in self.findings))

    def __str__(self) -> str:
        return "; ".join(_said(finding.message, finding.hint) for finding in self.findings)


class ThresholdMissed(BimError):
    """A verification found a difference, or a threshold the user set was missed."""

    exit_code = 3


class BackendFailed(BimError):
    """A backend broke or ran past its time limit."""

    exit_code = 4

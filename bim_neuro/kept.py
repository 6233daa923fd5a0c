"""Kept work: what is already saved on disk while a command runs, one sentence each.

A command that is interrupted or fails prints these sentences: what was kept and how to resume. In the Python API they
are not printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_said: ContextVar[dict[str, str] | None] = ContextVar("kept work", default=None)


@contextmanager
def listening() -> Iterator[None]:
    """Collect the sentences of `keep` while the block runs."""
    token = _said.set({})
    try:
        yield
    finally:
        _said.reset(token)


def say(what: str, sentence: str) -> None:
    """Note what is kept; a later sentence about the same ``what`` replaces it."""
    said = _said.get()
    if said is not None:
        said[what] = sentence


def forget(what: str) -> None:
    """Drop a sentence: its work is finished or no longer kept."""
    said = _said.get()
    if said is not None:
        said.pop(what, None)


def sentences() -> tuple[str, ...]:
    """Return what is kept now, in the order in which it was first said."""
    return tuple((_said.get() or {}).values())

"""Kept work: what is already safe on disk while a command runs, one sentence each, said by whoever keeps it.

A command that is interrupted, or that fails, ends with these sentences: what was kept and how to go on. Where nobody
listens (the Python API), saying costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_said: ContextVar[dict[str, str] | None] = ContextVar("kept work", default=None)


@contextmanager
def listening() -> Iterator[None]:
    """Collect what is said while the block runs."""
    token = _said.set({})
    try:
        yield
    finally:
        _said.reset(token)


def say(what: str, sentence: str) -> None:
    """Say what is kept; the last sentence about ``what`` counts."""
    said = _said.get()
    if said is not None:
        said[what] = sentence


def forget(what: str) -> None:
    """Take a sentence back: what it spoke of is done, or gone."""
    said = _said.get()
    if said is not None:
        said.pop(what, None)


def sentences() -> tuple[str, ...]:
    """Return what is kept now, in the order in which it was first said."""
    return tuple((_said.get() or {}).values())

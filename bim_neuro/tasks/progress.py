"""How far the preparation of a task's data has come: whoever loads a task may listen.

with listening(lambda what, done, of: print(what, done, of)):
    load_task("speech", "LibriSpeech")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[str, int, int], None]

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


@contextmanager
def listening(listener: Listener) -> Iterator[None]:
    """Call ``listener`` with what is prepared, the rows done and all of them, while the block runs."""
    token = _listener.set(listener)
    try:
        yield
    finally:
        _listener.reset(token)


def say(what: str, done: int, of: int) -> None:
    """Tell whoever listens."""
    listener = _listener.get()
    if listener is not None:
        listener(what, done, of)

"""Run a command and end it by a signal right before its Nth change of the file system; for kills.py and the tests.

    python kill_points.py compile '{"at": 17, "signals": ["SIGKILL"], "count_to": null, "job": {"SHARD": 4}}' ARGUMENTS

``at`` 0: never; ``count_to`` is a file that takes the number of changes when the command ends. ``job`` are constants of
`bim_neuro.jobs.simulate` to set. Changes are told by Python's audit events: files opened for writing, renamed, removed;
folders made and removed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.truncate"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Changes:
    """Counts changes; at the one that was chosen, sends this process its signals."""

    def __init__(self, at: int, signals: list[str]) -> None:
        self.count, self.at, self.signals = 0, at, signals
        self.process = os.getpid()

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        opened = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITES
        if not (opened or event in _CHANGES) or os.getpid() != self.process or _cached(arguments[0]):
            return
        self.count += 1
        if self.count == self.at:
            for name in self.signals:
                os.kill(self.process, getattr(signal, name))


def _cached(path: Any) -> bool:
    """Whether it is numba's or Python's cache that changes: there only on a first run."""
    return "__pycache__" in str(path) or "numba" in str(path)


def main() -> None:
    """Run the command named by the first argument."""
    entry, settings = sys.argv[1], json.loads(sys.argv[2])
    sys.argv = [f"bim-{entry}", *sys.argv[3:]]
    from bim_neuro import cli
    from bim_neuro.jobs import simulate

    for name, value in settings.get("job", {}).items():
        setattr(simulate, name, value)
    changes = Changes(settings.get("at", 0), settings.get("signals", []))
    sys.addaudithook(changes)
    try:
        getattr(cli, f"{entry}_main")()
    finally:
        if settings.get("count_to"):
            Path(settings["count_to"]).write_text(str(changes.count))


if __name__ == "__main__":
    main()

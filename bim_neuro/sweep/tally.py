"""How far a sweep is: trials by what became of them, their rate, and the time that is left."""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass
class Tally:
    """How far a sweep is."""

    total: int
    known: int = 0  # were finished before
    done: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    lost: int = 0  # attempts whose worker died
    started: float = field(default_factory=time.monotonic)

    def add(self, status: str, *, known: bool = False) -> None:
        self.by_status[status] = self.by_status.get(status, 0) + 1
        if known:
            self.known += 1
        else:
            self.done += 1

    @property
    def rate(self) -> float:
        """Trials a second, of those that were computed."""
        return self.done / max(1e-9, time.monotonic() - self.started)

    @property
    def remaining(self) -> float | None:
        """Seconds until the end at this rate; None before the first result."""
        return (self.total - self.known - self.done) / self.rate if self.done else None

    def __str__(self) -> str:
        said = [f"{self.known + self.done:,} of {self.total:,} trials"]
        said += [f"{count:,} {status}" for status, count in sorted(self.by_status.items()) if status != "done"]
        said += [f"{self.lost} lost with their workers"] if self.lost else []
        if self.remaining is not None:
            said += [f"{60 * self.rate:.3g} a minute", f"{_duration(self.remaining)} left"]
        return ", ".join(said)


def _duration(seconds: float) -> str:
    minutes = seconds / 60
    return f"{seconds:.0f} s" if seconds < 100 else f"{minutes:.0f} min" if minutes < 100 else f"{minutes / 60:.1f} h"

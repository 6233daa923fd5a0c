"""What bim-compile was asked for, and what came of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..plasticity.request import Plasticity
from ..report.thresholds import Thresholds
from .sequences import Wanted

Stage = Callable[[str, int | None], None]


@dataclass(frozen=True)
class Request:
    """What bim-compile was asked for."""

    model: Path
    target: str
    dt: float | None
    input: Path | None
    data: Path | None
    samples: int | None  # None: all
    steps: int | None
    backend: str
    verify: str | None
    output: Path
    lava_timeout: float | None
    command: str
    optimise: str | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    plasticity: Plasticity | None = None  # None: nothing learns
    learn_test: Path | None = None
    learn_samples: int = 2000
    split: str | None = None
    layout: str | None = None
    file: str = ""  # the same for --config, as it is written beside the result

    @property
    def wanted(self) -> Wanted:
        """Which sequences were asked for."""
        return Wanted(
            self.input, self.data, self.learn_test, self.split, self.layout, samples=self.samples, steps=self.steps
        )


@dataclass(frozen=True)
class Outcome:
    """The summary that was written, which thresholds were missed, and the user's files that lay in the way of ours."""

    summary: dict[str, Any]
    missed: tuple[str, ...]
    aside: tuple[Path, ...] = ()

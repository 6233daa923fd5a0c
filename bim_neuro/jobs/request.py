"""What each command was asked for, one typed request each, and what came of a bim-compile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ..plasticity.request import Plasticity
from ..report.models import Summary
from ..report.thresholds import Thresholds
from .chosen import Wanted

Stage = Callable[[str, int | None], None]


@dataclass(frozen=True)
class Request:
    """What bim-compile was asked for."""

    model: Path
    output: Path
    target: str = "loihi2"
    dt: float | None = None
    input: Path | None = None
    data: Path | None = None
    samples: int | None = 32  # None: all
    steps: int | None = None
    backend: str = "engine"
    verify: str | None = None
    lava_timeout: float | None = None
    command: str = ""
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
class TrainRequest:
    """What bim-train was asked for; None is what the task or the rule has by default."""

    task: str
    output: Path
    data: Path | None = None
    layout: str | None = None
    seed: int | None = None
    epochs: int | None = None
    patience: int | None = None
    batch: int | None = None
    learning_rate: float | None = None
    channels: int | None = None
    states: int | None = None
    blocks: int | None = None
    taps: int | None = None
    encoder: str | None = None
    rule: str = "bptt"
    mix: float | None = None
    credit: str | None = None
    online: int | None = None
    prune: float | None = None
    restart: bool = False
    test: bool = True
    baseline: bool = False
    json: Path | None = None  # where the training record goes
    command: str = ""
    file: str = ""  # the same for --config, as it is written beside the model


@dataclass(frozen=True)
class ReportRequest:
    """What bim-report was asked for: a finished compile, and where its page is written anew."""

    folder: Path
    output: Path | None = None


@dataclass(frozen=True)
class CompareRequest:
    """What bim-report compare was asked for: finished compiles, and where their comparison is written."""

    folders: tuple[Path, ...]
    output: Path | None = None
    file: str = ""  # the same for --config, as it is written beside the comparison


@dataclass(frozen=True)
class Outcome:
    """The summary that was written, which thresholds were missed, and the user's files that lay in the way of ours."""

    summary: Summary
    missed: tuple[str, ...]
    aside: tuple[Path, ...] = ()

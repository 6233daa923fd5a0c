"""The typed request of each command, and the result of bim-compile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..choices import SEGMENTS
from ..plasticity.request import Plasticity
from ..report.models import Summary
from ..report.thresholds import Thresholds
from .chosen import Wanted

Stage = Callable[[str, int | None], None]


@dataclass(frozen=True)
class Request:
    """A request to bim-compile."""

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
    encoder: str | None = None  # of a graph that brings none; see nodes.source
    events: Mapping[str, str] | None = None  # how a file of events is read: time_unit, bins, node
    dialect: Mapping[str, str] | None = None  # switches by name, the preset as 'name'; see nir_bridge.dialect
    weight_bits: int = 8
    lowering: str | None = None  # 'stock': processes that Lava ships; see `lowering`
    segments: int = SEGMENTS
    decay_bits: int = 0
    activation: str | None = None  # between the states of an S4D and its readout; see choices.ACTIVATIONS
    prune: float = 0.0  # share of each list of weights set to 0; see compilers.prune
    netx: str | None = None  # whether model.net is written; see choices.NETX_FILES
    importer: str | None = None  # whose is to play model.nir; see nir_bridge.importers
    expect: Path | None = None  # a recording of somebody else's run of the model; see `expected`
    float_bits: int = 64
    moments: Mapping[str, str] | None = None  # of a step at which its states were recorded: voltages, currents
    board: bool = True  # whether the result holds a board kit
    executor: str | None = None  # whose workers compute the shards of a long run; see `executors`
    boundary: str | None = None  # of static power: cores, chip, board; None: the profile's
    sample_rate: float | None = None  # samples a second; None: 1 / (steps * dt)
    file: str = ""  # the same for --config, as it is written beside the result

    @property
    def wanted(self) -> Wanted:
        """Return the requested sequences."""
        return Wanted(
            self.input,
            self.data,
            self.learn_test,
            self.split,
            self.layout,
            samples=self.samples,
            steps=self.steps,
            events=self.events or {},
        )


@dataclass(frozen=True)
class TrainRequest:
    """A request to bim-train; None is the default of the task or the rule."""

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
    skips: bool | None = None
    thresholds: bool | None = None
    leaks: int | None = None
    norm: bool | None = None
    readout_decay: float | None = None
    dt_min: float | None = None
    dt_max: float | None = None
    model: str | None = None  # bim, or a baseline
    parameters: int | None = None  # of a baseline
    embedding: int | None = None  # of encoder table
    softmax: str | None = None  # of head next
    encoder: str | None = None
    rule: str = "bptt"
    device: str = "auto"
    mix: float | None = None
    credit: str | None = None
    traces: str | None = None
    segment: int | None = None
    online: int | None = None
    accumulate: int | None = None
    rate_penalty: float | None = None
    rate_target: float | None = None
    prune: float | None = None
    seeds: int | None = None  # how many, a model each, from ``seed`` on
    more_epochs: int | None = None  # of the model in ``output``
    restart: bool = False
    max_updates: int | None = None
    checkpoint_minutes: float | None = None
    final: bool = False  # the test split is opened
    baseline: bool = False
    json: Path | None = None  # where the training record goes
    csv: Path | None = None
    tensorboard: Path | None = None
    command: str = ""
    file: str = ""  # the same for --config, as it is written beside the model


@dataclass(frozen=True)
class ReportRequest:
    """A request to bim-report: a finished compile, and where to write its HTML page."""

    folder: Path
    output: Path | None = None


@dataclass(frozen=True)
class FitRequest:
    """A request to bim-report fit: files of measurements, and where to write the profile."""

    files: tuple[Path, ...]
    target: str = "loihi2"
    prices: tuple[str, ...] | None = None  # that may change; None: all that are counted
    output: Path | None = None


@dataclass(frozen=True)
class CompareRequest:
    """A request to bim-report compare: finished compiles, and where to write their comparison."""

    folders: tuple[Path, ...]
    output: Path | None = None
    file: str = ""  # the same for --config, as it is written beside the comparison


@dataclass(frozen=True)
class Outcome:
    """The summary, the missed thresholds, and user files that were renamed because an output file has their name."""

    summary: Summary
    missed: tuple[str, ...]
    aside: tuple[Path, ...] = ()

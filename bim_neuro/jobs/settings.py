"""Settings: less common options of a run, each with type, unit, range, default and description in one place.

    bim-compile model.pt --learn rtrl --set learn.rate=0.05 --set learn.bits=9
    bim-compile --list settings

A setting is given by --set, or in a file for --config under the same section; the command line wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from math import inf, isfinite
from typing import Any

from ..choices import (
    ACTIVATIONS,
    BINS,
    BOUNDARIES,
    CREDIT,
    CREDITS,
    IMPORTERS,
    MODELS,
    NETX_FILES,
    SEGMENT,
    SEGMENTS,
    SOFTMAXES,
    TIME_UNITS,
)
from ..errors import InputError
from ..nodes.switches import SWITCHES
from ..plasticity.request import GROUPS, LIMITS, PLACEMENTS, ROUNDINGS, Plasticity

_KINDS = {int: "a whole number", float: "a number", str: "a text"}
_HINT = "--list settings shows each with its range and default"
_LONGEST = 60  # characters of a text that a refusal repeats


@dataclass(frozen=True)
class Setting:
    """One setting; ``default`` is None where it depends on the rest of the request."""

    name: str
    kind: type
    default: Any
    sentence: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    @property
    def range(self) -> str:
        """What it may be, in words: 'a whole number from 2 to 24'."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        ends = [f"{word} {end:g}" for word, end in (("from", self.low), ("to", self.high)) if end is not None]
        return " ".join([_KINDS[self.kind], *ends])

    @property
    def shown_default(self) -> str:
        """The default, in words."""
        return "depends on the run" if self.default is None else str(self.default)

    def read(self, given: Any) -> Any:
        """Return a value, from the text of --set or what a TOML file holds; refuse it with range and default."""
        value = _converted(given, self.kind)
        if value is None or not self._allows(value):
            message = f"{self.name} is {given!s:.{_LONGEST}}, allowed: {self.range}; default: {self.shown_default}"
            raise InputError(message, _HINT)
        return value

    def _allows(self, value: Any) -> bool:
        if self.choices:
            return value in self.choices
        if self.kind is str:
            return "\0" not in value
        low, high = -inf if self.low is None else self.low, inf if self.high is None else self.high
        return bool(low <= value <= high) and (self.kind is int or isfinite(value))

    def row(self) -> dict[str, Any]:
        """Return it as plain values, for --json."""
        return {
            "name": self.name,
            "type": self.kind.__name__,
            "unit": self.unit,
            "default": self.default,
            "range": self.range,
            "low": self.low,
            "high": self.high,
            "choices": list(self.choices),
            "sentence": self.sentence,
        }


def _converted(given: Any, kind: type) -> Any:
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        return None
    if kind is str:
        return given if isinstance(given, str) else None
    if kind is int and isinstance(given, float):
        return None
    try:
        return kind(given)
    except (ValueError, OverflowError):
        return None


def _of_plasticity(name: str, kind: type, field: str, sentence: str, unit: str = "") -> Setting:
    low, high = LIMITS[field]
    return Setting(f"learn.{name}", kind, getattr(Plasticity(), field), sentence, unit, low, high)


_MEMORY = Setting(
    "run.max_memory",
    str,
    None,
    "Memory limit for reading large files and for a run: in GiB, or as 8G or 500M.",
    "memory",
)
_LAVA = Setting(
    "run.lava_timeout", float, None, "Time limit of a Lava run; the default grows with the number of steps.", "s", 1e-3
)
DIALECT = (
    *(
        Setting(f"dialect.{name}", str, None, f"For a .nir of others: {switch.asks}.", choices=tuple(switch.values))
        for name, switch in SWITCHES.items()
    ),
    Setting("dialect.layers", str, None, "Other switches for some layers: CubaLIF.reset_when=next,fc2.reset=zero."),
)
"""Switches of the neurons of another framework's file, beside the preset that --dialect names."""
EXPECT = (
    Setting("run.float_bits", str, "64", "Width of the float law beside --expect.", "bits", choices=("64", "32")),
    Setting("expect.voltages", str, None, "Voltages of --expect are after a step's reset (default), or before.",
            choices=("after", "before")),
    Setting("expect.currents", str, None, "Currents of --expect are those with the input added (default), or "
            "decayed for the next step.", choices=("added", "decayed")),
)  # fmt: skip
"""How a recording is compared."""
EVENTS = (
    Setting("input.time_unit", str, None, "Unit of an event file's times; by default us for whole numbers, else s.",
            choices=TIME_UNITS),
    Setting("input.bins", str, None, "What several events in a step and line become; by default any for spike lines.",
            choices=BINS),
    Setting("input.node", str, None, "Which signal of a NIRData file is the input, as input or input.spikes.", "name"),
)  # fmt: skip
"""How a file of events is read."""
POWER = (
    Setting("power.boundary", str, None, "As --boundary: whose static power counts; by default the chip's with its "
            "processors.", choices=BOUNDARIES),
    Setting("power.sample_rate", float, None, "As --sample-rate: samples a second of the task; by default one in "
            "steps * dt.", "Hz", 1e-9, 1e9),
)  # fmt: skip
"""What power counts; each is also an option."""
COMPILE = (
    _LAVA,
    *EXPECT,
    _MEMORY,
    Setting("quantise.weight_bits", int, 8, "Bits of a weight: 8, or 16 in two lists, in microcode.", "bits", 8, 16),
    Setting("run.executor", str, None, "Whose workers compute a long run's shards, as processes:2 (docs/sweep.md)."),
    Setting("prune.share", float, 0.0, "Share of each list's smallest weights set to 0, without training.", "share",
            0, 0.99),
    Setting("netx.write", str, "auto", "Write model.net for lava-dl: where it can hold the program, or must, or never.",
            choices=NETX_FILES),
    Setting("nir.for", str, None, "Whose importer is to play model.nir, where importers disagree.", choices=IMPORTERS),
    Setting("lowering.segments", int, SEGMENTS, "Straight pieces of a lowered model's decays.", "pieces", 2, 64),
    Setting("lowering.decay_bits", int, None, "Bits of a lowered model's decays; by default from the slowest.", "bits",
            6, 14),
    Setting("s4d.activation", str, None, "Between the states of an S4D and its readout; by default relu.",
            choices=ACTIVATIONS),
    *EVENTS,
    *POWER,
    Setting("board.kit", str, "yes", "Write OUT/board: the program as a script for Lava alone.", choices=("yes", "no")),
    Setting("learn.test", str, None, "Also measure learning on this .npz (for example shifted data).", "path"),
    Setting("learn.samples", int, 2000, "Samples to learn from; a shorter stream is repeated.", "samples", 1),
    Setting("learn.placement", str, "auto", "Trace placement: tags of the learning engine, neurons, or the host.",
            choices=PLACEMENTS),
    _of_plasticity("bits", int, "trace_bits", "Width of a trace, sign included.", "bits"),
    _of_plasticity("rate", float, "rate", "RMS size of the first updates, in LSBs of the weight.", "LSB"),
    Setting("learn.rounding", str, "stochastic", "How traces and updates are rounded.", choices=ROUNDINGS),
    Setting("learn.synapses", str, ",".join(GROUPS), "Projections that learn, separated by commas.", "names"),
    _of_plasticity("prune", float, "sparsity", "Share of each projection's weights that learning prunes.", "share"),
    _of_plasticity("replay", int, "replay", "Samples a class that the host keeps and learns again, one after each new.",
                   "samples"),
    _of_plasticity("seed", int, "seed", "Seed of the rounding noise."),
    *DIALECT,
)  # fmt: skip
"""Settings of bim-compile, in addition to its options."""

TRAIN = (
    _MEMORY,
    Setting("train.lambda", float, 0.9, "Rule hybrid: share of the gradient; STDP has the rest.", "share", 0, 1),
    Setting("train.credit", str, CREDIT, "Credit below the top block: segment (back through its steps), spatial "
            "(inside a step), or local (one readout per block).", choices=CREDITS),
    Setting("train.segment", int, SEGMENT, "Steps of a segment, for credit by segments and for rule tbptt.", "steps",
            1),
    Setting("train.traces", str, "auto",
            "Exact traces: dense, events (work where the input has events), or auto: by its activity.",
            choices=("auto", "dense", "events")),
    Setting("train.online", int, None, "Steps between weight updates inside a sequence.", "steps", 1),
    Setting("train.patience", int, None, "Training stops after so many epochs without a better score.", "epochs", 1),
    Setting("train.accumulate", int, 1, "Parts of a batch, one after another: the same updates in less memory.",
            "parts", 1),
    Setting("train.model", str, "bim", "What is trained: bim, or a baseline beside it, by backpropagation.",
            choices=MODELS),
    Setting("train.parameters", int, None, "Numbers that a baseline learns; default: as many as bim.", "numbers", 1),
    Setting("train.embedding", int, 64, "Encoder table: values a token, each an input line.", "lines", 1, 1_000_000),
    Setting("train.softmax", str, None, "Of the next token: full, or adaptive (rare ones in clusters), the default "
            "above 4,096.", choices=SOFTMAXES),
    Setting("train.taps", int, None, "K, taps of the causal convolution.", "taps", 1),
    Setting("train.skips", str, None, "Blocks and readout also hear the spikes of all blocks before.",
            choices=("yes", "no")),
    Setting("train.thresholds", str, None, "A threshold of its own for each channel.", choices=("yes", "no")),
    Setting("train.leaks", int, None, "Groups of channels with a leak of their own, a LIF each on the chip.", "groups",
            1, 4),
    Setting("train.norm", str, None, "Projections are divided by their size on the first batch.",
            choices=("yes", "no")),
    Setting("train.readout_decay", float, None, "What the readout keeps of a step at the start of training.",
            "share", 1e-4, 0.9999),
    Setting("train.dt_min", float, None, "Least dt of the states at the start of training: they remember 1 / dt steps.",
            "", 1e-6, 10),
    Setting("train.dt_max", float, None, "Largest dt of the states at the start of training.", "", 1e-6, 10),
    Setting("train.rate_penalty", float, 0.0, "Weight in the loss of spikes above train.rate_target; rule bptt.", "",
            0),
    Setting("train.rate_target", float, 0.0, "Share of a block's channels that may spike at a step for nothing.",
            "share", 0, 1),
    Setting("train.checkpoint_minutes", float, 10.0, "Minutes between checkpoints within an epoch; 0: each update.",
            "min", 0),
    Setting("train.csv", str, None, "Also write loss, score and learning rate of each epoch to this CSV file.", "path"),
    Setting("train.tensorboard", str, None, "The same as curves for TensorBoard, in this folder.", "path"),
)  # fmt: skip
"""Settings of bim-train, in addition to its options."""

SWEEP = (
    Setting("sweep.keep", str, "all", "Files of each trial that are kept: all, or summary.json and the request.",
            choices=("all", "summary")),
    Setting("sweep.seed", int, 0, "Seed of --proposals random and optuna.", low=0, high=2**31 - 1),
    Setting("slurm.array", int, 64, "Most jobs at once.", "jobs", 1, 4096),
    Setting("slurm.minutes", int, 60, "Time limit of a job.", "min", 1),
    Setting("slurm.memory", float, 4.0, "Memory of a job.", "GiB", 0.1),
    Setting("slurm.cpus", int, 1, "Processors of a job; a trial computes with one thread.", "", 1),
    *(Setting(f"slurm.{name}", str, None, f"Slurm's own --{name.replace('_', '-')} of a job.")
      for name in ("partition", "account", "qos", "constraint", "gres", "exclude", "comment")),
)  # fmt: skip
"""Settings of bim-sweep, in addition to its options."""


def defaults(table: Iterable[Setting]) -> dict[str, Any]:
    """Return every setting of a command as it is where nobody gives it."""
    return {setting.name: setting.default for setting in table}


def chosen(table: Iterable[Setting], sections: Mapping[str, Mapping[str, Any]], pairs: Iterable[str]) -> dict[str, Any]:
    """Return the settings that were given, by name: first those of a file's sections, then of --set."""
    known = {setting.name: setting for setting in table}
    given: dict[str, Any] = {}
    for section, entries in sections.items():
        given |= {f"{section}.{key}": value for key, value in entries.items()}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair:.60} gives no value", "write it as --set learn.rate=0.05")
        given[name.strip()] = value.strip()
    return {name: _known(name, known).read(value) for name, value in given.items()}


def rows(what: str, table: Iterable[Setting]) -> list[dict[str, Any]]:
    """Return a row for each setting of a table: ``what`` is 'settings', the one thing that --list knows."""
    if what != "settings":
        raise InputError(f"--list knows no '{what:.60}'", "write --list settings")
    return [setting.row() for setting in table]


def _known(name: str, known: Mapping[str, Setting]) -> Setting:
    if name not in known:
        raise InputError(f"there is no setting '{name:.{_LONGEST}}'", nearest(name, known) or _HINT)
    return known[name]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint with the nearest of some names, or nothing."""
    near = get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]}?" if near else ""

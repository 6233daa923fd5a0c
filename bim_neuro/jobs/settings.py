"""Settings: the fine print of a run, each with its type, unit, range, default and sentence in one place.

    bim-compile model.pt --learn rtrl --set learn.rate=0.05 --set learn.bits=9
    bim-compile --list settings

A setting is given by --set, or in a file for --config under the same section; the command line wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from math import isfinite
from typing import Any

from ..errors import InputError
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
            return True
        return (
            isfinite(value)
            and (self.low is None or value >= self.low)
            and (self.high is None or value <= self.high)
        )  # fmt: skip

    def row(self) -> dict[str, Any]:
        """Return it as plain values, for --json."""
        return asdict(self) | {"kind": _KINDS[self.kind], "choices": list(self.choices)}


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


LEARN = (
    Setting("learn.test", str, None, "Measure learning on this .npz too (shifted data).", "path"),
    Setting("learn.samples", int, 2000, "Samples of the stream; a short one begins again.", "samples", 1),
    Setting("learn.placement", str, "auto", "Traces in tags of the learning engine, in neurons, or on the host.",
            choices=PLACEMENTS),
    _of_plasticity("bits", int, "trace_bits", "Width of a trace word.", "bits"),
    _of_plasticity("rate", float, "rate", "Root mean square of the first updates, in last bits of a weight.", "LSB"),
    Setting("learn.rounding", str, "stochastic", "How traces and updates are rounded.", choices=ROUNDINGS),
    Setting("learn.synapses", str, ",".join(GROUPS), "Which projections learn, with commas between.", "names"),
    _of_plasticity("prune", float, "sparsity", "Share of each group's weights that learning prunes.", "share"),
    _of_plasticity("seed", int, "seed", "Seed of the rounding noise."),
)  # fmt: skip
"""What bim-compile has beside its options."""

TRAIN = (
    Setting("train.lambda", float, 0.9, "hybrid: share of the gradient, the rest is STDP.", "share", 0, 1),
    Setting("train.credit", str, "spatial", "Credit below the top block: spatial, or a local readout each.",
            choices=("spatial", "local")),
    Setting("train.online", int, None, "Update inside a sequence, every so many steps.", "steps", 1),
    Setting("train.patience", int, None, "Epochs without a better validation score until training ends.", "epochs", 1),
    Setting("train.taps", int, None, "K, taps of the causal conv.", "taps", 1),
)  # fmt: skip
"""What bim-train has beside its options."""


def chosen(table: Iterable[Setting], sections: Mapping[str, Any], pairs: Iterable[str]) -> dict[str, Any]:
    """Return the settings that were given, by name: first those of a file's sections, then of --set."""
    known = {setting.name: setting for setting in table}
    given: dict[str, Any] = {}
    for section, entries in sections.items():
        if not isinstance(entries, Mapping):
            raise InputError(f"'{section:.60}' lies in no section", "write [learn] above it, as --list settings says")
        given |= {f"{section}.{key}": value for key, value in entries.items()}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise InputError(f"--set {pair:.60} gives no value", "write it as --set learn.rate=0.05")
        given[name.strip()] = value.strip()
    return {name: _known(name, known).read(value) for name, value in given.items()}


def _known(name: str, known: Mapping[str, Setting]) -> Setting:
    if name not in known:
        raise InputError(f"there is no setting '{name:.{_LONGEST}}'", nearest(name, known) or _HINT)
    return known[name]


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a hint with the nearest of some names, or nothing."""
    near = get_close_matches(name, list(names), n=1)
    return f"did you mean {near[0]}?" if near else ""

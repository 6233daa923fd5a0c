"""What a sweep can vary or fix: options and settings of bim-compile, and with --train those of bim-train too.

quantise.weight_bits, weight_bits     a setting, by its name or by its last part where no other ends so
target, samples, lowering             an option
rule, states, seed                    an option of bim-train, with --train
prune                                 bim-train's, with --train; else prune.share, which does not train again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from ..choices import BACKENDS, DEVICES, DIALECTS, ENCODERS, LAYOUTS, OBJECTIVES, SPLITS
from ..errors import InputError
from ..jobs.sequences import count_or_all
from ..jobs.settings import COMPILE, TRAIN, Setting, nearest
from ..plasticity.request import RULES

_NUMBERS: tuple[tuple[str, type, float | None, float | None], ...] = (
    ("dt", float, 1e-9, None),
    ("steps", int, 1, None),
    ("min_agreement", float, 0, 1),
    ("max_energy", float, 0, None),
    ("max_latency", float, 0, None),
    ("max_cores", int, 1, None),
)
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("target", ()),
    ("samples", ()),
    ("input", ()),
    ("data", ()),
    ("expect", ()),
    ("dialect", (*DIALECTS, "nir")),
    ("split", (*SPLITS, "all")),
    ("layout", LAYOUTS),
    ("lowering", ("fused", "stock")),
    ("encoder", ENCODERS),
    ("backend", BACKENDS),
    ("verify", BACKENDS),
    ("learn", ("none", *RULES, "described")),
    ("optimise", OBJECTIVES),
    ("strict", ("no", "yes")),
)
_OF_TRAINING: tuple[tuple[str, type, float | None, float | None], ...] = (
    ("seed", int, 0, 2**31 - 1),
    ("epochs", int, 1, None),
    ("batch", int, 1, None),
    ("learning_rate", float, 1e-9, None),
    ("channels", int, 1, None),
    ("states", int, 1, None),
    ("blocks", int, 1, None),
    ("prune", float, 0, 0.999),
    ("rule", str, None, None),
    ("encoder", str, None, None),
)
_DEVICE = Setting("device", str, None, "", choices=DEVICES)
PATHS = ("input", "data", "expect", "learn.test")
"""Names whose values are files or folders; ``target`` may be one too: see `is_path`."""
SHARED = ("data", "layout")
"""What a training takes as well as the compile after it."""
_SHORT = {"prune": "prune.share"}


class Knob(NamedTuple):
    """One name: how its values are read, and whether it belongs to the training."""

    setting: Setting
    trains: bool = False

    @property
    def full(self) -> str:
        return self.setting.name

    @property
    def is_option(self) -> bool:
        return "." not in self.full


def names(training: bool) -> dict[str, Knob]:
    """Return every full name with its values."""
    numbers = [Setting(name, kind, None, "", "", low, high) for name, kind, low, high in _NUMBERS]
    words = [Setting(name, str, None, "", choices=choices) for name, choices in _WORDS]
    found = {setting.name: Knob(setting) for setting in (*numbers, *words, *COMPILE)}
    if training:
        own = [Setting(name, kind, None, "", "", low, high) for name, kind, low, high in _OF_TRAINING]
        own += [setting for setting in TRAIN if setting.name[:4] != "run." and setting.unit != "path"]
        found |= {setting.name: Knob(setting, trains=True) for setting in (*own, _DEVICE)}
    return found


def is_path(name: str, value: object) -> bool:
    """Whether a value is the path of a file or folder."""
    return name in PATHS or (name == "target" and str(value).endswith(".toml"))


def find(given: str, known: Mapping[str, Knob]) -> Knob:
    """Return what a name stands for; refuse one that stands for nothing, or for several things."""
    if given in known:
        return known[given]
    if given in _SHORT:
        return known[_SHORT[given]]
    ends = [name for name in known if name.rpartition(".")[2] == given]
    if len(ends) == 1:
        return known[ends[0]]
    hint = f"write one of {', '.join(ends)}" if ends else nearest(given, known)
    listed = "bim-compile --list settings and bim-compile --help show them"
    raise InputError(f"'{given:.60}' is neither a setting nor an option to sweep over", hint or listed)


def read(name: Knob, text: object, shown: str) -> object:
    """Return one value; ``shown`` is the name as it was given."""
    value = replace(name.setting, name=shown).read(text)
    if name.full == "samples":
        count_or_all(str(value))
    return value == "yes" if name.full == "strict" else value

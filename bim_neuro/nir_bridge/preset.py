"""Presets: what each framework answers to the switches, its options, and what its files say wrongly; dialects.toml."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Switches = Mapping[str, str]
Layers = Mapping[str, Switches]
"""Switches of some layers alone: by the node's name, or by its type in NIR."""
PLAIN = "plain"
ALIASES = {"nir": PLAIN}
"""Names of presets in requests of earlier versions."""


@dataclass(frozen=True)
class ModelOption:
    """An option of a framework's models, and the switches that say it."""

    model: str
    switches: Switches


@dataclass(frozen=True)
class Mend:
    """What a framework's files say otherwise than it computes, how that is mended, and where it was reported."""

    fault: str
    mend: str
    upstream: str


@dataclass(frozen=True)
class Preset:
    """What a framework answers otherwise than the defaults, and where that stands."""

    versions: tuple[str, ...]
    source: str
    switches: Switches
    layers: Layers
    options: tuple[ModelOption, ...]
    mends: tuple[Mend, ...]


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets by name, in the order of `choices.DIALECTS`."""
    text = files(__package__).joinpath("dialects.toml").read_text(encoding="utf-8")
    return MappingProxyType({name: _preset(table) for name, table in tomllib.loads(text).items()})


def plain_rows() -> list[dict[str, Any]]:
    """Return the presets as plain values, for --list dialects."""
    return [{"name": name, **asdict(preset)} for name, preset in presets().items()]


def _preset(table: Mapping[str, Any]) -> Preset:
    return Preset(
        tuple(table["versions"]),
        table["source"],
        table.get("switches", {}),
        table.get("layers", {}),
        tuple(ModelOption(**option) for option in table.get("options", ())),
        tuple(Mend(**mend) for mend in table.get("mends", ())),
    )

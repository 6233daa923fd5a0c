"""The tables of docs/nir.md: what each switch asks, and what each preset answers.

python -m bim_neuro.nir_bridge.dialect_table
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

from ..nodes.switches import SWITCHES
from .dialect import PRESETS, Dialect


def markdown() -> str:
    """Return the switches and presets; a switch that a preset sets otherwise than the default is in bold."""
    return "\n".join([*_switches(), "", *_presets(), "", *_sources()])


def options() -> str:
    """Return what to set where a model was built otherwise."""
    rows = [
        f"| {name} | {option.model} | {_written(option.switches)} |"
        for name, preset in PRESETS.items()
        for option in preset.options
    ]
    return "\n".join(["| preset | the model | switches |", "|---|---|---|", *rows])


def mends() -> str:
    """Return what files say otherwise than their framework computes."""
    rows = [
        f"| {name} | {mend.fault} | {mend.mend} | {_link(mend.upstream)} |"
        for name, preset in PRESETS.items()
        for mend in preset.mends
    ]
    return "\n".join(["| preset | in the file | what mends it | reported |", "|---|---|---|---|", *rows])


def _written(switches: Mapping[str, str]) -> str:
    return ", ".join(f"`{name}={value}`" for name, value in switches.items())


def _link(url: str) -> str:
    if not url:
        return "not found"
    _, repository, _, number = url.removeprefix("https://github.com/").split("/")
    return f"[{repository}#{number}]({url})"


def _switches() -> Iterator[str]:
    yield "| switch | what it asks | values, the default first |"
    yield "|---|---|---|"
    for name, switch in SWITCHES.items():
        values = "; ".join(f"`{value}`: {meaning}" for value, meaning in switch.values.items())
        yield f"| `{name}` | {switch.asks} | {values} |"


def _presets() -> Iterator[str]:
    yield f"| switch | {' | '.join(PRESETS)} |"
    yield "|---" * (len(PRESETS) + 1) + "|"
    for name, switch in SWITCHES.items():
        answers = [Dialect.named(preset)[name] for preset in PRESETS]
        shown = (answer if answer == switch.default else f"**{answer}**" for answer in answers)
        yield f"| `{name}` | {' | '.join(shown)} |"
    exceptions = [
        ", ".join(f"{who}: {key} {value}" for who, some in preset.layers.items() for key, value in some.items())
        for preset in PRESETS.values()
    ]
    yield f"| exceptions | {' | '.join(exceptions)} |"


def _sources() -> Iterator[str]:
    yield "| preset | where its answers stand |"
    yield "|---|---|"
    for name, preset in PRESETS.items():
        yield f"| {name} | {preset.source} |"


if __name__ == "__main__":
    sys.stdout.write("\n\n".join((markdown(), options(), mends())) + "\n")

"""What the three commands share: an empty app, common options, and printing of a summary."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._version import __version__
from ..choices import BACKENDS, BOUNDARIES, DEVICES, DIALECTS, ENCODERS, LAYOUTS, LOWERINGS, OBJECTIVES, SPLITS
from ..plasticity.request import RULES
from .console import out
from .streams import print_json

MODEL, INPUT, SIMULATION, LEARNING = "Model", "Input", "Simulation", "Learning"
LIMITS, POWER, OUTPUT = "Limits", "Power", "Output"
"""The panels of --help."""
TRAINING = "Training"


def new_app(command: Any) -> typer.Typer:
    """Return a command line that carries a `config.Command` and has no function yet."""
    settings = {"help_option_names": ["-h", "--help"], "obj": command}
    return typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings=settings, rich_markup_mode="rich"
    )


def in_panel(panel: str, *names: str, help: str, **more: Any) -> Any:  # noqa: A002
    """Return an option of a panel of --help."""
    return typer.Option(*names, help=help, rich_help_panel=panel, **more)


def _one_of(name: str, *words: str) -> Any:
    return Enum(name, {word: word for word in words}, type=str)


if TYPE_CHECKING:
    from ..report.models import Summary

    Backend = str
    Boundary = str
    Device = str
    Dialect = str
    Encoder = str
    Layout = str
    Lowering = str
    Learn = str
    Objective = str
    Split = str
else:
    Backend = _one_of("Backend", *BACKENDS)
    Boundary = _one_of("Boundary", *BOUNDARIES)
    Device = _one_of("Device", *DEVICES)
    Encoder = _one_of("Encoder", *ENCODERS)
    Dialect = _one_of("Dialect", *DIALECTS, "nir")
    Layout = _one_of("Layout", *LAYOUTS)
    Lowering = _one_of("Lowering", *LOWERINGS)
    Learn = _one_of("Learn", "none", *RULES, "described")
    Objective = _one_of("Objective", *OBJECTIVES)
    Split = _one_of("Split", *SPLITS, "all")

ENGINE, NO_RULE, AUTO = Backend("engine"), Learn("none"), Device("auto")


def word(choice: str | None) -> str | None:
    """Return the plain word of a choice."""
    return None if choice is None else str.__str__(choice)


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"bim-neuro {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback for errors.")]
HiddenDebug = Annotated[bool, typer.Option("--debug", hidden=True, help="Show a traceback for errors.")]
"""For a command with many options: the message of an internal error names it."""
Json = Annotated[bool, in_panel(OUTPUT, "--json", help="Print JSON on standard output instead of the table.")]


def print_summary(summary: Summary, folder: Path, as_json: bool) -> None:
    """Print what a compile found."""
    from ..report.terminal import show

    if as_json:
        print_json(summary.as_dict())
    else:
        show(summary, folder, out)

"""bim-report best: the trial of a sweep that is best in one number, within limits of others."""

from __future__ import annotations

from math import isfinite, nan
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError, ThresholdMissed
from ..printable import escape
from . import options
from .asked import Asked, carry_out
from .config import Command, Config
from .console import out
from .shared import INPUT, Debug, Json, in_panel, new_app
from .streams import print_json

best_app = new_app(Command("bim-report best"))


@best_app.command("bim-report best")
def best_command(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Folder of bim-sweep.")] = None,
    least: Annotated[
        str, in_panel(INPUT, metavar="OBJECTIVE", help="What is best: energy, latency, cores, or accuracy (the most).")
    ] = "energy",
    min: Annotated[  # noqa: A002
        list[str] | None, in_panel(INPUT, metavar="OBJECTIVE=NUMBER", help="Least it must reach: accuracy=.96.")
    ] = None,
    max: Annotated[  # noqa: A002
        list[str] | None, in_panel(INPUT, metavar="OBJECTIVE=NUMBER", help="Most it may take: cores=10, energy in uJ.")
    ] = None,
    config: Config = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Show the best trial of a sweep; exit code 3 where none is within the limits.

    \b
    bim-report best out/sweep-digits --least energy --min accuracy=.96 --max cores=10
    """
    carry_out(context, _best)


def _best(asked: Asked) -> None:
    from ..sweep.objectives import objectives_of
    from ..sweep.table import best, read_table

    asked.check(options.BEST)
    folder = asked.needs("folder", "FOLDER", "name a folder that bim-sweep wrote, as out/sweep-digits")
    (least, *others) = objectives_of(asked.options["least"])
    if others:
        raise InputError("--least names several objectives", "name one, and give the others limits")
    limits = [_limit(text, end) for end in ("min", "max") for text in asked.options[end] or ()]
    found = best(read_table(folder), least.name, limits)
    if found is None:
        raise ThresholdMissed(f"no trial of {folder} is within the limits", "loosen one, or sweep further")
    place = folder / "trials" / found["key"]
    if asked.as_json:
        print_json(found | {"folder": str(place)})
    else:
        _show(found, place)


def _limit(text: str, end: str) -> tuple[str, str, float]:
    """Read accuracy=.96."""
    from ..sweep.objectives import objectives_of

    name, _, number = text.partition("=")
    (objective, *_) = objectives_of(name)
    try:
        limit = float(number)
    except ValueError:
        limit = nan
    if not isfinite(limit):
        raise InputError(f"--{end} {text:.60} gives no number", f"write it as --{end} {objective.name}=0.5")
    return objective.name, end, limit


def _show(found: dict[str, Any], place: Path) -> None:
    out.print(f"[bold]{escape(place)}[/]", soft_wrap=True)
    for name, value in found["values"].items():
        out.print(f"  {escape(name)} = {escape(value)}", soft_wrap=True)
    for name, value in found["metrics"].items():
        if value is not None:
            out.print(f"  [dim]{escape(name)}[/] {value:.6g}", soft_wrap=True)

"""bim-report runs: the table of all trainings in some folders."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated

import typer

from . import options
from .asked import Asked, carry_out
from .config import Command, Config
from .console import out
from .shared import OUTPUT, Debug, Json, in_panel, new_app
from .streams import print_json

runs_app = new_app(Command("bim-report runs"))


@runs_app.command("bim-report runs")
def runs_command(
    context: typer.Context,
    places: Annotated[
        list[Path] | None, typer.Argument(help="Models of bim-train, and folders that hold some, at any depth.")
    ] = None,
    output: Annotated[Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the table here, as HTML.")] = None,
    config: Config = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Compare trainings: settings, seeds, scores, numbers learnt, seconds; and energy where they were compiled.

    \b
    bim-report runs examples out -o runs.html
    """
    carry_out(context, _runs)


def _runs(asked: Asked) -> None:
    from ..jobs.places import check_file
    from ..report import show_runs
    from ..sweep.runs import table_of_runs

    asked.check(options.RUNS)
    places = asked.needs("places", "PLACES", "name files or folders that bim-train wrote, as out")
    output = asked.options["output"]
    check_file(output)
    table = table_of_runs(places, output, shlex.join(["bim-report", *sys.argv[1:]]))
    if asked.as_json:
        print_json(table)
    else:
        show_runs(table, out)

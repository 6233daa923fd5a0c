"""bim-report: print the report of a finished compile again, or compare several."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from . import options
from .asked import Asked, carry_out
from .best_command import best_app
from .config import Command, Config
from .console import out
from .fit_command import fit_app
from .runs_command import runs_app
from .shared import OUTPUT, Debug, Json, Version, in_panel, new_app, print_summary
from .streams import print_json, run_app

report_app = new_app(Command("bim-report"))
compare_app = new_app(Command("bim-report compare"))


@report_app.command()
def report_command(
    context: typer.Context,
    folder: Annotated[Path | None, typer.Argument(help="Output folder of bim-compile.")] = None,
    output: Annotated[Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the report here, as HTML.")] = None,
    opened: Annotated[bool, in_panel(OUTPUT, "--open", help="Open the page in the browser.")] = False,
    config: Config = None,
    json_output: Json = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Print the report of a finished compile again.

    \b
    bim-report out/digits
    bim-report out/digits -o report.html
    bim-report out/digits --open
    bim-report compare out/digits out/pruned      compares runs
    bim-report best out/sweep-digits              shows the best trial of a sweep
    bim-report runs out                           compares all trainings in a folder
    bim-report fit runs.csv -o my_chip.toml       refits prices to measurements
    """
    carry_out(context, _report)


def _report(asked: Asked) -> None:
    from ..jobs.request import ReportRequest
    from ..jobs.results import report_again

    asked.check(options.REPORT)
    folder = asked.needs("folder", "FOLDER", "name a folder that bim-compile wrote, as out/digits")
    output = asked.options["output"]
    print_summary(report_again(ReportRequest(folder, output)), folder, asked.as_json)
    if asked.options["opened"]:
        _open(output or folder / "report.html")


def _open(page: Path) -> None:
    import webbrowser

    if not page.is_file():
        raise InputError(f"{page} is not there, and cannot be opened", f"write it: bim-report {page.parent} -o {page}")
    if not webbrowser.open(page.resolve().as_uri()):
        raise InputError(f"no browser could be started here to open {page}", "open the file yourself")


@compare_app.command("bim-report compare")
def compare_command(
    context: typer.Context,
    folders: Annotated[list[Path] | None, typer.Argument(help="Two or more output folders of bim-compile.")] = None,
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the comparison here, as HTML.")
    ] = None,
    config: Config = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Compare finished compiles: accuracy, energy, time, cores, sparsity, and how their requests differ.

    \b
    bim-report compare out/digits out/pruned -o compare.html
    """
    carry_out(context, _compare)


def _compare(asked: Asked) -> None:
    from ..jobs.request import CompareRequest
    from ..jobs.results import compare_runs
    from ..report.side_by_side import show_comparison

    asked.check(options.COMPARE)
    folders = asked.needs("folders", "FOLDERS", "name two or more that bim-compile wrote, as out/a out/b")
    comparison = compare_runs(CompareRequest(tuple(folders), asked.options["output"], asked.file()))
    if asked.as_json:
        print_json(comparison)
    else:
        show_comparison(comparison, out)


def report_main() -> None:
    """Entry point bim-report; to read a folder named as one of its commands, as fit, write ./fit."""
    if sys.argv[1:2] == ["best"]:
        run_app(best_app, args=sys.argv[2:], prog_name="bim-report best")
    elif sys.argv[1:2] == ["runs"]:
        run_app(runs_app, args=sys.argv[2:], prog_name="bim-report runs")
    elif sys.argv[1:2] == ["fit"]:
        run_app(fit_app, args=sys.argv[2:], prog_name="bim-report fit")
    elif sys.argv[1:2] == ["compare"]:
        run_app(compare_app, args=sys.argv[2:], prog_name="bim-report compare")
    else:
        run_app(report_app)

"""bim-report: read a finished compile again, or put several side by side."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from . import options
from .console import guarded, out
from .refusals import in_json
from .shared import OUTPUT, Debug, Json, Version, in_panel, new_app, print_summary
from .streams import print_json, run_app

report_app = new_app()
compare_app = new_app()


@report_app.command()
def report_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder bim-compile wrote.")],
    output: Annotated[Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the report here, as HTML.")] = None,
    json_output: Json = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Read a finished compile again and print its report.

    \b
    bim-report out/digits
    bim-report out/digits -o report.html
    bim-report compare out/digits out/pruned      puts runs side by side
    """

    def command() -> None:
        from ..jobs.places import check_file, write_text
        from ..report import read_summary, render_again

        options.refuse_without_effect(context, options.REPORT)
        check_file(output)
        print_summary(read_summary(folder), folder, json_output)
        if output is not None:
            write_text(output, render_again(folder))

    guarded(in_json(command, json_output), debug)


@compare_app.command("bim-report compare")
def compare_command(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(help="Two or more folders bim-compile wrote.")],
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the comparison here, as HTML.")
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Put finished compiles side by side: accuracy, energy, time, cores, sparsity, and what was done differently.

    \b
    bim-report compare out/digits out/pruned -o compare.html
    """

    def command() -> None:
        from ..jobs.places import check_file, write_text
        from ..jobs.results import compare_runs
        from ..report import render_comparison

        options.refuse_without_effect(context, options.COMPARE)
        check_file(output)
        comparison = compare_runs(folders)
        _print_comparison(comparison, json_output)
        if output is not None:
            write_text(output, render_comparison(comparison))

    guarded(in_json(command, json_output), debug)


def _print_comparison(comparison: dict[str, Any], as_json: bool) -> None:
    from ..report.side_by_side import show_comparison

    if as_json:
        print_json(comparison)
    else:
        show_comparison(comparison, out)


def report_main() -> None:
    """Entry point bim-report; a folder that is called compare is ./compare."""
    if sys.argv[1:2] == ["compare"]:
        run_app(compare_app, args=sys.argv[2:], prog_name="bim-report compare")
    else:
        run_app(report_app)

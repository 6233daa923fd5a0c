"""bim-report fit: prices of a profile from measurements of a chip."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import options
from .asked import Asked, carry_out
from .config import Command, Config
from .console import out
from .shared import MODEL, OUTPUT, Debug, Json, in_panel, new_app
from .streams import print_json

if TYPE_CHECKING:
    from ..estimates.fit import PriceFit

fit_app = new_app(Command("bim-report fit"))


@fit_app.command("bim-report fit")
def fit_command(
    context: typer.Context,
    files: Annotated[list[Path] | None, typer.Argument(help="CSV files of measurements, or profiler prints.")] = None,
    target: Annotated[str, in_panel(MODEL, help="Profile whose prices are refitted.")] = "loihi2",
    prices: Annotated[
        str | None, in_panel(MODEL, help="Keys that may change, separated by commas (default: all that are counted).")
    ] = None,
    output: Annotated[Path | None, in_panel(OUTPUT, "--output", "-o", help="Write the profile here, as TOML.")] = None,
    config: Config = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Refit a profile's prices to measurements of a chip (docs/energy.md says what a file holds).

    \b
    bim-report fit runs.csv -o my_chip.toml
    bim-report fit out/digits/profiler.txt --prices energy.synop_pj,energy.update_pass_pj
    """
    carry_out(context, _fit)


def _fit(asked: Asked) -> None:
    from ..jobs.refit import as_rows, refit
    from ..jobs.request import FitRequest

    asked.check(options.FIT)
    files = asked.needs("files", "FILES", "name a CSV of measurements, as runs.csv")
    named = asked.options["prices"]
    prices = None if named is None else tuple(key.strip() for key in named.split(","))
    found = refit(FitRequest(tuple(files), asked.options["target"], prices, asked.options["output"]))
    if asked.as_json:
        print_json(as_rows(found))
    else:
        _show(found)


def _show(found: PriceFit) -> None:
    """Print the new prices, what the measurements leave open, and the residuals."""
    for one in found.prices:
        before = "unpublished" if one.before is None else f"{one.before:.4g}"
        out.print(f"{one.price}: {one.value:.4g} ({one.low:.4g}-{one.high:.4g}), was {before}", highlight=False)
    for group in found.apart:
        out.print(f"cannot be told apart: {', '.join(group)}", highlight=False, soft_wrap=True)
    if found.kept:
        out.print(f"keep their numbers: {', '.join(found.kept)}", highlight=False, soft_wrap=True)
    for row in found.residuals:
        out.print(
            f"  {row.name}: measured {row.measured:.4g} {row.unit}, fitted {row.fitted:.4g} ({row.share:+.1%})",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )

"""bim-sweep: its options, its progress, and what it prints."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import Progress as Bar

from ..errors import BackendFailed, InputError
from ..jobs.settings import COMPILE, SWEEP, TRAIN, defaults, rows
from . import options
from .asked import Asked, carry_out
from .config import Command, Config, Listed, Settings, print_settings
from .console import Paced, out, progress_bar, refuse
from .shared import INPUT, MODEL, OUTPUT, SIMULATION, Debug, Json, Version, in_panel, new_app
from .streams import print_json, run_app
from .sweep_options import OPTIONS as SWEEP_OPTIONS
from .train_options import OPTIONS as TRAIN_OPTIONS

if TYPE_CHECKING:
    from ..sweep.sweep import SweepRequest
    from ..sweep.tally import Tally
    from ..sweep.trial import Values

sweep_app = new_app(Command("bim-sweep", SWEEP))
_LISTS = ("--vary", "--fix")
"""Options that take all the NAME=VALUE after them."""


@sweep_app.command()
def sweep_command(
    context: typer.Context,
    model: Annotated[Path | None, typer.Argument(help="A model.pt, a .nir or .net graph; or --train TASK.")] = None,
    vary: Annotated[
        list[str] | None,
        in_panel(INPUT, metavar="NAME=VALUES...", help="What differs: values a,b,c or lo:hi:step, all combinations."),
    ] = None,
    fix: Annotated[
        list[str] | None, in_panel(INPUT, metavar="NAME=VALUE...", help="What is the same in all trials: samples=200.")
    ] = None,
    train: Annotated[
        str | None, in_panel(MODEL, metavar="TASK", help="Train on this task first; its options may be varied too.")
    ] = None,
    seeds: Annotated[int | None, in_panel(INPUT, min=1, help="Make every trial with seeds 0 to N - 1.")] = None,
    objective: Annotated[
        str, in_panel(INPUT, help="What is compared: accuracy, agreement, energy, latency, cores, validation(_error).")
    ] = "accuracy,energy,latency,cores",
    proposals: Annotated[
        str, in_panel(INPUT, help="Which trials: grid (all), random, or optuna (NSGA-II, or TPE for one objective).")
    ] = "grid",
    trials: Annotated[
        int | None, in_panel(INPUT, min=1, help="Most trials (default: all of a grid, 100 otherwise).")
    ] = None,
    executor: Annotated[
        str | None,
        in_panel(
            SIMULATION,
            help="Where: processes:N (default: one a core), dask:N, dask:tcp://H:P, submitit:slurm, module:factory.",
        ),
    ] = None,
    config: Config = None,
    settings: Settings = None,
    listed: Listed = None,
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Folder of the sweep (default: out/sweep-MODEL).")
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Make many compiles, and trainings before them, and show which no other beats; the same command goes on.

    \b
    bim-sweep examples/digits.pt --vary quantise.weight_bits=8,16 prune=0:0.9:0.1 --fix samples=all
    bim-sweep --train digits --vary rule=bptt,rtrl states=4,8 --seeds 3 --executor dask:4
    bim-report best out/sweep-digits --least energy --min accuracy=.96
    """
    carry_out(context, _act)


def _act(asked: Asked) -> None:
    """Sweep, or list the settings."""
    asked.check(SWEEP_OPTIONS)
    if asked.options["listed"] is not None:
        _list_settings(asked)
        return
    from ..report import show_sweep
    from ..sweep.sweep import run_sweep

    request = _request(asked)
    with progress_bar() as bar:
        table = run_sweep(request, lambda values: _without_effect(request, values), _Shown(bar))
    if asked.as_json:
        print_json(table)
    else:
        show_sweep(table, out)
        out.print(f"[dim]{request.output}/sweep.html, trials.csv, sweep.json[/]", soft_wrap=True)
    if poisoned := table["by_status"].get("poisoned", 0):
        said = f"{poisoned} of {len(table['trials'])} trials have no result: their worker died or broke three times"
        refuse(BackendFailed(said, "the table says why; the same command tries them again"))


def _list_settings(asked: Asked) -> None:
    found = rows(asked.options["listed"], asked.table)
    if asked.as_json:
        print_json(found)
    else:
        print_settings(asked.table)


def _request(asked: Asked) -> SweepRequest:
    from ..executors import Slurm
    from ..simulation.ready import usable_cores
    from ..sweep.objectives import objectives_of
    from ..sweep.sweep import SweepRequest

    given, model = asked.options, asked.options["model"]
    if model is None and given["train"] is None:
        raise InputError("MODEL is missing", "name a model.pt or a .nir file, or train one with --train TASK")
    output = given["output"] or Path("out") / f"sweep-{given['train'] or model.stem}"
    slurm = {"slurm.array": "array", "slurm.minutes": "minutes", "slurm.memory": "memory", "slurm.cpus": "cpus"}
    named = [name for name in asked.settings if name.startswith("slurm.") and name not in slurm]
    more = {name.removeprefix("slurm."): asked.settings[name] for name in named}
    return SweepRequest(
        output,
        objectives_of(given["objective"]),
        tuple(given["vary"] or ()),
        tuple(given["fix"] or ()),
        executor=given["executor"] or f"processes:{usable_cores()}",
        slurm=Slurm(**asked.given(slurm), more=more),
        keep=asked.settings.get("sweep.keep", "all"),
        seed=asked.settings.get("sweep.seed", 0),
        command=shlex.join(["bim-sweep", *sys.argv[1:]]),
        file=asked.file(model=model, output=output),
        **asked.words("model", "train", "seeds", "proposals", "trials"),
    )


def _without_effect(request: SweepRequest, asked: Values) -> frozenset[str]:
    """Return the names that bim-compile, or bim-train, would refuse beside the others as having no effect."""
    from ..jobs.compose import OPTIONS
    from ..jobs.request import TrainRequest
    from ..sweep.names import names

    known = names(request.train is not None)
    compiled = {name: value for name, value in asked.items() if not known[name].trains}
    modes = {"listed": None, "self_test": False, "check": False, "settings": None}
    values: dict[str, Any] = {**defaults(COMPILE), **OPTIONS, **modes, "model": request.model, **compiled}
    values["lowering"] = None if values["lowering"] == "fused" else values["lowering"]
    trained = {**defaults(TRAIN), **vars(TrainRequest(request.train or "", Path())), **asked}
    lacks = {name for name in compiled if any(condition(values) for condition in options.COMPILE[name])}
    return frozenset(
        lacks | {name for name in asked if known[name].trains and any(c(trained) for c in TRAIN_OPTIONS[name])}
    )


class _Shown:
    """Shows how a sweep goes: in a bar, and in lines where there is no terminal."""

    def __init__(self, bar: Bar) -> None:
        self.bar, self.tell = bar, Paced()
        self.task = bar.add_task("sweep", total=None, note="")

    def __call__(self, progress: Tally) -> None:
        self.bar.update(self.task, total=progress.total, completed=progress.known + progress.done, note=str(progress))
        self.tell(str(progress))


def expanded(arguments: list[str]) -> list[str]:
    """Return a command line in which --vary and --fix stand before each of the NAME=VALUE that follow them."""
    made: list[str] = []
    last = ""
    for word in arguments:
        if word.startswith("-"):
            last = word
        elif last in _LISTS and "=" in word and made[-1] != last:
            made.append(last)
        made.append(word)
    return made


def sweep_main() -> None:
    """Entry point bim-sweep."""
    run_app(sweep_app, args=expanded(sys.argv[1:]))

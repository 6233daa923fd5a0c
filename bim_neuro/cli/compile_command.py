"""bim-compile: its options, what it is asked to do, and what it prints."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import InputError, ThresholdMissed
from ..printable import escape
from . import options
from .config import Config, Listed, Settings, as_toml, print_settings, sections
from .console import guarded, out, progress_bar, remark
from .refusals import in_json
from .shared import (
    ENGINE,
    INPUT,
    LEARNING,
    LIMITS,
    MODEL,
    NO_RULE,
    OUTPUT,
    SIMULATION,
    Backend,
    Debug,
    Json,
    Layout,
    Learn,
    MaxMemory,
    Objective,
    Split,
    Version,
    in_panel,
    new_app,
    print_summary,
    word,
)
from .streams import print_json, run_app

if TYPE_CHECKING:
    from ..jobs.request import Request

compile_app = new_app()

_OF_PLASTICITY = {
    "placement": "placement", "bits": "trace_bits", "rate": "rate", "rounding": "rounding", "synapses": "synapses",
    "prune": "sparsity", "seed": "seed",
}  # fmt: skip
"""Which settings of learning are fields of a `Plasticity`, and which."""


@compile_app.command()
def compile_command(
    context: typer.Context,
    model: Annotated[
        Path | None, typer.Argument(help="A model.pt, a .nir graph, or a .bimn artefact with --self-test.")
    ] = None,
    target: Annotated[str, in_panel(MODEL, help="Chip: one of --list-targets, or a TOML file of yours.")] = "loihi2",
    dt: Annotated[float | None, in_panel(MODEL, help="Seconds a step; needed for .nir files that do not say.")] = None,
    input: Annotated[  # noqa: A002
        Path | None, in_panel(INPUT, help="Own input: .npz with x (samples, steps, channels), y (docs/inputs.md).")
    ] = None,
    data: Annotated[Path | None, in_panel(INPUT, help="Where the task's recordings lie (ecg).")] = None,
    samples: Annotated[
        str, in_panel(INPUT, metavar="N|all", help="How many samples to run, or all; memory stays bounded.")
    ] = "32",
    split: Annotated[Split | None, in_panel(INPUT, help="Which samples (test, where the data are split).")] = None,
    layout: Annotated[
        Layout | None, in_panel(INPUT, help="How x of a file lies: BTC (samples first) or TBC (time first).")
    ] = None,
    steps: Annotated[int | None, in_panel(INPUT, min=1, help="Use only the first steps of each sample.")] = None,
    backend: Annotated[Backend, in_panel(SIMULATION, help="Where to run the integers.")] = ENGINE,
    verify: Annotated[
        Backend | None, in_panel(SIMULATION, help="Compare every message and state with this backend.")
    ] = None,
    check: Annotated[
        bool, in_panel(OUTPUT, "--check", help="Does it fit? Every finding at once; nothing is run.")
    ] = False,
    strict: Annotated[
        bool, in_panel(LIMITS, "--strict", help="Warnings and saturated words are missed (exit 3).")
    ] = False,
    learn: Annotated[
        Learn,
        in_panel(LEARNING, help="Go on learning on the chip by this rule ('described': the one in the model's NIR)."),
    ] = NO_RULE,
    config: Config = None,
    settings: Settings = None,
    min_agreement: Annotated[
        float | None, in_panel(LIMITS, min=0, max=1, help="Least equal share, worst layer.")
    ] = None,
    max_energy: Annotated[float | None, in_panel(LIMITS, min=0, help="Most uJ a sample, dynamic and static.")] = None,
    max_latency: Annotated[float | None, in_panel(LIMITS, min=0, help="Most ms from a sample to its answer.")] = None,
    max_cores: Annotated[int | None, in_panel(LIMITS, min=1, help="Most cores.")] = None,
    optimise: Annotated[
        Objective | None,
        in_panel(OUTPUT, help="Choose among placements: least energy, soonest answer (more cores), or fewest cores."),
    ] = None,
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Folder to write (default out/MODEL).")
    ] = None,
    lava_timeout: Annotated[float | None, in_panel(SIMULATION, min=0, help="Seconds Lava may take.")] = None,
    max_memory: MaxMemory = None,
    self_test: Annotated[bool, in_panel(OUTPUT, "--self-test", help="Run an artefact on its own sample.")] = False,
    list_targets: Annotated[
        bool, in_panel(OUTPUT, "--list-targets", help="Print the chips and boards we know.")
    ] = False,
    show_target: Annotated[
        str | None,
        in_panel(OUTPUT, metavar="TARGET", help="Print every number of a chip: value, range, basis, source."),
    ] = None,
    listed: Listed = None,
    json_output: Json = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Compile a trained model for a neuromorphic chip, simulate its integers, and report energy and sparsity.

    \b
    bim-compile examples/digits.pt --target loihi2 --verify lava
    bim-compile examples/digits.pt --optimise latency --max-latency 0.2 --max-cores 10
    bim-compile examples/digits.pt --learn hybrid --input shifted.npz --set learn.test=test.npz
    bim-compile --config out/digits/request.toml
    bim-compile examples/digits.pt --check --json
    bim-compile out/digits/model.bimn --self-test
    bim-compile --list-targets
    bim-compile --list settings
    bim-compile --show-target loihi2

    Exit codes: 0 done, 1 does not fit or unsupported, 2 usage or unreadable input, 3 a threshold was missed or a
    verification found a difference, 4 internal error or Lava time-out, 130 interrupted.
    """

    def command() -> None:
        from ..intake import allow_memory
        from ..jobs import settings as fine_print
        from ..jobs.learn_stream import plasticity_for
        from ..jobs.places import default_output
        from ..jobs.request import Request
        from ..jobs.sequences import count_or_all
        from ..report.thresholds import Thresholds

        given = fine_print.chosen(fine_print.LEARN, sections(context), settings or ())
        options.refuse_without_effect(context, options.COMPILE, given)
        if listed is not None:
            print_settings(listed, fine_print.LEARN, json_output)
            return
        allow_memory(max_memory)
        if list_targets or show_target is not None:
            _print_targets(show_target, json_output)
            return
        if model is None:
            raise InputError("MODEL is missing", "name a model.pt or a .nir file, as bim-compile --help shows")
        if self_test:
            _self_test(model, json_output)
            return
        test = given.get("learn.test")
        learning = {field: given.get(f"learn.{name}") for name, field in _OF_PLASTICITY.items()}
        place = output or (Path() if check else default_output(model))  # a check writes nothing
        reads = {"model": model, "input": input, "data": data, "output": place}
        if target.endswith(".toml"):
            reads["target"] = Path(target)
        if test is not None:
            given["learn.test"] = str(Path(test).absolute())
        request = Request(
            model=model,
            target=target,
            dt=dt,
            input=input,
            data=data,
            samples=count_or_all(samples),
            steps=steps,
            split=word(split),
            layout=word(layout),
            backend=str(word(backend)),
            verify=word(verify),
            lava_timeout=lava_timeout,
            optimise=word(optimise),
            plasticity=None if learn == "none" else plasticity_for(model, dt, str(word(learn)), **learning),
            learn_test=None if test is None else Path(test),
            learn_samples=given.get("learn.samples", Request.learn_samples),
            thresholds=Thresholds(strict, min_agreement, max_energy, max_latency, max_cores),
            output=place,
            file=as_toml(context, given, {name: path for name, path in reads.items() if path is not None}),
            command=shlex.join(["bim-compile", *sys.argv[1:]]),
        )
        if check:
            _check(request, json_output)
            return
        _compile(request, json_output)

    guarded(in_json(command, json_output), debug)


def _compile(request: Request, as_json: bool) -> None:
    """Run a compile under a progress bar and print what it found."""
    from ..jobs.compile import compile_to_folder

    with progress_bar() as bar:
        tracker = bar.add_task("simulate", total=None, note="")
        result = compile_to_folder(
            request,
            stage=lambda name, total: bar.update(tracker, description=name, total=total, completed=0),
            advance=lambda done: bar.advance(tracker, done),
        )
    for file in result.aside:
        remark(f"a file of yours in the way of ours is now {file}")
    print_summary(result.summary, request.output, as_json)
    if result.missed:
        raise ThresholdMissed("; ".join(result.missed))


def _print_targets(name: str | None, as_json: bool) -> None:
    """Print every number of one target, or the table of all."""
    from ..hardware import load_profile
    from ..report import targets

    content: Any = targets.targets() if name is None else targets.target(load_profile(name))
    if as_json:
        print_json(content)
    elif name is None:
        targets.show_targets(content, out)
    else:
        targets.show_target(content, out)


def _check(request: Request, as_json: bool) -> None:
    from ..jobs import check as fit

    found = fit.check(request)
    if as_json:
        print_json(found)
    else:
        _print_check(found)
    if not found["fits"]:
        raise SystemExit(1)
    if found["missed"]:
        raise ThresholdMissed("; ".join(found["missed"]))


def _print_check(found: dict[str, Any]) -> None:
    colours = {"error": "red", "warning": "yellow"}
    for finding in found["findings"]:
        rule = f"[bold {colours[finding['severity']]}]{escape(finding['rule'])}[/]"
        out.print(f"{rule} {escape(finding['message'])}", soft_wrap=True)
        if finding["hint"]:
            out.print(f"  [dim]hint:[/] {escape(finding['hint'])}", soft_wrap=True)
    if found["fits"]:
        out.print(f"{escape(found['model'])} fits {escape(found['target'])}: {found['cores']['used']} of "
                  f"{found['cores']['limit'] or 'unlimited'} cores", soft_wrap=True)  # fmt: skip
    for what in found["unchecked"]:
        out.print(f"[dim]unchecked:[/] {escape(what)}", soft_wrap=True)


def _self_test(model: Path, as_json: bool) -> None:
    from ..compilers.artefact import check, load_artefact

    artefact = load_artefact(model)
    compared = check(artefact)
    samples, steps, _ = artefact.sample.shape
    if as_json:
        result = {"samples": samples, "steps": steps, "messages": compared, "equal": compared}
        print_json(result)
    else:
        out.print(f"self-test passed: {compared:,} messages equal on {samples} samples of {steps} steps")


def compile_main() -> None:
    """Entry point bim-compile."""
    run_app(compile_app)

"""bim-compile: its options, what it is asked to do, and what it prints."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import BimError, DoesNotFit, ThresholdMissed
from ..jobs.settings import COMPILE
from ..printable import escape
from . import options
from .asked import Asked, carry_out
from .compile_request import model_of, request_of
from .config import Command, Config, Settings
from .console import out, progress_bar, remark
from .listing import list_what
from .shared import (
    ENGINE,
    INPUT,
    LEARNING,
    LIMITS,
    MODEL,
    NO_RULE,
    OUTPUT,
    POWER,
    SIMULATION,
    Backend,
    Boundary,
    Dialect,
    Encoder,
    HiddenDebug,
    Json,
    Layout,
    Learn,
    Lowering,
    Objective,
    Split,
    Version,
    in_panel,
    new_app,
    print_summary,
)
from .streams import print_json, run_app

if TYPE_CHECKING:
    from ..jobs.request import Request

compile_app = new_app(Command("bim-compile", COMPILE))


@compile_app.command()
def compile_command(
    context: typer.Context,
    model: Annotated[
        Path | None, typer.Argument(help="A model.pt, a .nir or .net graph, or a .bimn artefact with --self-test.")
    ] = None,
    target: Annotated[str, in_panel(MODEL, help="Chip: a name from --list targets, or your own TOML file.")] = "loihi2",
    dt: Annotated[
        float | None, in_panel(MODEL, help="Seconds per step, for a .nir file that does not state it.")
    ] = None,
    dialect: Annotated[
        Dialect | None,
        in_panel(MODEL, help="Framework that wrote the .nir file: how its neurons step (docs/nir.md; default: plain)."),
    ] = None,
    input: Annotated[  # noqa: A002
        Path | None,
        in_panel(INPUT, help="Your own input: .npz of sequences x and labels y, events, or NIRData (docs/inputs.md)."),
    ] = None,
    data: Annotated[Path | None, in_panel(INPUT, help="Folder or file of the task's recordings (ecg).")] = None,
    samples: Annotated[
        str,
        in_panel(
            INPUT, metavar="N|all", help="Number of samples to run, or all; they run in batches that fit in memory."
        ),
    ] = "32",
    split: Annotated[Split | None, in_panel(INPUT, help="Split to run (default: test, if there are splits).")] = None,
    layout: Annotated[
        Layout | None,
        in_panel(INPUT, help="Axes of x in the input file: BTC (samples first) or TBC (time first), L or HW: places."),
    ] = None,
    lowering: Annotated[
        Lowering | None,
        in_panel(MODEL, help="stock: of a model.pt, nothing but processes that Lava ships (docs/stock.md)."),
    ] = None,
    encoder: Annotated[
        Encoder | None,
        in_panel(INPUT, help="How input becomes messages of a .nir that brings no encoder (default: spikes)."),
    ] = None,
    steps: Annotated[int | None, in_panel(INPUT, min=1, help="Use only this many first steps of each sample.")] = None,
    backend: Annotated[Backend, in_panel(SIMULATION, help="Backend that runs the integer model.")] = ENGINE,
    verify: Annotated[
        Backend | None, in_panel(SIMULATION, help="Compare every message and state with this backend.")
    ] = None,
    expect: Annotated[
        Path | None,
        in_panel(
            SIMULATION,
            help="What the model's framework, or a chip, gave for its input: .npz of x, out (docs/inputs.md).",
        ),
    ] = None,
    check: Annotated[
        bool, in_panel(OUTPUT, "--check", help="Check whether the model fits: list every finding, run nothing.")
    ] = False,
    strict: Annotated[
        bool, in_panel(LIMITS, "--strict", help="Exit with code 3 on any warning or saturated value.")
    ] = False,
    learn: Annotated[
        Learn,
        in_panel(
            LEARNING, help="Learn on the chip by this rule before the run ('described': the rule in the model's NIR)."
        ),
    ] = NO_RULE,
    config: Config = None,
    settings: Settings = None,
    min_agreement: Annotated[
        float | None,
        in_panel(LIMITS, min=0, max=1, help="Least agreement with float that every layer must reach, as a share."),
    ] = None,
    max_energy: Annotated[
        float | None, in_panel(LIMITS, min=0, help="Most uJ per sample, dynamic plus static energy.")
    ] = None,
    max_latency: Annotated[
        float | None, in_panel(LIMITS, min=0, help="Most ms from a sample's first input to its answer.")
    ] = None,
    max_cores: Annotated[int | None, in_panel(LIMITS, min=1, help="Most cores the model may use.")] = None,
    optimise: Annotated[
        Objective | None,
        in_panel(OUTPUT, help="Choose the placement with least energy, lowest latency (more cores) or fewest cores."),
    ] = None,
    boundary: Annotated[
        Boundary | None,
        in_panel(POWER, help="Whose static power counts: the neurocores', the chip's (default), or the board's."),
    ] = None,
    sample_rate: Annotated[
        float | None,
        in_panel(POWER, metavar="HZ", help="Samples a second of the task (default: one in steps * dt)."),
    ] = None,
    output: Annotated[
        Path | None, in_panel(OUTPUT, "--output", "-o", help="Output folder (default: out/MODEL).")
    ] = None,
    self_test: Annotated[
        bool,
        in_panel(OUTPUT, "--self-test", help="Run a .bimn artefact on its stored sample."),
    ] = False,
    listed: Annotated[
        str | None,
        in_panel(
            OUTPUT,
            "--list",
            metavar="targets|TARGET|settings|nodes|dialects",
            help="Print chips and boards, every number of one, settings, NIR's nodes, or dialects.",
        ),
    ] = None,
    json_output: Json = False,
    debug: HiddenDebug = False,
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
    bim-compile examples/digits.pt --sample-rate 125 --boundary board
    bim-compile --list targets
    bim-compile --list loihi2
    bim-compile --list settings

    Exit codes: 0 done, 1 does not fit or unsupported, 2 usage or unreadable input, 3 a threshold was missed or a
    verification found a difference, 4 internal error (--debug shows a traceback) or Lava time-out, 130 interrupted.
    """

    carry_out(context, _act)


def _act(asked: Asked) -> None:
    """Run the one action that was asked for: list, self-test, check or compile."""
    from ..intake import allow_memory

    asked.check(options.COMPILE)
    allow_memory(asked.settings.get("run.max_memory"))
    _ACTS[options.mode_of(asked.options)](asked)


def _run(asked: Asked) -> None:
    """Run a compile under a progress bar and print what it found."""
    from ..jobs.compile import compile_to_folder

    request = request_of(asked)
    with progress_bar() as bar:
        tracker = bar.add_task("simulate", total=None, note="")
        try:
            result = compile_to_folder(
                request,
                stage=lambda name, total: bar.update(tracker, description=name, total=total, completed=0),
                advance=lambda done: bar.advance(tracker, done),
            )
        except DoesNotFit as error:
            bar.update(tracker, description="try other targets", total=None)
            _write_refusal(request, error)
            raise
    for file in result.aside:
        remark(f"your file had the name of an output file and was renamed to {file}")
    print_summary(result.summary, request.output, asked.as_json)
    if result.missed:
        raise ThresholdMissed("; ".join(result.missed))


def _write_refusal(request: Request, error: DoesNotFit) -> None:
    """Write the page of a refusal; whatever keeps it from being written, the refusal itself is still to be said."""
    from ..jobs.refused import write_refusal

    try:
        write_refusal(request, error)
    except KeyboardInterrupt:
        remark("interrupted while other targets were tried: no page shows this refusal")
    except (BimError, OSError) as fault:
        remark(f"no page shows this refusal: {fault}")


def _check(asked: Asked) -> None:
    from ..jobs import check as fit

    found = fit.check(request_of(asked))
    if asked.as_json:
        print_json(found)
    else:
        _print_check(found)
    if not found["fits"]:
        raise SystemExit(1)
    if found["missed"]:
        raise ThresholdMissed("; ".join(found["missed"]))


def _print_check(found: dict[str, Any]) -> None:
    from ..report.assumed import assumed_lines

    colours = {"error": "red", "warning": "yellow"}
    for finding in found["findings"]:
        rule = f"[bold {colours[finding['severity']]}]{escape(finding['rule'])}[/]"
        out.print(f"{rule} {escape(finding['message'])}", soft_wrap=True)
        if finding["hint"]:
            out.print(f"  [dim]hint:[/] {escape(finding['hint'])}", soft_wrap=True)
    if found["fits"]:
        out.print(f"{escape(found['model'])} fits {escape(found['target'])}: {found['cores']['used']} of "
                  f"{found['cores']['limit'] or 'unlimited'} cores", soft_wrap=True)  # fmt: skip
    for line in assumed_lines(found["assumptions"]):
        out.print(line, soft_wrap=True)
    for what in found["unchecked"]:
        out.print(f"[dim]unchecked:[/] {escape(what)}", soft_wrap=True)


def _self_test(asked: Asked) -> None:
    from ..compilers.artefact import check, load_artefact

    artefact = load_artefact(model_of(asked))
    compared = check(artefact)
    samples, steps, _ = artefact.sample.shape
    if asked.as_json:
        result = {"samples": samples, "steps": steps, "messages": compared, "equal": compared}
        print_json(result)
    else:
        out.print(f"self-test passed: {compared:,} messages equal on {samples} samples of {steps} steps")


_ACTS = {
    options.LIST: list_what,
    options.SELF_TEST: _self_test,
    options.CHECK: _check,
    options.RUN: _run,
}


def compile_main() -> None:
    """Entry point bim-compile."""
    run_app(compile_app)

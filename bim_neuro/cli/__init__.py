"""The command line: bim-compile, bim-train, bim-report. Parse, call, print; no arithmetic."""

from __future__ import annotations

import shlex
import sys
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .._version import __version__
from ..errors import InputError, ThresholdMissed
from ..printable import as_json, escape
from . import options
from .console import Paced, guarded, out, progress_bar, remark
from .refusals import in_json
from .streams import print_json, run_app

if TYPE_CHECKING:
    from ..jobs.compile import Request


def _app() -> typer.Typer:
    settings = {"help_option_names": ["-h", "--help"]}
    return typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, context_settings=settings, rich_markup_mode="rich"
    )


compile_app = _app()
train_app = _app()
report_app = _app()
compare_app = _app()


class Backend(str, Enum):
    """Where the integers are computed."""

    engine = "engine"
    reference = "reference"
    lava = "lava"


class Objective(str, Enum):
    """What a placement is chosen for."""

    energy = "energy"
    latency = "latency"
    cores = "cores"


class Split(str, Enum):
    """Which samples of data that are split."""

    train = "train"
    validation = "validation"
    test = "test"
    all = "all"


class Layout(str, Enum):
    """Which axis of x counts samples (B), steps (T) and channels (C)."""

    BTC = "BTC"
    TBC = "TBC"


class Learn(str, Enum):
    """The rule of on-chip learning (`bim_neuro.plasticity.request` says what each does)."""

    none = "none"
    hybrid = "hybrid"
    rtrl = "rtrl"
    stdp = "stdp"
    s_tllr = "s-tllr"
    three_factor = "three-factor"
    described = "described"


class LearnPlacement(str, Enum):
    """Where the traces of on-chip learning live."""

    auto = "auto"
    engine = "engine"
    process = "process"
    host = "host"


class Rounding(str, Enum):
    """How trace words and weight updates are rounded."""

    stochastic = "stochastic"
    nearest = "nearest"
    truncate = "truncate"


def _show_version(wanted: bool) -> None:
    if wanted:
        out.print(f"bim-neuro {__version__}")
        raise typer.Exit


Version = Annotated[bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show a traceback for errors.")]
MaxMemory = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Memory that honest large files may take, in GiB or as 8G or 500M.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON on standard output instead of the table.")]


@compile_app.command()
def compile_command(
    context: typer.Context,
    model: Annotated[
        Path | None, typer.Argument(help="A model.pt, a .nir graph, or a .bimn artefact with --self-test.")
    ] = None,
    target: Annotated[str, typer.Option(help="Chip: one of --list-targets, or a TOML file of yours.")] = "loihi2",
    dt: Annotated[float | None, typer.Option(help="Seconds a step; needed for .nir files that do not say.")] = None,
    input: Annotated[  # noqa: A002
        Path | None, typer.Option(help="Own input: .npz with x (samples, steps, channels), y (docs/inputs.md).")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Where the task's recordings lie (ecg).")] = None,
    samples: Annotated[
        str, typer.Option(metavar="N|all", help="How many samples to run, or all; memory stays bounded.")
    ] = "32",
    split: Annotated[Split | None, typer.Option(help="Which samples (test, where the data are split).")] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="How x of a file lies: BTC (samples first) or TBC (time first).")
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Use only the first steps of each sample.")] = None,
    backend: Annotated[Backend, typer.Option(help="Where to run the integers.")] = Backend.engine,
    verify: Annotated[Backend | None, typer.Option(help="Compare every message and state with this backend.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Does it fit? Every finding at once; nothing is run.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings and saturated words are missed (exit 3).")] = False,
    learn: Annotated[
        Learn, typer.Option(help="Go on learning on the chip by this rule ('described': the one in the model's NIR).")
    ] = Learn.none,
    learn_test: Annotated[Path | None, typer.Option(help="Measure learning on this .npz too (shifted data).")] = None,
    learn_samples: Annotated[int, typer.Option(min=1, help="Samples of the stream; a short one begins again.")] = 2000,
    learn_placement: Annotated[
        LearnPlacement | None, typer.Option(help="Traces in the learning engine, a trace process, or on the host.")
    ] = None,
    learn_bits: Annotated[int | None, typer.Option(min=2, max=24, help="Bits of a trace word (12).")] = None,
    learn_rate: Annotated[float | None, typer.Option(min=0, help="First updates in weight bits (0.05).")] = None,
    learn_rounding: Annotated[Rounding | None, typer.Option(help="Of traces and updates (stochastic).")] = None,
    learn_synapses: Annotated[str | None, typer.Option(help="Which, as w_u,w_dt,w_b,w_c,w_o (all).")] = None,
    learn_prune: Annotated[float | None, typer.Option(min=0, max=0.99, help="Prune this share while learning.")] = None,
    learn_seed: Annotated[int | None, typer.Option(min=0, help="Seed of the rounding noise (0).")] = None,
    min_agreement: Annotated[float | None, typer.Option(min=0, max=1, help="Least equal share, worst layer.")] = None,
    max_energy: Annotated[float | None, typer.Option(min=0, help="Most uJ a sample, dynamic and static.")] = None,
    max_latency: Annotated[float | None, typer.Option(min=0, help="Most ms from a sample to its answer.")] = None,
    max_cores: Annotated[int | None, typer.Option(min=1, help="Most cores.")] = None,
    optimise: Annotated[
        Objective | None,
        typer.Option(help="Choose among placements: least energy, soonest answer (more cores), or fewest cores."),
    ] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Folder to write (default out/MODEL).")] = None,
    lava_timeout: Annotated[float | None, typer.Option(min=0, help="Seconds Lava may take.")] = None,
    max_memory: MaxMemory = None,
    self_test: Annotated[bool, typer.Option("--self-test", help="Run an artefact on its own sample.")] = False,
    list_targets: Annotated[bool, typer.Option("--list-targets", help="Print the chips and boards we know.")] = False,
    show_target: Annotated[
        str | None, typer.Option(metavar="TARGET", help="Print every number of a chip: value, range, basis, source.")
    ] = None,
    json_output: Json = False,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Compile a trained model for a neuromorphic chip, simulate its integers, and report energy and sparsity.

    \b
    bim-compile examples/digits.pt --target loihi2 --verify lava
    bim-compile examples/digits.pt --optimise latency --max-latency 0.2 --max-cores 10
    bim-compile examples/digits.pt --learn hybrid --input shifted.npz --learn-test shifted_test.npz
    bim-compile examples/digits.pt --check --json
    bim-compile out/digits/model.bimn --self-test
    bim-compile --list-targets
    bim-compile --show-target loihi2

    Exit codes: 0 done, 1 does not fit or unsupported, 2 usage or unreadable input, 3 a threshold was missed or a
    verification found a difference, 4 internal error or Lava time-out, 130 interrupted.
    """

    def command() -> None:
        from ..jobs import compile as job
        from ..report.thresholds import Thresholds

        options.refuse_without_effect(context, options.COMPILE)
        job.allow_memory(max_memory)
        if list_targets or show_target is not None:
            _print_targets(show_target, json_output)
            return
        if model is None:
            raise InputError("MODEL is missing", "name a model.pt or a .nir file, as bim-compile --help shows")
        if self_test:
            _self_test(model, json_output)
            return
        learning = {
            "placement": learn_placement and learn_placement.value, "trace_bits": learn_bits, "rate": learn_rate,
            "rounding": learn_rounding and learn_rounding.value, "synapses": learn_synapses, "seed": learn_seed,
            "sparsity": learn_prune,
        }  # fmt: skip
        place = output or (Path() if check else job.default_output(model))  # a check writes nothing
        request = job.Request(
            model, target, dt, input, data, job.count_or_all(samples), steps, backend.value, verify and verify.value,
            place, lava_timeout, shlex.join(["bim-compile", *sys.argv[1:]]),
            optimise=optimise and optimise.value,
            plasticity=None if learn is Learn.none else job.plasticity_for(model, dt, learn.value, **learning),
            learn_test=learn_test, learn_samples=learn_samples, split=split and split.value,
            layout=layout and layout.value,
            thresholds=Thresholds(strict, min_agreement, max_energy, max_latency, max_cores),
        )  # fmt: skip
        if check:
            _check(request, json_output)
            return
        with progress_bar() as bar:
            tracker = bar.add_task("simulate", total=None, note="")
            result = job.compile_to_folder(
                request,
                stage=lambda name, total: bar.update(tracker, description=name, total=total, completed=0),
                advance=lambda done: bar.advance(tracker, done),
            )
        for file in result.aside:
            remark(f"a file of yours in the way of ours is now {file}")
        _print_summary(result.summary, request.output, json_output)
        if result.missed:
            raise ThresholdMissed("; ".join(result.missed))

    guarded(in_json(command, json_output), debug)


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


def _print_summary(summary: dict[str, Any], folder: Path, as_json: bool) -> None:
    from ..report.terminal import show

    if as_json:
        print_json(summary)
    else:
        show(summary, folder, out)


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


@train_app.command()
def train_command(
    context: typer.Context,
    task: Annotated[str, typer.Argument(help="digits, ecg, cue, copy, or own (with --data my.npz).")],
    data: Annotated[Path | None, typer.Option(help="Recordings of the task, or a .npz for 'own'.")] = None,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write (default TASK.pt).")] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="own: how x lies, BTC (samples first) or TBC (time first).")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of weights, batches and noise.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Most epochs.")] = None,
    patience: Annotated[int | None, typer.Option(min=1, help="Epochs without a better validation score.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Samples a step of the optimiser.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-9, help="Peak of the one-cycle schedule.")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="D, channels a block.")] = None,
    states: Annotated[int | None, typer.Option(min=1, help="N, states a channel.")] = None,
    blocks: Annotated[int | None, typer.Option(min=1, help="BIM blocks in a chain.")] = None,
    taps: Annotated[int | None, typer.Option(min=1, help="K, taps of the causal conv.")] = None,
    encoder: Annotated[str | None, typer.Option(help="graded (8-bit values) or delta (send-on-delta events).")] = None,
    rule: Annotated[str, typer.Option(help="bptt, rtrl, hybrid, s-tllr, stdp, e-prop-like or no-trace.")] = "bptt",
    mix: Annotated[float, typer.Option("--lambda", help="hybrid: share of the gradient, the rest is STDP.")] = 0.9,
    credit: Annotated[str, typer.Option(help="Below the top block: spatial, or a local readout each.")] = "spatial",
    online: Annotated[int | None, typer.Option(min=1, help="Update inside a sequence, every so many steps.")] = None,
    prune: Annotated[float | None, typer.Option(help="Share of the synapses to prune, as 0.7.")] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Ignore an interrupted run instead of resuming.")] = False,
    test: Annotated[bool, typer.Option("--test/--no-test", help="Measure the test split once, at the end.")] = True,
    baseline: Annotated[bool, typer.Option("--baseline", help="Also measure a logistic regression.")] = False,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the training record here.")] = None,
    max_memory: MaxMemory = None,
    debug: Debug = False,
    version: Version = False,
) -> None:
    """Train a Bio-Inspired Mamba and write model.pt; an interrupted run goes on where it was.

    \b
    bim-train digits -o digits.pt
    bim-train ecg --data mitbih/ -o ecg.pt
    bim-train cue --rule rtrl --json record.json
    bim-train own --data my.npz          (x (samples, steps, channels), y (samples,))
    """

    def command() -> None:
        from ..jobs import compile as job
        from ..jobs import train as training
        from ..training.rules import Learning
        from ..training.trainer import Epoch

        learning = Learning(rule, mix, credit, online, sparsity=prune)
        options.refuse_without_effect(context, options.TRAIN)
        job.allow_memory(max_memory)
        model = output or Path(f"{task}.pt")
        for file in (model, json_file):
            job.check_file(file)
        tell = Paced()
        with job.training_place(model, restart) as resume_file, progress_bar() as bar:
            plan = training.plan_for(
                job.task_for(task, data, layout and layout.value), resume_file=resume_file, seed=seed, epochs=epochs,
                patience=patience, batch=batch, learning_rate=learning_rate, channels=channels, states=states,
                blocks=blocks, taps=taps, encoder=encoder, learning=learning,
            )  # fmt: skip
            for note in plan.task.notes:
                remark(note)
            for finding in plan.findings:
                remark(finding.message, finding.hint, kind="warning")
            epochs_in_all = plan.default.recipe.epochs

            def told(epoch: Epoch) -> None:
                note = f"loss {epoch.loss:.3f}  validation {epoch.score:.3f}  best {epoch.best:.3f}"
                bar.update(epochs_bar, completed=epoch.epoch, note=note)
                tell(f"epoch {epoch.epoch} of {epochs_in_all}: {note}")

            epochs_bar = bar.add_task("train", total=epochs_in_all, note="")
            test_bar = bar.add_task("test", total=len(plan.task.test), note="", visible=False)
            checkpoint = training.train_task(
                plan,
                model,
                command=shlex.join(["bim-train", *sys.argv[1:]]),
                report=told,
                progress=lambda done: bar.update(test_bar, advance=done, visible=True),
                test=test,
            )
        record = dict(checkpoint.training)
        _write_record(record, json_file)
        if baseline:
            from ..tasks import logistic_regression_baseline

            record["baseline"] = dict(logistic_regression_baseline(plan.task))
            _write_record(record, json_file)
        _print_training(record, model)

    guarded(command, debug)


def _write_record(record: dict[str, Any], file: Path | None) -> None:
    from ..jobs import compile as job

    if file is not None:
        job.write_text(file, as_json(record) + "\n")


def _print_training(record: dict[str, Any], model: Path) -> None:
    from ..report.terminal import show_training

    show_training(record, model, out)


@report_app.command()
def report_command(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A folder bim-compile wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report here, as HTML.")] = None,
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
        from ..jobs import compile as job

        options.refuse_without_effect(context, options.REPORT)
        job.check_file(output)
        _print_summary(job.read_summary(folder), folder, json_output)
        if output is not None:
            job.write_text(output, job.render_report(folder))

    guarded(in_json(command, json_output), debug)


@compare_app.command("bim-report compare")
def compare_command(
    context: typer.Context,
    folders: Annotated[list[Path], typer.Argument(help="Two or more folders bim-compile wrote.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the comparison here, as HTML.")] = None,
    json_output: Json = False,
    debug: Debug = False,
) -> None:
    """Put finished compiles side by side: accuracy, energy, time, cores, sparsity, and what was done differently.

    \b
    bim-report compare out/digits out/pruned -o compare.html
    """

    def command() -> None:
        from ..jobs import compile as job

        options.refuse_without_effect(context, options.COMPARE)
        job.check_file(output)
        comparison = job.compare_runs(folders)
        _print_comparison(comparison, json_output)
        if output is not None:
            job.write_text(output, job.render_comparison(comparison))

    guarded(in_json(command, json_output), debug)


def _print_comparison(comparison: dict[str, Any], as_json: bool) -> None:
    from ..report.side_by_side import show_comparison

    if as_json:
        print_json(comparison)
    else:
        show_comparison(comparison, out)


def compile_main() -> None:
    """Entry point bim-compile."""
    run_app(compile_app)


def train_main() -> None:
    """Entry point bim-train."""
    run_app(train_app)


def report_main() -> None:
    """Entry point bim-report; a folder that is called compare is ./compare."""
    if sys.argv[1:2] == ["compare"]:
        run_app(compare_app, args=sys.argv[2:], prog_name="bim-report compare")
    else:
        run_app(report_app)

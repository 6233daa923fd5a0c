"""One bim-compile: from a request to an output folder that is written completely or not at all."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import kept, report
from ..atomic import write
from ..compilers.artefact import Artefact, save_artefact
from ..compilers.board import FOLDER, write_board
from ..compilers.placement.place import arrange
from ..compilers.wider_weights import WIDTHS
from ..errors import DoesNotFit, Finding
from ..estimates.optimise import optimise
from ..graph import PlacedGraph
from ..model.s4d_graph import has_fixed_decays
from ..nodes.arithmetic import Array
from ..program import Program
from ..ran import Ran
from ..record import RunRecord
from ..report.models import Summary
from ..report.thresholds import missed
from ..simulation.agreement import verify
from ..stopwatch import Stopwatch
from .built import program_of, unplayed_by
from .by_head import answered, head_of
from .chosen import Chosen
from .expected import beside, completed, recorded
from .folder import NET, REQUEST, filled, reserved
from .learn import Learned
from .learn_stream import learn_first, learned_file
from .request import Outcome, Request, Stage
from .sequences import to_run
from .shards import Shards
from .simulate import check_backends, excerpts, run_request, shards_for

ARTEFACT_SAMPLES = 4
ARTEFACT_STEPS = 512  # of each; keeps the self-test fast, and small compared to the program
ARTEFACT_MESSAGES = 2**28  # of all; their counting takes a quarter of a GiB


def compile_to_folder(request: Request, *, stage: Stage, advance: Callable[[int], None]) -> Outcome:
    """Compile, run, verify, estimate costs; write the folder; return its summary."""
    with reserved(request.output) as output:
        return _compile(replace(request, output=output), stage, advance)


def _compile(request: Request, stage: Stage, advance: Callable[[int], None]) -> Outcome:
    """Run stage by stage; results of slow stages are kept on disk until the folder is written."""
    check_backends(request)
    request = completed(request)
    watch = Stopwatch()
    program, chosen, learned = _ready(request, stage, advance, watch)
    raw, recording = chosen.data.x, recorded(request, program, chosen)
    played = _played(program, raw, request, stage, watch)
    stage("simulate", len(raw))
    shards = shards_for(program, raw, played)
    ran = run_request(program, raw, played, watch, advance, shards)
    with watch.stage("answers"):
        ran, said = answered(program, chosen.data, ran, played.backend)
    record = ran.record
    stage("place", None)
    with watch.stage("place"):
        placed = _arranged(program, record, request)
    stage("report", None)
    with watch.stage("price"):
        facts = _facts(request, program, chosen, learned, placed, ran, said)
        series = report.series(facts, excerpts(program, raw, played))
        series |= report.training_curves(program.reference)
    if recording is not None:
        stage("expect", None)
        with watch.stage("expect"):
            expect, found = beside(request, program, recording, raw)
        facts = replace(facts, expect=expect, findings=(*facts.findings, *found))
    with filled(request.output) as (fresh, aside):
        stage("write model.bimn", None)
        with watch.stage("artefact"):
            _write_program(program.artefact(_proof(program, raw)), request, fresh)
        stage("write model.nir", None)
        with watch.stage("nir"):
            _write_nir(program, fresh / "model.nir", request.importer)
            _write_net(program, fresh / NET, request.netx)
        if request.file:
            write(fresh / REQUEST, request.file)
        undone = (_not_compared(request.verify),) if request.verify else ()
        summary = _write_report(replace(facts, findings=facts.findings + undone), series, watch, fresh)
    if request.verify:
        kept.say("result", f"{request.output} holds the result, without the comparison with {request.verify}")
        stage(f"verify on {request.verify}", None)
        with watch.stage("verify"):
            other = program.run(raw, backend=request.verify, probe=True, time_limit=request.lava_timeout)
            facts = replace(facts, verification=verify(record, other))
        with filled(request.output, update=True) as (fresh, more):
            summary = _write_report(facts, series, watch, fresh)
        kept.forget("result")
        aside += more
    _forget(request, shards)
    return Outcome(summary, missed(summary, request.thresholds), tuple(aside))


def _ready(
    request: Request, stage: Stage, advance: Callable[[int], None], watch: Stopwatch
) -> tuple[Program, Chosen, Learned | None]:
    """Return the program that will be run, what it will be run on, and what it learned before."""
    stage("read and place", None)
    program = program_of(request, watch)
    if request.plasticity:
        learned, chosen = learn_first(program, request, stage, advance, watch)
        return learned.program, chosen, learned  # keep the number formats used while learning
    with watch.stage("input"):
        chosen = to_run(program, request.wanted)
    stage("calibrate", None)
    with watch.stage("calibrate"):
        return program.calibrated(*chosen.measuring), chosen, None


def _played(program: Program, raw: Array, request: Request, stage: Stage, watch: Stopwatch) -> Request:
    """Return the request with its backend: the numpy reference (same integers) if kernels are not compiled yet."""
    if request.backend != "engine":
        return request
    from ..simulation.cold import is_short, kernels_are_ready
    from ..simulation.compiled import load_kernels

    compares = request.verify or request.plasticity  # the reference is not compared with itself
    if not (compares or kernels_are_ready(program.engine)) and is_short(program.graph, *raw.shape[:2]):
        return replace(request, backend="reference")
    stage("load kernels (compiled on the first run)", None)
    with watch.stage("kernels"):
        load_kernels(program.engine)
    return request


def _facts(
    request: Request, program: Program, chosen: Chosen, learned: Learned | None, placed: PlacedGraph, ran: Ran,
    said: dict[str, Any] | None,
) -> report.Facts:  # fmt: skip
    """Return the data of the report, before verification; ``said`` are figures by head."""
    return replace(
        program.facts(ran, chosen.data.y if head_of(program) == "class" else None),
        head=head_of(program),
        answers=said,
        model=str(request.model),
        input=chosen.origin,
        sequences=chosen.about,
        assumptions=_assumptions(program, chosen),
        command=request.command,
        placed=placed,
        optimise=request.optimise,
        sample_rate=request.sample_rate,
        findings=(*program.findings, *chosen.findings, *unplayed_by(request.importer, program)),
        learning=learned.report if learned else None,
        stream=learned.stream if learned else None,
        request=_asked(request, program, chosen),
    )


def _assumptions(program: Program, chosen: Chosen) -> tuple[str, ...]:
    """Return what a program assumes; its first line, on how input is read, says how its file was read too."""
    said = program.assumptions
    if chosen.layout is None or not said or not said[0].startswith(report.READ_AS):
        return said
    why = f" ({chosen.why})" if chosen.why else ""
    return (f"{report.READ_AS}layout {chosen.layout}{why}, {said[0].removeprefix(report.READ_AS)}", *said[1:])


def _asked(request: Request, program: Program, chosen: Chosen) -> dict[str, Any]:
    """Return the request without its output paths and file; see `report.asked`."""
    options = asdict(request)
    for name in ("output", "command", "file"):
        del options[name]
    thresholds = options.pop("thresholds")
    options["learn"] = options.pop("plasticity")
    for name in ("dialect", "encoder", "events", "moments", "importer", "netx", "boundary", "sample_rate",
                 "activation"):  # fmt: skip
        if options[name] is None:
            del options[name]
    if request.lowering is None:
        del options["lowering"], options["segments"]
    if not request.decay_bits:
        del options["decay_bits"]
    if request.weight_bits == WIDTHS[0]:
        del options["weight_bits"]
    if not request.prune:
        del options["prune"]
    del options["executor"]  # says where, not what
    if request.board:
        del options["board"]
    if request.expect is None:
        del options["expect"], options["float_bits"]
    if request.plasticity is None:
        options["learn_samples"] = None  # a default is not part of the request
    seed = request.plasticity.seed if request.plasticity else None
    return report.asked(options | thresholds, request.model, program.profile, chosen.data.x, chosen.data.y, seed)


def _not_compared(backend: str) -> Finding:
    """Return the finding of a result whose comparison with a backend has not finished."""
    message = f"the comparison with {backend} has not finished: this result is not verified"
    return Finding("not-verified", "verify", message, hint="run the same command again", severity="warning")


def _write_report(facts: report.Facts, series: dict[str, Any], watch: Stopwatch, folder: Path) -> Summary:
    """Write the report's files; return the summary."""
    seconds = {name: round(seconds, 4) for name, seconds in watch.seconds.items()}
    summary = replace(report.summarise(facts), seconds=seconds)
    report.write_files(summary, facts.placed, series, folder)
    return summary


def _forget(request: Request, shards: Shards | None) -> None:
    """Remove the kept work: the folder is written."""
    if shards is not None:
        shards.forget()
    if request.plasticity:
        learned_file(request).unlink(missing_ok=True)
    kept.forget("shards")
    kept.forget("learned")


def _arranged(program: Program, record: RunRecord, request: Request) -> PlacedGraph:
    """Place the cores for the measured messages; with an objective, choose among placements."""
    placed = arrange(program.placed, program.profile, traffic=record)
    if request.optimise is None:
        return placed
    most = request.thresholds.max_cores
    return optimise(placed, record, program.profile, request.optimise, max_cores=most)


def _proof(program: Program, raw: Array) -> Array:
    """Return the sequences of the self-test: fewer steps for a very large model."""
    some = raw[:ARTEFACT_SAMPLES, :ARTEFACT_STEPS]
    a_step = len(some) * sum(node.neurons for node in program.graph.nodes.values())
    return some[:, : max(1, ARTEFACT_MESSAGES // a_step)]


def _write_program(artefact: Artefact, request: Request, folder: Path) -> None:
    """Write model.bimn and, of a program that Lava has all processes for, the board kit."""
    save_artefact(artefact, folder / "model.bimn")
    if request.board:
        with suppress(DoesNotFit):
            write_board(artefact, folder / FOLDER)


def _write_nir(program: Program, path: Path, importer: str | None) -> None:
    from ..nir_bridge import write_nir

    if has_fixed_decays(program.reference):
        return  # NIR has no node for its rectified vector
    write_nir(program.reference, path, importer=importer)


def _write_net(program: Program, path: Path, wanted: str | None) -> None:
    """Write lava-dl's file of a program that netx can express; ``wanted`` is the setting netx.write."""
    from ..netx import write_net

    if wanted == "no":
        return
    try:
        write_net(program.graph, path)
    except DoesNotFit:
        if wanted == "yes":
            raise

"""One bim-compile: from a request to a finished folder, written whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, astuple, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import kept, report
from ..atomic import alone, sweep, write
from ..compilers.artefact import save_artefact
from ..compilers.placement.place import arrange
from ..compilers.to_lava.compat import check_installed
from ..errors import Finding, InputError
from ..estimates.neurobench import Activity, ActivityCounter, activity
from ..estimates.optimise import optimise
from ..graph import PlacedGraph
from ..intake import allow_memory as allow_memory
from ..intake import check_available, check_place, read_json
from ..nodes.arithmetic import Array
from ..pipeline import Program, Stopwatch, compile_model, read_model, verify
from ..plasticity.request import Plasticity
from ..record import RunRecord, merge
from ..report.thresholds import Thresholds, missed
from ..simulation.agreement import LAYOUT, Agreement, compared
from ..simulation.counting import count_messages
from ..simulation.probes import WORD_BYTES, check_kept, samples_at_once
from ..tasks import Dataset, Task, load_task
from .folder import adopt, filled, reserved
from .learn import Learned, learn, learning_key, lessons, load_learned, save_learned
from .sequences import ALL, Chosen, Wanted, note_learnt, to_learn, to_run
from .shards import Shards, from_arrays, run_key, to_arrays

BATCH = 64
SHARD = 2048  # samples; a longer run leaves its finished shards beside the output until that is written
SHARD_STEPS = 2**20  # steps of all samples of a shard: long samples come in smaller ones
_DIGITS = 18  # that a number of samples may have
ARTEFACT_SAMPLES = 4
ARTEFACT_STEPS = 512  # of each; a self-test is to be quick, and small beside the program


@dataclass(frozen=True)
class Request:
    """What bim-compile was asked for."""

    model: Path
    target: str
    dt: float | None
    input: Path | None
    data: Path | None
    samples: int | None  # None: all
    steps: int | None
    backend: str
    verify: str | None
    output: Path
    lava_timeout: float | None
    command: str
    optimise: str | None = None
    thresholds: Thresholds = field(default_factory=Thresholds)
    plasticity: Plasticity | None = None  # None: nothing learns
    learn_test: Path | None = None
    learn_samples: int = 2000
    split: str | None = None
    layout: str | None = None

    @property
    def wanted(self) -> Wanted:
        """Which sequences were asked for."""
        return Wanted(
            self.input, self.data, self.learn_test, self.split, self.layout, samples=self.samples, steps=self.steps
        )


@dataclass(frozen=True)
class Outcome:
    """The summary that was written, which thresholds were missed, and the user's files that lay in the way of ours."""

    summary: dict[str, Any]
    missed: tuple[str, ...]
    aside: tuple[Path, ...] = ()


Stage = Callable[[str, int | None], None]
Ran = tuple[RunRecord, RunRecord, Agreement, Activity]
"""What a run left: the records of the integers and of the float law, how far they agree, and what was done."""


def compile_to_folder(request: Request, *, stage: Stage, advance: Callable[[int], None]) -> Outcome:
    """Compile, run, verify, price; write the folder; return what it says."""
    with reserved(request.output) as output:
        return _compile(replace(request, output=output), stage, advance)


def _compile(request: Request, stage: Stage, advance: Callable[[int], None]) -> Outcome:
    """Stage by stage; what takes time is on the disk before the next stage begins, and until the folder is written."""
    _check_backends(request)
    watch = Stopwatch()
    program, chosen, learned = _ready(request, stage, advance, watch)
    raw = chosen.data.x
    if request.backend == "engine":
        from ..simulation.compiled import load_kernels

        stage("load kernels (compiled on the first run)", None)
        with watch.stage("kernels"):
            load_kernels()
    stage("simulate", len(raw))
    shards = _shards(program, raw, request)
    ran = _run(program, raw, request, watch, advance, shards)
    record = ran[0]
    stage("place", None)
    with watch.stage("place"):
        placed = _arranged(program, record, request)
    stage("report", None)
    with watch.stage("price"):
        facts = _facts(request, program, chosen, learned, placed, ran)
        series = report.series(record, _first_sample(program, raw, request), placed, program.profile)
    with filled(request.output) as (fresh, aside):
        with watch.stage("artefact"):
            save_artefact(program.artefact(raw[:ARTEFACT_SAMPLES, :ARTEFACT_STEPS]), fresh / "model.bimn")
        with watch.stage("nir"):
            _write_nir(program, fresh / "model.nir")
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
    program = compile_model(request.model, request.target, dt=request.dt, watch=watch)
    if request.plasticity:
        learned, chosen = _learn(program, request, stage, advance, watch)
        return learned.program, chosen, learned  # its formats are those that it learnt in
    with watch.stage("input"):
        chosen = to_run(program, request.wanted)
    with watch.stage("calibrate"):
        return program.calibrated(chosen.data.x, chosen.origin), chosen, None


def _facts(
    request: Request, program: Program, chosen: Chosen, learned: Learned | None, placed: PlacedGraph, ran: Ran
) -> report.Facts:
    """Return all that the report is made of, before anything was verified."""
    record, floats, agreement, counted = ran
    return report.Facts(
        model=str(request.model),
        input=chosen.origin,
        sequences=chosen.about,
        command=request.command,
        placed=placed,
        profile=program.profile,
        optimise=request.optimise,
        assumptions=program.assumptions,
        record=record,
        floats=floats,
        agreement=agreement,
        activity=counted,
        y=chosen.data.y,
        verification=None,
        findings=(*program.findings, *chosen.findings),
        constants=program.constants,
        exponents=program.exponents,
        learning=learned.report if learned else None,
        stream=learned.stream if learned else None,
        request=_asked(request, program, chosen),
    )


def _asked(request: Request, program: Program, chosen: Chosen) -> dict[str, Any]:
    """Return all that was asked for but where it goes and how it was written; see `report.asked`."""
    options = asdict(request)
    for name in ("output", "command"):
        del options[name]
    thresholds = options.pop("thresholds")
    options["learn"] = options.pop("plasticity")
    if request.plasticity is None:
        options["learn_samples"] = None  # its default was not asked for
    seed = request.plasticity.seed if request.plasticity else None
    return report.asked(options | thresholds, request.model, program.profile, chosen.data.x, chosen.data.y, seed)


def _not_compared(backend: str) -> Finding:
    """Return what a result says until the comparison with a backend has ended."""
    message = f"the comparison with {backend} that was asked for has not ended: nothing here was verified"
    return Finding("not-verified", "verify", message, hint="run the same command again", severity="warning")


def _write_report(facts: report.Facts, series: dict[str, Any], watch: Stopwatch, folder: Path) -> dict[str, Any]:
    """Write the report's files; return the summary."""
    summary = report.summarise(facts)
    summary["seconds"] = {name: round(seconds, 4) for name, seconds in watch.seconds.items()}
    report.write_files(summary, facts.placed, series, folder)
    return summary


def read_summary(folder: Path) -> dict[str, Any]:
    """Read summary.json of a finished compile."""
    return report.read_summary(folder)


def render_report(folder: Path) -> str:
    """Return report.html of a finished compile anew."""
    return report.render_again(folder)


def compare_runs(folders: Sequence[Path]) -> dict[str, Any]:
    """Put finished compiles side by side; a summary whose values are of the wrong kind is refused by its name."""
    summaries = [report.read_summary(folder) for folder in folders]
    for folder, summary in zip(folders, summaries, strict=True):
        _check_summary(folder, summary)
    return report.compare(folders, summaries)


def _check_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Compare a summary with itself: what breaks there is its own."""
    try:
        report.render_comparison(report.compare([folder, folder], [summary, summary]))
    except report.DAMAGE as error:
        raise InputError(f"{folder / 'summary.json'} is damaged: {type(error).__name__} {error!s:.200}") from None


def render_comparison(comparison: dict[str, Any]) -> str:
    """Return a comparison as one HTML file."""
    return report.render_comparison(comparison)


def count_or_all(text: str) -> int | None:
    """Read a number of samples, or 'all', which is None."""
    if text == ALL:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        raise InputError(f"--samples is '{text:.60}'", "give a number from 1, or all")
    return int(text)


def task_for(name: str, data: Path | None, layout: str | None = None) -> Task:
    """Load a task's data; the split's seed is always 0."""
    return load_task(name, data, layout=layout)


def plasticity_for(model: Path, dt: float | None, rule: str, **wanted: Any) -> Plasticity:
    """Return the plasticity asked for: the default or, with rule 'described', the model's own, and what is given."""
    base = Plasticity()
    if rule == "described":
        stored = read_model(model, dt).extra.get("plasticity")
        if stored is None:
            raise InputError(f"{model} describes no plasticity", "name a rule, as --learn hybrid")
        try:
            base = Plasticity.from_dict(stored)
        except InputError as error:
            raise InputError(f"{model}: {error.message}", error.hint) from None
        rule = base.rule
    if isinstance(wanted.get("synapses"), str):
        wanted["synapses"] = tuple(part.strip() for part in wanted["synapses"].split(","))
    return replace(base, rule=rule, **{name: value for name, value in wanted.items() if value is not None})


def default_output(model: Path) -> Path:
    """Return out/NAME for a model NAME.pt; where the result of another model lies, it stays there."""
    folder = Path("out") / model.stem
    try:
        other = read_json(folder / "summary.json")["model"]
    except (InputError, LookupError, TypeError):  # none, or none that says whose it is; `folder.reserved` looks on
        return folder
    if isinstance(other, str) and not _is_same_file(Path(other), model):
        hint = f"name another folder, as -o out/{model.absolute().parent.name}-{model.stem}"
        raise InputError(f"{folder} holds the result of {other}, not of {model}", hint)
    return folder


def _is_same_file(left: Path, right: Path) -> bool:
    with suppress(OSError, RuntimeError, ValueError):  # a loop of links, a name that none can have
        return left.resolve() == right.resolve()
    return False


def check_file(file: Path | None) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} to write {file.name} into")
    if file.is_dir():
        raise InputError(f"{file} is a folder", f"give a file, as {file / 'model.pt'}")
    check_place(file)


@contextmanager
def training_place(model: Path, restart: bool) -> Iterator[Path]:
    """Hold a model's file for one training; give where an interrupted one is kept, forgotten with ``restart``."""
    resume_file = model.with_name(model.name + ".resume")
    with alone(model) as locked:
        if locked:
            sweep(model)
            sweep(resume_file)
        if restart:
            resume_file.unlink(missing_ok=True)
        yield resume_file


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; one of ours in a finished folder stays ours."""
    write(path, text)
    adopt(path)


def _learn(
    program: Program, request: Request, stage: Stage, advance: Callable[[int], None], watch: Stopwatch
) -> tuple[Learned, Chosen]:
    """Learn on the stream; return what came out, and what it was measured on before and after."""
    assert request.plasticity is not None
    given = to_learn(program, request.wanted)
    stream = given.stream.data
    _check_room_to_learn(program, stream, request.learn_samples)
    order = np.arange(len(stream))
    if request.input is None or given.stream.split:  # a split comes patient by patient, or class by class
        order = np.random.default_rng(request.plasticity.seed).permutation(len(stream))
    order = np.resize(order, request.learn_samples)
    stream = stream.take(order)
    stage("learn (kernels are compiled on the first run)", len(stream))
    file = _learned_file(request)
    sweep(file)
    tests = {name: test.data for name, test in given.tests.items()}
    key = learning_key(program, request.plasticity, stream, tests)
    with watch.stage("learn"):
        learned = load_learned(file, key, program, stream)
        if learned is None:
            learned = learn(program, request.plasticity, stream, tests, advance)
            save_learned(learned, file, key)
    kept.say("learned", f"what was learned is kept in {file}: the same command goes on after it")
    verified = None
    if request.verify == "lava":
        stage("verify the learning of the first samples on lava", None)
        with watch.stage("verify learning"):
            placement = str(learned.report["placement"])
            verified = lessons(program, request.plasticity, stream, placement, request.lava_timeout)
    program = note_learnt(learned.program, given.stream.hashes[order], stream.x.shape[1])
    facts = {**learned.report, "stream": given.stream.origin, "verify": verified}
    return replace(learned, program=program, report=facts), given.main.first(request.samples)


def _check_room_to_learn(program: Program, stream: Dataset, samples: int) -> None:
    """Refuse a stream of more samples than this machine holds: as they are, encoded, and what the block reads."""
    _, steps, channels = stream.x.shape
    widest = max(node.neurons for node in program.graph.nodes.values())
    size = samples * steps * (stream.x.itemsize * channels + 2 * WORD_BYTES * widest)
    check_available(f"{samples:,} samples of {steps:,} steps to learn from", size, "give fewer --learn-samples")


def _learned_file(request: Request) -> Path:
    return request.output.with_name(request.output.name + ".learned")


def _forget(request: Request, shards: Shards | None) -> None:
    """Remove what was kept for another try: the folder is written."""
    if shards is not None:
        shards.forget()
    if request.plasticity:
        _learned_file(request).unlink(missing_ok=True)
    kept.forget("shards")
    kept.forget("learned")


def _shards(program: Program, raw: Array, request: Request) -> Shards | None:
    """Return where the parts of a long run are kept until the folder is written; None for a run of one part."""
    size = _shard_size(raw, request)
    if request.verify or (len(raw) <= size and request.backend != "lava"):
        return None
    key = run_key((program.graph, program.reference), raw, request.backend, LAYOUT, str(size))
    return Shards(request.output.with_name(request.output.name + ".resume"), key)


def _shard_size(raw: Array, request: Request) -> int:
    """Return how many samples a shard has; a run on Lava is one."""
    return len(raw) if request.backend == "lava" else min(SHARD, max(1, SHARD_STEPS // max(1, raw.shape[1])))


def _run(
    program: Program,
    raw: Array,
    request: Request,
    watch: Stopwatch,
    advance: Callable[[int], None],
    shards: Shards | None,
) -> Ran:
    """Run the integers and the float law; a run with shards can be interrupted and goes on where it was."""
    if shards is None:
        return _run_part(program, raw, request, watch, advance)
    agreement, counted, records, floats = Agreement(), Activity(), [], []
    size = _shard_size(raw, request)
    starts = range(0, len(raw), size)
    for index, first in enumerate(starts):
        part = raw[first : first + size]
        done = _parsed(shards.load(index))
        if done is None:
            arrays = _to_arrays(*_run_part(program, part, request, watch, advance))
            shards.save(index, arrays)
            done = _parsed(arrays)
            assert done is not None
        else:
            advance(len(part))
        goes_on = "run the same command again to go on"
        kept.say("shards", f"{index + 1} of {len(starts)} shards are kept in {shards.folder}: {goes_on}")
        record, reference, agreed, did = done
        records.append(record)
        floats.append(reference)
        counted += did
        for layer, row in agreed.sums.items():
            agreement.add_sums(layer, row)
    return merge(records), merge(floats), agreement, counted


def _to_arrays(record: RunRecord, reference: RunRecord, agreement: Agreement, counted: Activity) -> dict[str, Array]:
    sums = {f"agreement/{layer}": np.array(row) for layer, row in agreement.sums.items()}
    return (
        to_arrays(record, "integer") | to_arrays(reference, "float") | sums | {"activity": np.array(astuple(counted))}
    )


def _parsed(arrays: dict[str, Array] | None) -> Ran | None:
    """Return what `_to_arrays` took apart; None where it is damaged."""
    if arrays is None:
        return None
    try:
        sums = {key.removeprefix("agreement/"): row.tolist() for key, row in arrays.items() if "agreement/" in key}
        counted = Activity(*arrays["activity"].tolist())
        return from_arrays(arrays, "integer"), from_arrays(arrays, "float"), Agreement(sums), counted
    except (LookupError, TypeError, ValueError):
        return None


def _run_part(
    program: Program, raw: Array, request: Request, watch: Stopwatch, advance: Callable[[int], None]
) -> Ran:
    """Run as many samples at a time as memory allows; keep everything only where a verification needs it."""
    graph, probed = program.graph, compared(program.graph)
    agreement, counted = Agreement(), Activity()
    records: list[RunRecord] = []
    floats: list[RunRecord] = []
    if request.verify:
        check_kept(graph, 2 * len(raw), raw.shape[1])
    lava = request.backend == "lava"
    batch = len(raw) if lava else samples_at_once(graph, probed, min(len(raw), BATCH), raw.shape[1])
    for first in range(0, len(raw), batch):
        part = raw[first : first + batch]
        with watch.stage("float reference"):
            reference = program.run_float(part, probed)
        counter = ActivityCounter(graph, raw.shape[1])
        with watch.stage("simulate"):
            probe = bool(request.verify) or probed
            limit = request.lava_timeout
            record = program.run(part, backend=request.backend, probe=probe, watch=counter, time_limit=limit)
            if lava:
                record = replace(record, layers=count_messages(graph, record.probes, record.steps))
        agreement.add(graph, reference, record)
        counted += activity(graph, record) if lava else counter.counted
        records = [merge([*records, record if request.verify else replace(record, probes={})])]
        floats = [merge([*floats, replace(reference, probes={})])]
        advance(len(part))
    return records[0], floats[0], agreement, counted


def _arranged(program: Program, record: RunRecord, request: Request) -> PlacedGraph:
    """Place the cores for the messages that were measured; with an objective, choose among placements."""
    placed = arrange(program.placed, program.profile, traffic=record)
    if request.optimise is None:
        return placed
    most = request.thresholds.max_cores
    return optimise(placed, record, program.profile, request.optimise, max_cores=most)


def _first_sample(program: Program, raw: Array, request: Request) -> RunRecord:
    """Run the first sample once more, probed, for the report's raster; Lava's integers are the reference's."""
    backend = "reference" if request.backend == "lava" else request.backend
    shown = [f"{name}.message" for name in program.graph.nodes]
    return program.run(raw[:1, : report.RASTER_STEPS], backend=backend, probe=shown)


def _write_nir(program: Program, path: Path) -> None:
    from ..nir_bridge import write_nir

    write_nir(program.reference, path)


def _check_backends(request: Request) -> None:
    """Refuse, before any work, a backend that is not installed or cannot answer."""
    if "lava" not in (request.backend, request.verify):
        return
    check_installed()
    if request.thresholds.strict and request.backend == "lava":
        raise InputError("--strict counts saturated words, which Lava does not tell", "use --backend reference")

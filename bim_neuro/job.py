"""One bim-compile: from a request to a finished folder, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from . import report
from .atomic import replacing
from .compilers.artefact import save_artefact
from .compilers.design_rules import check
from .compilers.place import place
from .compilers.to_lava.compat import how_to_install, lava_available
from .engine.agreement import Agreement
from .engine.counting import count_messages
from .engine.shards import Shards, from_arrays, run_key, to_arrays
from .errors import BackendMissing, DoesNotFit, Finding, InputError
from .hardware import load_profile
from .nodes.arithmetic import Array
from .pipeline import Program, Stopwatch, compile_model, verify, with_steps
from .record import RunRecord, merge
from .tasks import Dataset, Task, load_task, read_sequences

BATCH = 64
SHARD = 2048  # samples; a longer run leaves its finished shards beside the output until it is complete
ARTEFACT_SAMPLES = 4
OUTPUT_FILES = {"model.bimn", "model.nir", *report.FILES}
"""What a finished folder holds; a folder that holds anything else is never replaced."""


@dataclass(frozen=True)
class Request:
    """What bim-compile was asked for."""

    model: Path
    target: str
    dt: float | None
    input: Path | None
    data: Path | None
    samples: int
    steps: int | None
    backend: str
    verify: str | None
    strict: bool
    min_agreement: float | None
    max_energy_uj: float | None
    output: Path
    lava_timeout: float | None
    command: str


@dataclass(frozen=True)
class Outcome:
    """The summary that was written, and which thresholds were missed."""

    summary: dict[str, Any]
    missed: tuple[str, ...]


Stage = Callable[[str, int | None], None]


def compile_to_folder(request: Request, *, stage: Stage, advance: Callable[[int], None]) -> Outcome:
    """Compile, run, verify, price; write the folder; return what it says."""
    _check_output(request.output)
    _check_backends(request)
    watch = Stopwatch()
    program = compile_model(request.model, request.target, dt=request.dt, watch=watch)
    with watch.stage("input"):
        raw, y, origin = _input(request, program)
    if request.backend == "engine":
        from .engine.compiled import load_kernels

        stage("load kernels (compiled on the first run)", None)
        with watch.stage("kernels"):
            load_kernels()
    stage("simulate", len(raw))
    record, floats, agreement = _run(program, raw, request, watch, advance)
    verification = None
    if request.verify:
        stage(f"verify on {request.verify}", None)
        with watch.stage("verify"):
            other = program.run(raw, backend=request.verify, probe=True, time_limit=request.lava_timeout)
            verification = verify(record, other)
    stage("report", None)
    with watch.stage("price"):
        facts = report.Facts(
            model=str(request.model),
            input=origin,
            command=request.command,
            placed=program.placed,
            profile=program.profile,
            assumptions=program.assumptions,
            record=record,
            floats=floats,
            agreement=agreement,
            y=y,
            verification=verification,
        )
        summary = report.summarise(facts)
    with _folder(request.output) as folder:
        with watch.stage("artefact"):
            save_artefact(program.artefact(raw[:ARTEFACT_SAMPLES]), folder / "model.bimn")
        with watch.stage("nir"):
            _write_nir(program, folder / "model.nir")
        summary["seconds"] = {name: round(seconds, 4) for name, seconds in watch.seconds.items()}
        report.write_files(summary, program.placed, folder)
    return Outcome(summary, _missed(summary, request))


def check_model(model: Path, target: str, dt: float | None) -> dict[str, Any]:
    """Apply the design rules only; every finding, whether the model fits, and how many cores it would take."""
    profile = load_profile(target)
    cores = {"used": 0, "limit": profile.usable_cores}
    try:
        program = compile_model(model, target, dt=dt)
        findings: tuple[Finding, ...] = check(program.graph, profile)
        cores["used"] = len({core.index for core in place(program.graph, profile).cores})
    except DoesNotFit as error:
        findings = error.findings
    return {
        "model": str(model),
        "target": profile.name,
        "fits": not findings,
        "cores": cores,
        "findings": [asdict(finding) for finding in findings],
    }


def read_summary(folder: Path) -> dict[str, Any]:
    """Read summary.json of a finished compile."""
    return report.read_summary(folder)


def task_for(name: str, data: Path | None) -> Task:
    """Load a task's data; the split's seed is always 0."""
    return load_task(name, data)


def check_file(file: Path | None) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} to write {file.name} into")
    if file.is_dir():
        raise InputError(f"{file} is a folder", f"give a file, as {file / 'model.pt'}")


def resume_file_for(model: Path, restart: bool) -> Path:
    """Return where an interrupted training of ``model`` is kept; forget it with ``restart``."""
    file = model.with_name(model.name + ".resume")
    if restart:
        file.unlink(missing_ok=True)
    return file


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically."""
    with replacing(path) as temporary:
        temporary.write_text(text)


def _input(request: Request, program: Program) -> tuple[Array, Array | None, str]:
    """Return raw sequences, labels if known, and where they come from."""
    if request.input is not None:
        given, origin = read_sequences(request.input), str(request.input)
    else:
        if program.graph.task == "own":
            raise InputError("this model has no task with data of its own", "give --input FILE.npz")
        given = task_for(program.graph.task, request.data).split("test")
        origin = f"{program.graph.task}, test split"
    chosen = given.take(slice(request.samples))
    return with_steps(chosen.x, request.steps), _labels(chosen, program), origin


def _labels(data: Dataset, program: Program) -> Array | None:
    classes = program.graph.nodes[program.graph.output].neurons
    if data.y is not None and not (data.y.min() >= 0 and data.y.max() < classes):
        raise InputError(f"labels run from {data.y.min()} to {data.y.max()}, the model has {classes} classes")
    return data.y


def _run(
    program: Program, raw: Array, request: Request, watch: Stopwatch, advance: Callable[[int], None]
) -> tuple[RunRecord, RunRecord, Agreement]:
    """Run the integers and the float law; a run longer than a shard can be interrupted and goes on where it was."""
    if len(raw) <= SHARD or request.verify or request.backend == "lava":
        return _run_part(program, raw, request, watch, advance)
    key = run_key((program.graph, program.reference), raw, request.backend)
    shards = Shards(request.output.with_name(request.output.name + ".resume"), key)
    agreement, records, floats = Agreement(), [], []
    for index, first in enumerate(range(0, len(raw), SHARD)):
        done = shards.load(index)
        if done is None:
            record, reference, part = _run_part(program, raw[first : first + SHARD], request, watch, advance)
            sums = {f"agreement/{layer}": np.array(row) for layer, row in part.sums.items()}
            done = to_arrays(record, "integer") | to_arrays(reference, "float") | sums
            shards.save(index, done)
        else:
            advance(len(raw[first : first + SHARD]))
        records.append(from_arrays(done, "integer"))
        floats.append(from_arrays(done, "float"))
        for key, row in done.items():
            if key.startswith("agreement/"):
                agreement.add_sums(key.removeprefix("agreement/"), row.tolist())
    shards.forget()
    return merge(records), merge(floats), agreement


def _run_part(
    program: Program, raw: Array, request: Request, watch: Stopwatch, advance: Callable[[int], None]
) -> tuple[RunRecord, RunRecord, Agreement]:
    """Run batch by batch; keep probes only where a verification needs them."""
    agreement, records, floats = Agreement(), [], []
    whole = request.backend == "lava"
    for first in range(0, len(raw), len(raw) if whole else BATCH):
        part = raw[first : first + (len(raw) if whole else BATCH)]
        with watch.stage("simulate"):
            record = program.run(part, backend=request.backend, probe=True, time_limit=request.lava_timeout)
            if whole:
                record = replace(record, layers=count_messages(program.graph, record.probes, record.steps))
        with watch.stage("float reference"):
            reference = program.run_float(part)
            agreement.add(program.graph, reference, record)
        records.append(record if request.verify else replace(record, probes={}))
        floats.append(replace(reference, probes={}))
        advance(len(part))
    return merge(records), merge(floats), agreement


def _missed(summary: dict[str, Any], request: Request) -> tuple[str, ...]:
    """Say which thresholds were missed: the verification, --strict, --min-agreement, --max-energy."""
    missed = []
    check_result = summary["verify"]
    if check_result:
        for kind, total, equal in (("spike slots", "spike_slots", "equal"), ("states", "states", "states_equal")):
            if check_result[equal] != check_result[total]:
                different = check_result[total] - check_result[equal]
                missed.append(f"{request.verify} differs in {different} of {check_result[total]} {kind}")
    if request.strict:
        missed += [
            f"strict: layer '{layer['name']}' saturated {layer['saturations']} words"
            for layer in summary["layers"]
            if layer["saturations"]
        ]
    if request.min_agreement is not None:
        missed += [
            f"layer '{row['layer']}' equals float in {row['share']:.4f} of its slots, wanted {request.min_agreement}"
            for row in summary["agreement"]
            if not row["share"] >= request.min_agreement
        ]
    if request.max_energy_uj is not None:
        dynamic = summary["energy"]["dynamic"]["value"]
        if dynamic is None:
            missed.append(
                f"{summary['target']} has no energy prices, --max-energy {request.max_energy_uj} is not shown"
            )
        elif not dynamic <= request.max_energy_uj * 1e6:
            missed.append(f"{dynamic / 1e6:.3g} uJ dynamic energy a sample, wanted at most {request.max_energy_uj}")
    return tuple(missed)


def _write_nir(program: Program, path: Path) -> None:
    from .nir_bridge import write_nir

    write_nir(program.reference, path)


def _check_output(output: Path) -> None:
    """Refuse, before any work, a folder that cannot be written or that holds what we did not write."""
    hint = "choose another folder with -o"
    if output.is_dir():
        strange = sorted({entry.name for entry in output.iterdir()} - OUTPUT_FILES)
        if strange:
            raise InputError(f"{output} holds '{strange[0]}', which bim-compile did not write", hint)
        if output.samefile(Path.cwd()):
            raise InputError(f"{output} is the current folder and cannot be replaced", hint)
    elif output.exists():
        raise InputError(f"{output} exists and is not a folder", hint)
    beside = next(parent for parent in output.absolute().parents if parent.exists())
    try:
        with tempfile.TemporaryDirectory(dir=beside, prefix=f".{output.name}."):
            pass
    except OSError as error:
        raise InputError(f"cannot write into {beside}: {error.strerror}", hint) from None


def _check_backends(request: Request) -> None:
    """Refuse, before any work, a backend that is not installed or cannot answer."""
    if "lava" not in (request.backend, request.verify):
        return
    available, reason = lava_available()
    if not available:
        raise BackendMissing(f"the lava backend is not installed here: {reason}", how_to_install())
    if request.strict and request.backend == "lava":
        raise InputError("--strict counts saturated words, which Lava does not tell", "use --backend reference")


@contextmanager
def _folder(output: Path) -> Iterator[Path]:
    """Give a folder beside ``output`` to fill, and swap it in when all went well; else the former stays."""
    output = output.resolve()
    output.parent.mkdir(parents=True, exist_ok=True)
    stage = Path(tempfile.mkdtemp(dir=output.parent, prefix=f".{output.name}."))
    fresh, former = stage / "fresh", stage / "former"
    try:
        fresh.mkdir()
        yield fresh
        if output.exists():
            output.replace(former)
        fresh.replace(output)
    except OSError as error:
        raise InputError(f"cannot write {output}: {error.strerror or error}") from None
    finally:
        if former.exists() and not output.exists():
            former.replace(output)
        shutil.rmtree(stage, ignore_errors=True)

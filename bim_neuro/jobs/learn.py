"""One on-chip learning run: a program learns new integer weights from a stream of labelled samples.

No float weights are used; the float graph of the result is computed from the learnt integers afterwards, so that it can
be saved and compiled again.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..atomic import write
from ..compilers.placement.place import place
from ..compilers.plasticity.block import plastic_block, real_weights
from ..compilers.plasticity.circuit import engine_learner
from ..compilers.plasticity.trace_placement import LearningPlacement, choose
from ..compilers.to_lava.plasticity.lessons import verify_learning
from ..errors import InputError
from ..estimates.terms import Term, left_out, total, weakest
from ..graph import FloatGraph, IntegerGraph
from ..hardware import HardwareProfile
from ..intake import read_npz
from ..nodes import InputSeen
from ..nodes.arithmetic import Array
from ..pack import pack, unpack
from ..plasticity.learning_engine.learner import EngineLearner
from ..plasticity.record import LearnRecord
from ..plasticity.replay import learn_with_replay, learnt_in_all, with_replay
from ..plasticity.request import Plasticity
from ..plasticity.trace_process.block import PlasticBlock
from ..plasticity.trace_process.learner import WARM_UP, TraceLearner
from ..program import Program
from ..simulation.compiled import Engine
from ..tasks import Dataset
from .chosen import classes_of, classes_of_stream
from .shards import run_key

CALIBRATION = 16
"""Samples of the stream whose largest traces set the units of the traces."""
CURVE = 10
_SIGNALS = {
    "tags": "The readout's error neuron compares its value with a target while it hears the sample, and sends the "
    "error as the trace y3 = error + 64: a trace has no sign. Host or embedded core sends target and gate; synapses "
    "with the readout's weights as they were at first carry the error back. A silent gap lets traces decay, and "
    "channels held in it empty their tags. What a chip's neuron may send as y3 is not published.",
    "neurons": "Host or embedded core turns the summed readout into the error of each class, once a sample; the "
    "feedback synapses hold a copy of the readout's weights, which is written anew after each update.",
    "host": "Every signal of every step leaves the chip and every weight comes back; none of that traffic is priced.",
}
_REPLAY = " The host keeps the samples that are replayed; their memory and their traffic are not priced."


@dataclass(frozen=True)
class Learned:
    """The program with its learnt weights, and the run's entry in summary.json."""

    program: Program
    report: dict[str, Any]
    stream: InputSeen  # the learning input, as the encoder saw it


def learn(
    program: Program,
    plasticity: Plasticity,
    stream: Dataset,
    tests: Mapping[str, Dataset],
    progress: Callable[[int], None] | None = None,
) -> Learned:
    """Learn on the stream, sample by sample; accuracy is measured on each of ``tests`` before and after.

    Raises InputError for a stream without labels, DoesNotFit where the placement asked for is impossible.
    """
    _check_arguments(program, plasticity, stream, tests)
    y = classes_of_stream(stream)
    encoded, seen = program.encode_and_see(stream.x)
    below = _below(program, encoded)
    block, where, learner = _prepared(program, plasticity, below, y)
    before = {name: integer_accuracy(block.graph, program, test) for name, test in tests.items()}
    record = learn_with_replay(learner, below, y, plasticity, progress)
    graph = learner.graph()
    after = {name: integer_accuracy(graph, program, test) for name, test in tests.items()}
    reference = _described(real_weights(program.reference, learner.weights, plasticity), block, plasticity)
    placed = place(graph, program.profile)
    units: dict[str, Any] = {"exponents": block.exponents, "state_units": block.state_units}
    learnt = replace(program, reference=reference, placed=placed, **units)
    return Learned(
        learnt,
        {
            "rule": plasticity.rule,
            "plasticity": plasticity.as_dict(),
            "placement": where.where,
            "placement_reasons": [finding.message for finding in where.reasons],
            "learning_signal": _SIGNALS[where.where] + (_REPLAY if plasticity.replay else ""),
            "samples": len(stream.x),
            **_accuracies(before, after),
            "accuracy_during": float(record.correct.mean()),
            "curve": _curve(record),
            **_counts(block, record, learner.weights),
            "rates": {name: {**asdict(rate), "error": rate.error} for name, rate in learner.rates.items()},
            "trace_words": where.words,
            "trace_bits": where.bits,
            "trace_cores": where.cores,
            **_energy(where, record, program.profile, encoded.shape[1], len(stream.x), plasticity.replay),
        },
        seen,
    )


def _check_arguments(program: Program, plasticity: Plasticity, stream: Dataset, tests: Mapping[str, Dataset]) -> None:
    arguments.instance(program, Program, "program")
    arguments.instance(plasticity, Plasticity, "plasticity")
    arguments.instance(stream, Dataset, "stream")
    if not arguments.instance(tests, Mapping, "tests"):  # type: ignore[type-abstract]
        raise InputError("tests is empty: accuracy cannot be measured", "give at least {'the stream': stream}")
    for name, test in tests.items():
        arguments.instance(test, Dataset, f"tests[{name!r}]")


def _accuracies(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, Any]:
    """Return the accuracy on the first test, and on the others how much of the old task was kept."""
    main, *others = before
    old = others[0] if others else None  # the task it was trained on, where it was measured on new data
    return {
        "measured_on": main,
        "accuracy_before": before[main],
        "accuracy_after": after[main],
        "old_before": before[old] if old else None,
        "old_after": after[old] if old else None,
        "forgotten": before[old] - after[old] if old else None,
        "others": {name: {"before": before[name], "after": after[name]} for name in others},
    }


def lessons(
    program: Program, plasticity: Plasticity, stream: Dataset, placement: str, time_limit: float | None = None
) -> dict[str, Any]:
    """Learn from the first samples again, here and on Lava; return how many values were compared and are equal.

    ``program`` is the one before learning; its rates are chosen on the same samples as in `learn`, and so are the same.
    What is replayed between the samples comes in its place.
    """
    if placement == "host":
        left_out = "learning with traces in the host's memory has no counterpart on Lava"
        return {"backend": "lava", "samples": 0, "synapses": "", "rows": [], "left_out": left_out}
    first = stream.take(slice(WARM_UP))
    y = classes_of_stream(first)
    below = _below(program, program.encode(first.x))
    block = plastic_block(program.reference, plasticity, below[:CALIBRATION])
    order = with_replay(y, plasticity.replay, plasticity.seed).order  # how the whole stream begins, too
    if placement == "tags":
        engine = engine_learner(program.reference, block, program.profile, below, y, mode="lava")
        return verify_learning(engine, below[order], y[order], time_limit=time_limit)
    learner = TraceLearner(block)
    learner.prepare(below, y)
    return verify_learning(learner, below[order], y[order], time_limit=time_limit)


def learning_key(program: Program, plasticity: Plasticity, stream: Dataset, tests: Mapping[str, Dataset]) -> str:
    """Return the key of a learning run: program, chip, rule, stream, tests and version."""
    digest = hashlib.sha256(repr((plasticity, asdict(program.profile), list(tests))).encode())
    for data in (stream, *tests.values()):
        for array in (data.x, data.y):
            digest.update(b"" if array is None else np.ascontiguousarray(array).tobytes())
    return run_key((program.graph, program.reference), stream.x[:0], digest.hexdigest())


def save_learned(learned: Learned, path: Path, key: str) -> None:
    """Keep a learnt program on disk, so that an interrupted command need not learn again."""
    units = {"exponents": learned.program.exponents, "state_units": learned.program.state_units}
    header: dict[str, Any] = {"key": key, "report": learned.report, **units}
    content: dict[str, Array] = {}
    for name, graph in (("graph", learned.program.graph), ("reference", learned.program.reference)):
        header[name], arrays = pack(graph)
        content |= {f"{name}:{array}": value for array, value in arrays.items()}
    memory = io.BytesIO()
    np.savez_compressed(memory, header=np.array(json.dumps(header)), **content)  # type: ignore[arg-type]
    write(path, memory.getbuffer())


def load_learned(path: Path, key: str, program: Program, stream: Dataset) -> Learned | None:
    """Return the program kept by the same run; None if there is none or it cannot be read."""
    if not path.is_file():
        return None
    try:
        content = read_npz(path)
        header: dict[str, Any] = json.loads(str(content["header"]))
        found, graphs = header["key"], {name: _unpacked(name, header, content) for name in ("graph", "reference")}
        saved, exponents = dict(header["report"]), {str(name): int(e) for name, e in header["exponents"].items()}
        units = {
            str(name): {str(key): float(e) for key, e in own.items()} for name, own in header["state_units"].items()
        }
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError, InputError):
        return None
    if found != key:
        hint = "use the same model, options and data, or delete that file to learn again"
        raise InputError(f"{path} belongs to another learning run: other model, options, data or version", hint)
    placed = place(graphs["graph"], program.profile)
    _, seen = program.encode_and_see(stream.x)
    learnt = replace(program, reference=graphs["reference"], placed=placed, exponents=exponents, state_units=units)
    return Learned(learnt, saved, seen)


def _unpacked(name: str, header: dict[str, Any], content: dict[str, Array]) -> Any:
    prefix = f"{name}:"
    return unpack(header[name], {k.removeprefix(prefix): v for k, v in content.items() if k.startswith(prefix)})


def would_learn(program: Program, plasticity: Plasticity, stream: Dataset) -> None:
    """Build everything without learning; raises whatever `learn` would raise."""
    few = stream.take(slice(max(CALIBRATION, WARM_UP)))
    y = classes_of_stream(few)
    _prepared(program, plasticity, _below(program, program.encode(few.x)), y)


def _prepared(
    program: Program, plasticity: Plasticity, below: Array, y: Array
) -> tuple[PlasticBlock, LearningPlacement, TraceLearner | EngineLearner]:
    """Return the block with headroom for learning, its trace placement, and the learner."""
    block = plastic_block(program.reference, plasticity, below[:CALIBRATION])
    where = choose(block, program.placed, plasticity, program.profile)
    if where.where != "tags":
        return block, where, TraceLearner(block)
    return block, where, engine_learner(program.reference, block, program.profile, below[:WARM_UP], y[:WARM_UP])


def integer_accuracy(graph: IntegerGraph, program: Program, data: Dataset) -> float:
    """Return the accuracy of the integer graph."""
    if data.y is None:
        raise InputError("samples without labels have no accuracy", "give y (samples,) in the .npz")
    y = classes_of(data)
    return float(np.mean(Engine(graph).run(program.encode(data.x)).predicted == y))


def _below(program: Program, encoded: Array) -> Array:
    """Return the input of the last block: the encoded input, or the spikes of the frozen blocks below it."""
    graph = program.graph
    scans = [name for name in graph.order if graph.nodes[name].kind == "scan"]
    if len(scans) < 2:
        return encoded
    reads = next(edge.source for edge in graph.into(scans[-1]) if edge.port == "dt")
    spikes = program.engine.run(encoded, probe=[f"{reads}.message"]).probes[f"{reads}.message"]
    return spikes[:, : encoded.shape[1]].astype(encoded.dtype)


def _curve(record: LearnRecord) -> list[float]:
    """Return the accuracy in each tenth of the stream."""
    return [float(part.mean()) for part in np.array_split(record.correct, min(CURVE, len(record.correct)))]


def _counts(block: PlasticBlock, record: LearnRecord, weights: dict[str, Array]) -> dict[str, Any]:
    targets = {e.name: e.target for e in block.graph.edges}
    sparsity = {group: float(np.mean(weight == 0)) for group, weight in weights.items()}
    groups = {
        group: {"layer": targets[block.edges[group]], "visited": visited, "changed": record.changed[group],
                "clipped": record.clipped[group], "sparsity": sparsity[group]}
        for group, visited in record.updates.items()
    }  # fmt: skip
    return {"updates": sum(record.updates.values()), "groups": groups, "saturated_trace_words": record.saturated}


def _energy(
    where: LearningPlacement, record: LearnRecord, profile: HardwareProfile, steps: int, samples: int, kept: int
) -> dict[str, Any]:
    """Return the energy of learning per new sample: synapses visited, and traces updated on every step."""
    visited, price = sum(record.updates.values()), profile.energy
    moved = where.words * steps * learnt_in_all(samples, kept) if where.where == "neurons" else 0
    passes = profile.passes_per_update.get("traces")
    terms = [
        Term("updates", "learning updates", visited, (price.learning_update_pj,)),
        Term("traces", "trace words", moved, (passes, price.update_pass_pj) if passes else ()),
    ]
    events = {term.event: asdict(term.over(samples)) for term in terms if term.count and term.priced}
    return {
        "energy_pj": asdict(total([term.over(samples) for term in terms])),
        "energy_events": events,
        "unpriced": list(left_out(terms)),
        "weakest_basis": weakest(terms),
    }


def _described(reference: FloatGraph, block: PlasticBlock, plasticity: Plasticity) -> FloatGraph:
    """Return the graph with notes for NIR metadata: the plasticity, and each plastic port by its node."""
    targets = {e.name: (e.target, e.port) for e in block.graph.edges}
    ports = {group: targets[block.edges[group]] for group in plasticity.synapses}
    nodes = {node: {"port": port, "synapses": group} for group, (node, port) in ports.items()}
    return reference.with_nodes(reference.nodes, plasticity=plasticity.as_dict(), plastic_nodes=nodes)

"""Build the summary that every report shows: the models define the keys, this module their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, cast

import numpy as np

from .._version import __version__
from ..compilers.constants import Constant
from ..errors import Finding
from ..estimates.dense_macs import break_even, dense_energy, dense_macs
from ..estimates.energy import EnergyReport, price
from ..estimates.latency import latency
from ..estimates.neurobench import Activity, neurobench
from ..graph import FloatGraph, IntegerGraph, PlacedGraph
from ..hardware import HardwareProfile
from ..nodes import InputSeen
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode, law_of
from ..nodes.synapses import WEIGHTED
from ..record import RunRecord
from ..simulation.agreement import Agreement
from . import models, running
from .answers import accuracy
from .findings import (
    clipped_input,
    costly_learning,
    saturated_output,
    silent_layers,
    silent_verification,
    unused_classes,
)


@dataclass(frozen=True)
class Facts:
    """Results of a compile: the placed program, its runs, and the request."""

    model: str
    input: str
    command: str
    placed: PlacedGraph
    profile: HardwareProfile
    optimise: str | None
    assumptions: tuple[str, ...]
    record: RunRecord
    floats: RunRecord
    agreement: Agreement
    activity: Activity
    y: Array | None
    verification: dict[str, Any] | None
    learning: dict[str, Any] | None = None
    findings: tuple[Finding, ...] = ()  # of the compiler
    constants: tuple[Constant, ...] = ()
    exponents: Mapping[str, float] = field(default_factory=dict)  # of each layer's message
    state_units: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # real values, by layer and state
    reference: FloatGraph | None = None  # the float law that ``floats`` ran
    request: dict[str, Any] = field(default_factory=dict)  # see `report.asked`
    sample_rate: float | None = None  # samples a second; None: that of the model's steps
    stream: InputSeen | None = None  # the learning input, as the encoder saw it
    sequences: dict[str, Any] = field(default_factory=dict)  # what `input` says in one phrase
    expect: models.Expect | None = None  # somebody else's run, beside this one
    head: str = "class"
    answers: dict[str, Any] | None = None  # figures of another head


def summarise(facts: Facts) -> models.Summary:
    """Return summary.json; ``seconds`` is filled by the caller."""
    graph, record = facts.placed.graph, facts.record
    agreement = tuple(models.made(models.Agreement, row) for row in facts.agreement.rows(facts.exponents))
    time = latency(facts.placed, record, facts.profile)
    energy = price(facts.placed, record, facts.profile, time)
    learning = _learning(facts, energy)
    verification = facts.verification
    verify = models.made(models.Verification, verification) if verification else None
    return models.Summary(
        schema_version=models.VERSION,
        bim_neuro=__version__,
        command=facts.command,
        request=models.made(models.Asked, facts.request),
        model=facts.model,
        task=graph.task,
        input=facts.input,
        sequences=models.made(models.Sequences, facts.sequences),
        target=facts.profile.name,
        backend=cast(models.Backend, record.backend),
        dt=graph.dt,
        samples=record.samples,
        steps=record.steps,
        period=record.period,
        latency_steps=graph.latency,
        optimise=cast(models.Objective | None, facts.optimise),
        assumptions=facts.assumptions,
        findings=tuple(map(_finding, _findings(facts, agreement, verify, learning))),
        constants=tuple(map(_constant, facts.constants)),
        encoder=_encoder(graph, record.seen),
        cores=_cores(facts.placed, facts.profile),
        placement=_placement(facts.placed),
        layers=tuple(_layer(name, facts, energy) for name in graph.order if name != graph.source),
        latency=models.made(models.Latency, running.latency_values(time)),
        energy=models.made(models.Energy, {"unit": "pJ per sample", **asdict(energy)}),
        dense=_dense(graph, record.steps, energy),
        neurobench=models.made(models.NeuroBench, neurobench(graph, facts.activity, record.samples, record.steps)),
        accuracy=accuracy(facts.y, facts.floats, record, graph.labels),
        answers=models.made(models.Answers, facts.answers) if facts.answers else None,
        agreement=agreement,
        verify=verify,
        learning=learning,
        judge=_judges(graph),
        seconds={},
        expect=facts.expect,
        **running.at_rate(facts.placed, record, facts.profile, time, energy, facts.sample_rate),
    )


def known(
    placed: PlacedGraph,
    profile: HardwareProfile,
    assumptions: tuple[str, ...],
    findings: tuple[Finding, ...],
    constants: tuple[Constant, ...],
) -> dict[str, Any]:
    """Return the part of summary.json that needs no run, under the same keys."""
    graph = placed.graph
    found: dict[str, Any] = {
        "schema_version": models.VERSION,
        "bim_neuro": __version__,
        "task": graph.task,
        "target": profile.name,
        "dt": graph.dt,
        "latency_steps": graph.latency,
        "assumptions": assumptions,
        "findings": tuple(map(_finding, findings)),
        "constants": tuple(map(_constant, constants)),
        "encoder": _encoder(graph, None),
        "cores": _cores(placed, profile),
        "placement": _placement(placed),
        "layers": [_built(name, placed) for name in graph.order if name != graph.source],
        "judge": _judges(graph),
    }
    return dict(models.plain(found))


def _finding(finding: Finding) -> models.Finding:
    return models.made(models.Finding, asdict(finding))


def _constant(constant: Constant) -> models.Constant:
    return models.made(models.Constant, asdict(constant))


def _cores(placed: PlacedGraph, profile: HardwareProfile) -> models.Cores:
    return models.Cores(used=len({core.index for core in placed.cores}), limit=profile.usable_cores)


def _placement(placed: PlacedGraph) -> models.Placement | None:
    if placed.placement is None:
        return None
    values = asdict(placed.placement)
    cuts = {layer: models.made(models.MapCut, cut) for layer, cut in values["cuts"].items()}
    return models.made(models.Placement, {**values, "cuts": cuts or None})


def _judges(graph: IntegerGraph) -> dict[str, models.Judge]:
    return {name: _judge(node) for name, node in graph.nodes.items()}


def _judge(node: IntegerNode) -> models.Judge:
    return "lava" if node.lava_process else "own"


def _findings(
    facts: Facts,
    agreement: Sequence[models.Agreement],
    verify: models.Verification | None,
    learning: models.Learning | None,
) -> Iterator[Finding]:
    """Yield the findings of the compiler, then of the run, input first."""
    graph, record = facts.placed.graph, facts.record
    yield from facts.findings
    yield from clipped_input(graph.encoder, facts.stream, graph.source, "learning stream")
    yield from clipped_input(graph.encoder, record.seen, graph.source)
    yield from silent_layers(graph, agreement)
    yield from saturated_output(graph, record)
    if facts.head == "class":
        yield from unused_classes(graph, facts.floats.predicted, record.predicted, facts.y)
    yield from silent_verification(verify)
    yield from costly_learning(learning)


def _encoder(graph: IntegerGraph, seen: InputSeen | None) -> models.Encoder:
    """Return the input scale that a model expects, and the actual input, one value per raw channel."""
    encoder = graph.encoder
    low, high = encoder.reach
    graded, delta = encoder.kind != "delta", encoder.kind == "delta"
    return models.made(
        models.Encoder,
        {
            "kind": encoder.kind,
            "low": low.tolist() if graded else None,
            "high": high.tolist() if graded else None,
            "step": encoder.raw(1).tolist() if delta else None,
            "gain": encoder.gain.tolist(),
            "offset": encoder.offset.tolist(),
            "values": seen.values if seen else None,
            "clipped": seen.clipped.tolist() if seen else None,
            "seen_low": seen.low.tolist() if seen else None,
            "seen_high": seen.high.tolist() if seen else None,
            "shape": _map_shape(graph, graph.source),
        },
    )


def _built(name: str, placed: PlacedGraph) -> dict[str, Any]:
    """Return what is known of a layer without a run."""
    graph, node = placed.graph, placed.graph.nodes[name]
    of_maps_and_cores = {"shape": _map_shape(graph, name), "list_words": _list_words(name, placed)}
    return {
        "name": name,
        "kind": node.kind,
        "judge": _judge(node),
        "law": law_of(node),
        "neurons": node.neurons,
        "synapses": sum(edge.synapse.count for edge in graph.into(name)),
        "weight_sparsity": _weight_sparsity(graph, name),
        "message_bits": node.message_bits,
        "cores": len(placed.cores_of(name)),
        **{key: value for key, value in of_maps_and_cores.items() if value is not None},
    }


def _map_shape(graph: IntegerGraph, name: str) -> tuple[int, ...] | None:
    """Return the shape of a feature map, None of any other layer."""
    shape = graph.shape(name)
    return shape if len(shape) > 1 else None


def _list_words(name: str, placed: PlacedGraph) -> int | None:
    """Return the words of the lists into a layer; None without cores."""
    if placed.placement is None:
        return None
    names = {edge.name for edge in placed.graph.into(name)}  # edges side by side have one name
    return sum(placed.placement.list_words.get(edge, 0) for edge in names)


def _layer(name: str, facts: Facts, energy: EnergyReport) -> models.Layer:
    record, built = facts.record, _built(name, facts.placed)
    totals = record.layers[name].totals()
    rate = totals["messages"] / (record.samples * record.steps * built["neurons"])
    return models.Layer(
        **built,
        synops_hardware=totals["synops_hardware"],
        synops_effective=totals["synops_effective"],
        updates=totals["updates"],
        spikes=totals["messages"],
        spike_rate=rate,
        sparsity=1 - rate,
        energy_pj=models.Range(**energy.layer(name)),
        saturations=totals["saturations"],
    )


def _weight_sparsity(graph: IntegerGraph, name: str) -> float:
    synapses = [edge.synapse for edge in graph.into(name) if isinstance(edge.synapse, WEIGHTED)]
    count = sum(synapse.weight.size for synapse in synapses)
    return 1 - sum(np.count_nonzero(synapse.weight) for synapse in synapses) / count if count else 0.0


def _learning(facts: Facts, energy: EnergyReport) -> models.Learning | None:
    """Add to what learning cost its share in all dynamic energy of a learning sample; None where nothing learnt."""
    if facts.learning is None:
        return None
    cost, rest = facts.learning["energy_pj"]["value"], energy.dynamic.value
    share = cost / (cost + rest) if cost is not None and rest else None
    return models.made(models.Learning, {**facts.learning, "energy_share": share})


def _dense(graph: IntegerGraph, steps: int, energy: EnergyReport) -> models.Dense:
    """Return what the same model costs where every multiply-accumulate of every step is computed: another scope."""
    macs = {layer: steps * count for layer, count in dense_macs(graph).items()}
    found = dense_energy(graph, steps)
    processors = tuple(models.made(models.Processor, asdict(processor)) for processor in found)
    return models.Dense("pJ per sample", sum(macs.values()), macs, processors, break_even(energy, found))

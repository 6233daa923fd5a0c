"""The one structure every report is made of; docs/summary.schema.json describes it.

Counts are totals over ``samples`` samples, energy is per sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .._version import __version__
from ..compilers.constants import Constant
from ..errors import Finding
from ..estimates.dense_macs import dense_energy, dense_macs
from ..estimates.energy import EnergyReport, price
from ..estimates.latency import latency
from ..estimates.neurobench import Activity, neurobench
from ..graph import IntegerGraph, PlacedGraph
from ..hardware import HardwareProfile
from ..nodes import Dense, Diagonal, Encoder, InputSeen
from ..nodes.arithmetic import Array
from ..record import RunRecord
from ..simulation.agreement import Agreement
from ..tasks import majority, metrics
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
    """What a compile found out: the placed program, its runs, and what was asked."""

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
    exponents: dict[str, int] = field(default_factory=dict)  # of each layer's message
    request: dict[str, Any] = field(default_factory=dict)  # see `report.asked`
    stream: InputSeen | None = None  # what was learnt from, as the encoder met it
    sequences: dict[str, Any] = field(default_factory=dict)  # what `input` says in one phrase


def summarise(facts: Facts) -> dict[str, Any]:
    """Return summary.json as a dict of plain values; ``seconds`` is filled by the caller."""
    graph, record = facts.placed.graph, facts.record
    agreement = facts.agreement.rows(facts.exponents)
    time = latency(facts.placed, record, facts.profile)
    energy = price(facts.placed, record, facts.profile, time)
    return {
        "bim_neuro": __version__,
        "command": facts.command,
        "request": facts.request,
        "model": facts.model,
        "task": graph.task,
        "input": facts.input,
        "sequences": facts.sequences,
        "target": facts.profile.name,
        "backend": record.backend,
        "dt": graph.dt,
        "samples": record.samples,
        "steps": record.steps,
        "period": record.period,
        "latency_steps": graph.latency,
        "optimise": facts.optimise,
        "assumptions": list(facts.assumptions),
        "findings": [asdict(finding) for finding in _findings(facts, agreement)],
        "constants": [asdict(constant) for constant in facts.constants],
        "encoder": _encoder(graph.encoder, record.seen),
        "cores": _cores(facts.placed, facts.profile),
        "placement": asdict(facts.placed.placement) if facts.placed.placement else None,
        "layers": [_layer(name, facts, energy) for name in graph.order if name != graph.source],
        "latency": asdict(time),
        "energy": _energy(energy),
        "dense": _dense(graph, record.steps),
        "neurobench": neurobench(graph, facts.activity, record.samples, record.steps),
        "accuracy": _accuracy(facts),
        "agreement": agreement,
        "verify": facts.verification,
        "learning": _learning(facts, energy),
        "judge": _judge(graph),
        "seconds": {},
    }


def known(
    placed: PlacedGraph,
    profile: HardwareProfile,
    assumptions: tuple[str, ...],
    findings: tuple[Finding, ...],
    constants: tuple[Constant, ...],
) -> dict[str, Any]:
    """Return what summary.json says that needs no run, under the same keys."""
    graph = placed.graph
    return {
        "bim_neuro": __version__,
        "task": graph.task,
        "target": profile.name,
        "dt": graph.dt,
        "latency_steps": graph.latency,
        "assumptions": list(assumptions),
        "findings": [asdict(finding) for finding in findings],
        "constants": [asdict(constant) for constant in constants],
        "encoder": _encoder(graph.encoder, None),
        "cores": _cores(placed, profile),
        "placement": asdict(placed.placement) if placed.placement else None,
        "layers": [_built(name, placed) for name in graph.order if name != graph.source],
        "judge": _judge(graph),
    }


def _cores(placed: PlacedGraph, profile: HardwareProfile) -> dict[str, Any]:
    return {"used": len({core.index for core in placed.cores}), "limit": profile.usable_cores}


def _judge(graph: IntegerGraph) -> dict[str, str]:
    return {name: "lava" if node.lava_process else "own" for name, node in graph.nodes.items()}


def _findings(facts: Facts, agreement: list[dict[str, Any]]) -> Iterator[Finding]:
    """Yield what the compiler found, then what the run shows, input first."""
    graph, record = facts.placed.graph, facts.record
    yield from facts.findings
    yield from clipped_input(graph.encoder, facts.stream, graph.source, "learning stream")
    yield from clipped_input(graph.encoder, record.seen, graph.source)
    yield from silent_layers(graph, agreement)
    yield from saturated_output(graph, record)
    yield from unused_classes(graph, facts.floats.predicted, record.predicted, facts.y)
    yield from silent_verification(facts.verification)
    yield from costly_learning(facts.learning)


def _encoder(encoder: Encoder, seen: InputSeen | None) -> dict[str, Any]:
    """Return the scale on which a model wants its input, and what it got, a value a raw channel."""
    low, high = encoder.reach
    graded, delta = encoder.kind != "delta", encoder.kind == "delta"
    return {
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
    }


def _built(name: str, placed: PlacedGraph) -> dict[str, Any]:
    """Return what is known of a layer without a run."""
    graph, node = placed.graph, placed.graph.nodes[name]
    return {
        "name": name,
        "kind": node.kind,
        "judge": "lava" if node.lava_process else "own",
        "neurons": node.neurons,
        "synapses": sum(edge.synapse.count for edge in graph.into(name)),
        "weight_sparsity": _weight_sparsity(graph, name),
        "message_bits": node.message_bits,
        "cores": len(placed.cores_of(name)),
    }


def _layer(name: str, facts: Facts, energy: EnergyReport) -> dict[str, Any]:
    record, built = facts.record, _built(name, facts.placed)
    totals = record.layers[name].totals()
    rate = totals["messages"] / (record.samples * record.steps * built["neurons"])
    bits, cores = built.pop("message_bits"), built.pop("cores")
    return {
        **built,
        "synops_hardware": totals["synops_hardware"],
        "synops_effective": totals["synops_effective"],
        "updates": totals["updates"],
        "spikes": totals["messages"],
        "message_bits": bits,
        "spike_rate": rate,
        "sparsity": 1 - rate,
        "cores": cores,
        "energy_pj": energy.layer(name),
        "saturations": totals["saturations"],
    }


def _weight_sparsity(graph: IntegerGraph, name: str) -> float:
    synapses = [edge.synapse for edge in graph.into(name) if isinstance(edge.synapse, Dense | Diagonal)]
    count = sum(synapse.count for synapse in synapses)
    return 1 - sum(synapse.nonzero for synapse in synapses) / count if count else 0.0


def _learning(facts: Facts, energy: EnergyReport) -> dict[str, Any] | None:
    """Add to what learning cost its share in all dynamic energy of a learning sample; None where nothing learnt."""
    if facts.learning is None:
        return None
    cost, rest = facts.learning["energy_pj"]["value"], energy.dynamic.value
    return {**facts.learning, "energy_share": cost / (cost + rest) if cost is not None and rest else None}


def _energy(energy: EnergyReport) -> dict[str, Any]:
    return {"unit": "pJ per sample", **asdict(energy)}


def _dense(graph: IntegerGraph, steps: int) -> dict[str, Any]:
    """Return what the same model costs where every multiply-accumulate of every step is computed: another scope."""
    macs = {layer: steps * count for layer, count in dense_macs(graph).items()}
    processors = [asdict(processor) for processor in dense_energy(graph, steps)]
    return {"unit": "pJ per sample", "macs": sum(macs.values()), "layers": macs, "processors": processors}


def _accuracy(facts: Facts) -> dict[str, Any] | None:
    """Return accuracies beside that of the most frequent class, and metrics of named ones; None without labels."""
    if facts.y is None:
        return None
    sides = {"float": facts.floats.predicted, "integer": facts.record.predicted}
    accuracy: dict[str, Any] = {side: float(np.mean(predicted == facts.y)) for side, predicted in sides.items()}
    labels = facts.placed.graph.labels
    accuracy["majority"], accuracy["majority_class"] = majority(facts.y, labels)
    if labels:
        accuracy["metrics"] = {side: dict(metrics(facts.y, predicted, labels)) for side, predicted in sides.items()}
    return accuracy

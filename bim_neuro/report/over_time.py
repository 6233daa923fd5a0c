"""Activity over time: counts per step, rasters of some samples, traffic between cores; series.json, of bounded size."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Protocol

import numpy as np

from ..estimates.links import link_shares, messages_at_steps
from ..graph import PlacedGraph
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array, ceil_div
from ..record import RunRecord
from .formats import formats
from .neurons import neurons, steps_to_keep
from .rasters import RASTER_STEPS, rasters, samples_to_show
from .summary import Facts

STEPS = 512  # values a layer; longer runs are averaged over neighbouring steps
LAYERS = 200  # the busiest
CORES = 2048  # of a larger placement the flows are left out
FLOWS = 20_000  # pairs of cores, those with most messages
LINKS = 8_000  # of the mesh, those with most messages


class Runs(Protocol):
    """What runs samples, named by their indices, once more and keeps what they did."""

    def messages(self, samples: Sequence[int]) -> RunRecord:
        """Run the first RASTER_STEPS steps of some samples, with all messages."""

    def whole(self, sample: int, steps: int) -> tuple[RunRecord, RunRecord]:
        """Run the first steps of a sample in the float law and in integers, with all messages and states."""


def series(facts: Facts, runs: Runs) -> dict[str, Any]:
    """Return the counts of a run by step, a sample's mean, the messages of some samples, the states of one."""
    record, placed, profile = facts.record, facts.placed, facts.profile
    bin_steps = ceil_div(record.period, STEPS)
    busiest = _busiest(record, LAYERS)
    words = min(record.period, RASTER_STEPS) * sum(node.neurons for node in placed.graph.nodes.values())
    samples = samples_to_show(record, facts.floats, facts.y, words)
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "samples": record.samples,
        "steps": record.steps,
        "period": record.period,
        "bin": bin_steps,
        "layers": {
            name: {
                "messages": _binned(record.layers[name].messages, bin_steps, record.samples),
                "synops": _binned(record.layers[name].synops_hardware, bin_steps, record.samples),
            }
            for name in busiest
        },
        "raster": rasters(samples, runs.messages(samples), placed, busiest, _said(facts, samples)),
        "mesh": _mesh(profile),
        "flows": _flows(record, placed),
        "links": _links(record, placed, profile),
        **_beside_float(facts, samples, runs, busiest),
    }


def _beside_float(facts: Facts, samples: Sequence[int], runs: Runs, busiest: Sequence[str]) -> dict[str, Any]:
    """Return ``neurons`` and ``formats`` of a sample, one with two answers if any has; nothing of too large a one."""
    steps = steps_to_keep(facts.placed, facts.record.steps)
    if not steps:
        return {}
    differ = facts.floats.predicted != facts.record.predicted
    sample = next((sample for sample in samples if differ[sample]), samples[0])
    floats, integers = runs.whole(sample, steps)
    worth = {f"{name}.{state}": unit for name, own in facts.state_units.items() for state, unit in own.items()}
    worth |= {f"{name}.message": 2.0**-exponent for name, exponent in facts.exponents.items()}
    return {
        "neurons": neurons(facts, sample, floats, integers, busiest),
        "formats": formats(facts.placed.graph, integers, busiest, worth),
    }


def _said(facts: Facts, samples: Sequence[int]) -> list[dict[str, Any]]:
    """Return of each sample its class and the answers of both runs, by their names; null where there is none."""
    graph = facts.placed.graph
    answers = graph.nodes[graph.output].neurons > 1 and facts.head == "class"

    def name(of: Array | None, sample: int) -> str | None:
        if of is None or not answers:
            return None
        return graph.labels[int(of[sample])] if graph.labels else str(of[sample])

    runs = {"label": facts.y, "float": facts.floats.predicted, "integer": facts.record.predicted}
    return [{key: name(of, sample) for key, of in runs.items()} for sample in samples]


def _busiest(record: RunRecord, most: int) -> list[str]:
    """Return the layers in the record's order; of more than ``most``, those that send most."""
    sent = {name: int(count.messages.sum()) for name, count in record.layers.items()}
    chosen = set(sorted(sent, key=lambda name: sent[name], reverse=True)[:most])
    return [name for name in record.layers if name in chosen]


def _binned(counts: Array, bin_steps: int, samples: int) -> list[float]:
    """Return the mean count a step and sample, averaged over ``bin_steps`` steps: one value a bin."""
    starts = np.arange(0, len(counts), bin_steps)
    widths = np.diff(np.append(starts, len(counts)))
    means = np.add.reduceat(counts, starts) / widths / samples
    return [round(float(mean), 3) for mean in means]


def _mesh(profile: HardwareProfile) -> dict[str, int] | None:
    """Return how cores and chips lie, as the core map draws them; None where there are no cores."""
    if profile.usable_cores is None:
        return None
    chips, columns = int(profile.board.chips.number), int(profile.capacity.mesh_columns.number)
    per_chip = profile.usable_cores // chips
    return {
        "columns": columns,
        "rows": ceil_div(per_chip, columns),
        "per_chip": per_chip,
        "chips": chips,
        "chip_columns": int(profile.board.chip_columns.number),
    }


def _flows(record: RunRecord, placed: PlacedGraph) -> list[list[float]]:
    """Return [core, core, messages a sample] for each pair; a layer's messages are taken as spread over its neurons."""
    if len({core.index for core in placed.cores}) > CORES:
        return []
    rate = {
        name: record.layers[name].totals()["messages"] / record.samples / placed.graph.nodes[name].neurons
        for name in {flow.layer for flow in placed.flows}
    }
    messages: dict[tuple[int, int], float] = defaultdict(float)
    for flow in placed.flows:
        messages[flow.source, flow.target] += flow.neurons * rate[flow.layer]
    most = sorted(messages.items(), key=lambda entry: -entry[1])[:FLOWS]
    return [[source, target, round(sent, 3)] for (source, target), sent in most]


def _links(record: RunRecord, placed: PlacedGraph, profile: HardwareProfile) -> list[list[float]]:
    """Return [core, core, messages a sample] for each link of the mesh that carries any, those with most first."""
    if not placed.flows or len({core.index for core in placed.cores}) > CORES:
        return []
    links = link_shares(placed, profile)
    carried = links.share @ messages_at_steps(links.layers, record, placed.graph).sum(axis=1)
    most = np.argsort(-carried, kind="stable")[:LINKS]
    return [[int(links.source[at]), int(links.target[at]), round(float(carried[at]), 3)] for at in most if carried[at]]

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
VALUES = 2**15  # of all layers; of many layers more steps are averaged
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
    """Return the counts of a run by step, a sample's mean, the messages of some samples, the states of one.

    It holds at most VALUES counts, FLOWS and LINKS, and rasters, neurons and formats bounded in their own files;
    ``left_out`` says what is thinned, and how.
    """
    record, placed, profile = facts.record, facts.placed, facts.profile
    busiest = _busiest(record, LAYERS)
    bin_steps = ceil_div(record.period, min(STEPS, max(1, VALUES // (2 * max(1, len(busiest))))))
    (flows, pairs), (links, lines) = _flows(record, placed), _links(record, placed, profile)
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
        "flows": flows,
        "links": links,
        "left_out": _left_out(record, placed, bin_steps, pairs, lines),
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


def _left_out(record: RunRecord, placed: PlacedGraph, bin_steps: int, pairs: int, links: int) -> dict[str, str]:
    """Return what is thinned, by key, in a sentence each; there are so many ``pairs`` of cores, and ``links``."""
    said = {}
    if bin_steps > 1:
        said["steps"] = f"A value over time is the mean of {bin_steps:,} steps."
    if len(record.layers) > LAYERS:
        said["layers"] = f"The {LAYERS:,} layers that send most, of {len(record.layers):,}."
    if _on_many_cores(placed):
        said["flows"] = said["links"] = f"Left out: the program is on more than {CORES:,} cores."
    if pairs > FLOWS:
        said["flows"] = f"The {FLOWS:,} pairs of cores that carry most messages, of {pairs:,}."
    if links > LINKS:
        said["links"] = f"The {LINKS:,} links that carry most messages, of {links:,}."
    return said


def _on_many_cores(placed: PlacedGraph) -> bool:
    return len({core.index for core in placed.cores}) > CORES


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


def _flows(record: RunRecord, placed: PlacedGraph) -> tuple[list[list[float]], int]:
    """Return [core, core, messages a sample] for the pairs with most, and how many pairs there are.

    A layer's messages are taken as spread over its neurons.
    """
    if _on_many_cores(placed):
        return [], 0
    rate = {
        name: record.layers[name].totals()["messages"] / record.samples / placed.graph.nodes[name].neurons
        for name in {flow.layer for flow in placed.flows}
    }
    messages: dict[tuple[int, int], float] = defaultdict(float)
    for flow in placed.flows:
        messages[flow.source, flow.target] += flow.neurons * rate[flow.layer]
    most = sorted(messages.items(), key=lambda entry: -entry[1])[:FLOWS]
    return [[source, target, round(sent, 3)] for (source, target), sent in most], len(messages)


def _links(record: RunRecord, placed: PlacedGraph, profile: HardwareProfile) -> tuple[list[list[float]], int]:
    """Return [core, core, messages a sample] for the links of the mesh with most, and how many carry any."""
    if not placed.flows or _on_many_cores(placed):
        return [], 0
    links = link_shares(placed, profile)
    carried = links.share @ messages_at_steps(links.layers, record, placed.graph).sum(axis=1)
    most = [at for at in np.argsort(-carried, kind="stable")[:LINKS] if carried[at]]
    rows = [[int(links.source[at]), int(links.target[at]), round(float(carried[at]), 3)] for at in most]
    return rows, int(np.count_nonzero(carried))

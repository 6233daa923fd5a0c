"""Activity over time: counts per step, a raster of messages, traffic between cores; series.json, of bounded size."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from ..estimates.links import link_shares, messages_at_steps
from ..graph import PlacedGraph
from ..hardware import HardwareProfile
from ..nodes.arithmetic import Array, ceil_div
from ..record import RunRecord

STEPS = 512  # values a layer; longer runs are averaged over neighbouring steps
LAYERS = 200  # the busiest
RASTER_STEPS = 256
RASTER_NEURONS = 64  # a layer; of a wider one, every so many
RASTER_LAYERS = 24
CORES = 2048  # of a larger placement the flows are left out
FLOWS = 20_000  # pairs of cores, those with most messages
LINKS = 8_000  # of the mesh, those with most messages
MAP_CHANNELS = 32  # drawn of a feature map, the first; of more pixels than this, every so many rows and columns
MAP_PIXELS = 64
LARGEST_LEVEL = 9  # a cell is one digit: 0 nothing sent, 9 the layer's largest message


def series(record: RunRecord, first: RunRecord, placed: PlacedGraph, profile: HardwareProfile) -> dict[str, Any]:
    """Return the counts of a run by step, a sample's mean, and the messages of its ``first`` sample, probed."""
    shapes = {name: placed.graph.shape(name) for name in placed.graph.nodes}
    bin_steps = ceil_div(record.period, STEPS)
    busiest = _busiest(record, LAYERS)
    return {
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
        "raster": {"steps": min(first.period, RASTER_STEPS), "layers": _raster(first, busiest[:RASTER_LAYERS], shapes)},
        "mesh": _mesh(profile),
        "flows": _flows(record, placed),
        "links": _links(record, placed, profile),
    }


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


def _raster(first: RunRecord, names: list[str], shapes: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return, for each layer, rows of digits (a neuron each) over the steps of the sample; a feature map's pictures."""
    excerpt: dict[str, Any] = {}
    for name in names:
        probe = first.probes.get(f"{name}.message")
        if probe is None:
            continue
        messages = np.abs(probe[0].reshape(len(probe[0]), -1).astype(np.float64))  # (period, neurons)
        shape = shapes.get(name, ())
        if len(shape) > 1:
            excerpt[name] = _pictures(messages, shape)
            continue
        every = ceil_div(messages.shape[1], RASTER_NEURONS)
        cells = _levels(messages[:RASTER_STEPS, ::every])
        rows = ["".join(map(str, row)) for row in cells.T]
        excerpt[name] = {"neurons": messages.shape[1], "every": every, "rows": rows}
    return excerpt


def _pictures(messages: Array, shape: tuple[int, ...]) -> dict[str, Any]:
    """Return a picture for each channel: rows of digits, a pixel the sum of a neuron's messages in the whole sample."""
    channels, *places = shape
    every = ceil_div(max(places), MAP_PIXELS)
    sums = messages.sum(axis=0).reshape(channels, *([1] if len(places) == 1 else []), *places)
    cells = _levels(sums)[:MAP_CHANNELS, ::every, ::every]
    pictures = [["".join(map(str, row)) for row in picture] for picture in cells]
    return {"neurons": messages.shape[1], "shape": list(shape), "every": every, "pictures": pictures}


def _levels(messages: Array) -> Array:
    """Return each message as a digit 0 to 9 of the largest one; whatever was sent is at least 1."""
    largest = messages.max(initial=0.0) or 1.0
    return np.ceil(LARGEST_LEVEL * messages / largest).astype(np.int64)


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

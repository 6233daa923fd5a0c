"""Who sent when in some samples of a run, for the report's raster: packed, and of bounded size.

A layer of a sample is text: base64 of its cells, a neuron after the other, a step after the other within. A cell is one
bit of a layer that spikes, most significant first, else four bits: 0 nothing sent, 9 the layer's largest message.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from ..graph import PlacedGraph
from ..nodes.arithmetic import Array, ceil_div
from ..nodes.node import sends_one
from ..record import RunRecord

RASTER_STEPS = 256
RASTER_LAYERS = 24  # the busiest
RASTER_SAMPLES = 12
RASTER_NEURONS = 2048  # a layer; of a wider one, every so many
RASTER_TEXT = 50_000  # characters of all samples
FEWEST_NEURONS = 32  # drawn of a layer where another sample would leave fewer, it is left out
EXCERPT_WORDS = 2**24  # messages that are kept while a raster is made
MAP_CHANNELS = 32  # drawn of a feature map, the first
MAP_PIXELS = 64  # a side; of more, every so many rows and columns
MAP_TEXT = 60_000  # characters of all pictures
LARGEST_LEVEL = 9
_BITS_OF_TEXT = 6  # a character of base64


def samples_to_show(record: RunRecord, floats: RunRecord, y: Array | None, words: int) -> tuple[int, ...]:
    """Return which samples a raster is kept of: the first, then a right and a wrong one of each class, in their order.

    ``words`` are the messages of a sample, of which no more than EXCERPT_WORDS are kept; without labels ``y`` the
    classes are those that the integers predict.
    """
    most = max(1, min(RASTER_SAMPLES, EXCERPT_WORDS // max(1, words)))
    predicted = record.predicted
    classes = predicted if y is None else y
    agrees = (predicted == floats.predicted) if y is None else (predicted == y)
    first: dict[tuple[bool, int], int] = {}
    for sample, key in enumerate(zip((~agrees).tolist(), classes.tolist(), strict=True)):
        first.setdefault(key, sample)
    wanted = [0, *(first[key] for key in sorted(first))]
    return tuple(sorted(list(dict.fromkeys(wanted))[:most]))


def rasters(
    samples: Sequence[int], excerpt: RunRecord, placed: PlacedGraph, names: Sequence[str], said: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the ``raster`` of series.json: of each sample what is ``said`` of it, and the cells of its layers.

    ``excerpt`` is the probed run of these samples; ``names`` are layers, of which the first RASTER_LAYERS are kept.
    """
    graph = placed.graph
    probes = {name: excerpt.probes[f"{name}.message"] for name in names if f"{name}.message" in excerpt.probes}
    probes = {name: probe.reshape(*probe.shape[:2], -1) for name, probe in list(probes.items())[:RASTER_LAYERS]}
    steps = min(excerpt.period, RASTER_STEPS)
    bits = {name: 1 if sends_one(graph.nodes[name]) else 4 for name in probes}
    shown, neurons = _room(len(samples), {name: probe.shape[2] for name, probe in probes.items()}, bits, steps)
    every = {name: ceil_div(probe.shape[2], neurons) for name, probe in probes.items()}
    largest = {name: float(np.abs(probe).max(initial=0)) or 1.0 for name, probe in probes.items()}
    maps = {name: probe for name, probe in probes.items() if len(graph.shape(name)) > 1}
    return {
        "steps": steps,
        "layers": {
            name: {"neurons": probe.shape[2], "every": every[name], "bits": bits[name], "largest": largest[name]}
            for name, probe in probes.items()
        },
        "samples": [
            {
                "sample": sample,
                **said[at],
                "cells": {
                    name: packed(_levels(probe[at, :steps, :: every[name]].T, largest[name], bits[name]), bits[name])
                    for name, probe in probes.items()
                },
            }
            for at, sample in enumerate(samples[:shown])
        ],
        "pictures": {name: _pictures(probe[0], graph.shape(name), len(maps)) for name, probe in maps.items()},
    }


def _room(samples: int, widths: dict[str, int], bits: dict[str, int], steps: int) -> tuple[int, int]:
    """Return how many samples, and how many neurons a layer, RASTER_TEXT has room for."""

    def text(neurons: int) -> int:
        shown = {name: ceil_div(width, ceil_div(width, neurons)) for name, width in widths.items()}
        return sum(ceil_div(steps * shown[name] * bits[name], _BITS_OF_TEXT) for name in widths)

    neurons = RASTER_NEURONS
    while neurons > FEWEST_NEURONS and samples * text(neurons) > RASTER_TEXT:
        neurons //= 2
    samples = max(1, min(samples, RASTER_TEXT // max(1, text(neurons))))
    while neurons > 1 and samples * text(neurons) > RASTER_TEXT:
        neurons //= 2
    return samples, neurons


def _levels(messages: Array, largest: float, bits: int) -> Array:
    """Return each message as a level 0 to 9 of the largest one, what was sent at least 1; or whether there is one."""
    if bits == 1:
        return np.asarray(messages != 0)
    return np.ceil(LARGEST_LEVEL * np.abs(messages.astype(np.float64)) / largest).astype(np.uint8)


def packed(cells: Array, bits: int) -> str:
    """Return cells of one or four bits as base64, most significant first.

    >>> packed(np.array([[True, False, True]]), 1), packed(np.array([[9, 1, 2]], dtype=np.uint8), 4)
    ('oA==', 'kSA=')
    """
    flat = cells.reshape(-1)
    if bits == 1:
        return b64encode(np.packbits(flat).tobytes()).decode()
    halves = np.append(flat, np.zeros(flat.size % 2, np.uint8)).reshape(-1, 2)
    return b64encode((halves[:, 0] << 4 | halves[:, 1]).astype(np.uint8).tobytes()).decode()


def _pictures(messages: Array, shape: tuple[int, ...], maps: int) -> dict[str, Any]:
    """Return a picture for each channel: rows of digits, a pixel the sum of a neuron's messages in the whole sample."""
    channels, *places = shape
    room = MAP_TEXT // maps
    shown = max(1, min(MAP_CHANNELS, channels, room // 64))  # of 8 x 8 pixels at least
    every = ceil_div(max(places), MAP_PIXELS)
    while shown * np.prod([ceil_div(place, every) for place in places]) > room:
        every += 1
    sums = np.abs(messages.astype(np.float64)).sum(axis=0)
    sums = sums.reshape(channels, *([1] if len(places) == 1 else []), *places)
    cells = _levels(sums, float(sums.max(initial=0)) or 1.0, 4)[:shown, ::every, ::every]
    pictures = [["".join(map(str, row)) for row in picture] for picture in cells]
    return {"neurons": messages.shape[1], "shape": list(shape), "every": every, "pictures": pictures}

"""Our own run beside a recording, bin by bin and layer by layer: the float law, and apart from it the integers.

A framework is held against the float law; bins in which a voltage lies within 1e-5 of its threshold are ties, and
counted apart (`simulation.ties`). The same recording says what fixed point changes: the integers' spikes beside it. A
chip's integers are held against ours, where nothing may differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import FloatGraph, Graph
from ..nir_bridge.units import StateUnits
from ..nodes import LIF, Cuba
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from ..program import BATCH, Program
from ..simulation.beside import simulate_beside, steady
from ..simulation.narrow import narrowed
from ..simulation.ties import Compared, charged_voltages, compared, fires
from ..stages import float_input, sequences_for
from .recording import CURRENT, MOMENTS, SENT, VOLTAGE, Recorded, Recording, recording_of

NAMES = {SENT: SENT, VOLTAGE: "voltage", CURRENT: "current"}
NO_UNITS: Mapping[str, StateUnits] = {}
NO_TIES: Array = np.zeros((0, 3), np.int64)


def against(
    program: Program,
    raw: Array,
    theirs: Mapping[str, Array] | str | Path,
    *,
    bits: int = 64,
    voltages: str | None = None,
    currents: str | None = None,
) -> tuple[Compared, ...]:
    """Compare a program with a recording: its float law with a framework's, its integers with those of a chip.

    ``theirs`` is the path of an .npz (docs/inputs.md), or a table {'out', a layer's name, or 'v__' and its name:
    (samples, steps, neurons)}. Bins in which a voltage is within 1e-5 of its threshold are ties and counted apart.
    ``bits`` of the float law are 64, or 32 as in most frameworks. ``voltages`` were recorded 'after' the reset of the
    step, or 'before', ``currents`` when the input was 'added', or 'decayed' for the next step; they are compared in the
    numbers of ``program.reference``.
    """
    arguments.instance(program, Program, "program")
    moments = {name: given for name, given in (("voltages", voltages), ("currents", currents)) if given is not None}
    for name, given in moments.items():
        arguments.choice(given, MOMENTS[name], name)
    if not isinstance(theirs, Mapping | str | Path):
        raise InputError(f"theirs is {arguments.said(theirs)}, a table {{layer: array}} is needed")
    recorded = theirs if isinstance(theirs, Mapping) else Path(theirs)
    graph, raw = program.reference, sequences_for(program.graph, raw)
    recording = recording_of(recorded, graph.nodes, graph.output).with_samples_first(None).at(moments)
    if recording.integers:
        return integer_rows(program, raw, recording)
    x = float_input(program.reference, raw)
    return float_rows(graph, x, recording, NO_UNITS, bits)


def float_rows(
    graph: FloatGraph,
    x: Array,
    recording: Recording,
    units: Mapping[str, StateUnits] = NO_UNITS,
    bits: int = 64,
) -> tuple[Compared, ...]:
    """Compare the float law of a graph with a recording, a row for each array."""
    check_fits(recording, graph, x)
    graph = narrowed(graph) if bits == 32 else graph
    places = _in_order(graph, recording)
    wanted = dict.fromkeys(layer for layer, _ in places)
    messages = {layer: array for (layer, what), array in recording.arrays.items() if what == SENT}

    def rows(part: Array, theirs: Mapping[Recorded, Array], first: int) -> Iterator[Compared]:
        sent = {layer: array[first : first + len(part)] for layer, array in messages.items()}
        with steady(graph, len(part)):
            played = simulate_beside(graph, part, sent, wanted, dtype=np.float32 if bits == 32 else np.float64)
        for place, recorded in theirs.items():
            node, probe = graph.nodes[place.layer], played.probe(place.layer)
            ours = values_of(node, place, probe, units, recording)[: len(recorded)]
            ties = played.ties(place.layer) if place.what != CURRENT else NO_TIES
            ties = ties[ties[:, 0] < len(recorded)]
            exact = place.what == SENT and fires(node)
            yield compared(place.layer, ours, recorded, ties, exact=exact, what=NAMES[place.what])

    return _in_batches(x, recording, places, rows)


def integer_rows(program: Program, raw: Array, recording: Recording) -> tuple[Compared, ...]:
    """Compare the integers of a program with a recording, a row for each array that integers can equal."""
    graph = program.graph
    places = [place for place in _in_order(graph, recording) if recording.integers or _both_spike(program, place)]

    def rows(part: Array, theirs: Mapping[Recorded, Array], first: int) -> Iterator[Compared]:
        got = program.run(part, probe=[f"{layer}.{what}" for layer, what in theirs]).probes
        for (layer, what), recorded in theirs.items():
            ours = got[f"{layer}.{what}"][: len(recorded), : recorded.shape[1]]
            yield compared(layer, ours, recorded, NO_TIES, exact=True, what=NAMES[what], law="integer")

    if recording.integers:
        check_fits(recording, graph, raw)
    return _in_batches(raw, recording, places, rows)


def first_of(rows: tuple[Compared, ...]) -> Compared | None:
    """Return the row whose differing bin comes first: the earliest sample and step, then the layer nearest the input.

    A layer's steps are counted from the step at which a sample reaches it.
    """
    differing = [row for row in rows if row.differ and row.first]
    return min(differing, key=lambda row: (row.first or ())[:2], default=None)


def values_of(
    node: Node, place: Recorded, got: Mapping[str, Array], units: Mapping[str, StateUnits], moments: Recording
) -> Array:
    """Return what a recording has of a layer, from its message and states, at its moments, in the file's numbers."""
    layer, what = place
    ours = got[what]
    if what == CURRENT and moments.currents == "decayed" and isinstance(node, LIF | Cuba):
        ours = node.current_decay * ours
    if what == VOLTAGE and moments.voltages == "before" and isinstance(node, LIF | Cuba) and fires(node):
        ours = charged_voltages(node, ours, got[CURRENT], got.get("n"))
    if what == SENT or layer not in units:
        return ours
    scale, offset, current = units[layer]
    return scale * ours + offset if what == VOLTAGE else current * ours


def _in_order(graph: Graph[Any], recording: Recording) -> list[Recorded]:
    """Return the recorded places, layers nearest the input first."""
    order = {name: index for index, name in enumerate(graph.order)}
    return sorted(recording.arrays, key=lambda place: (order.get(place.layer, len(order)), place.what))


def check_fits(recording: Recording, graph: Graph[Any], x: Array) -> None:
    """Refuse states that a layer does not have, other neurons, and fewer steps or, of a framework's output, samples."""
    for place, array in recording.arrays.items():
        layer, what = place
        node = graph.nodes[layer]
        if what != SENT and what not in node.initial(()):
            raise InputError(f"layer '{layer}' has no {NAMES[what]}", "leave its array out")
        samples, steps, neurons = array.shape
        whole = layer == graph.output and not recording.integers
        if steps < x.shape[1] or (whole and samples < len(x)) or neurons != node.neurons:
            ours = (len(x), x.shape[1], node.neurons)
            said = (
                f"'{layer}' sends (samples, steps, neurons) {ours}, the record of {recording.origin} is {array.shape}"
            )
            raise InputError(said, "its axes are those of x; --samples and --steps run fewer")


def _both_spike(program: Program, place: Recorded) -> bool:
    layer, what = place
    return what == SENT and layer in program.graph.nodes and fires(program.reference.nodes[layer])


Rows = Callable[[Array, Mapping[Recorded, Array], int], Iterator[Compared]]


def _in_batches(x: Array, recording: Recording, places: list[Recorded], rows: Rows) -> tuple[Compared, ...]:
    """Compare batch by batch, so that memory does not grow with the samples."""
    found: dict[Recorded, Compared] = {}
    for first in range(0, len(x), BATCH):
        part = x[first : first + BATCH]
        theirs = {place: recording.arrays[place][first : first + len(part)] for place in places}
        theirs = {place: recorded[:, : x.shape[1]] for place, recorded in theirs.items() if len(recorded)}
        if not theirs:
            break
        most = max(len(recorded) for recorded in theirs.values())
        for place, row in zip(theirs, rows(part[:most], theirs, first), strict=True):
            found[place] = found[place].joined(row, first) if place in found else row
    return tuple(found.values())

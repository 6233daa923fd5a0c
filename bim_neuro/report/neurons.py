"""Some neurons of one sample, step by step in the float law and in integers, for the report: packed, of bounded size.

A series of values is text: base64 of 16-bit words, most significant byte first; a value is its word times the ``step``
of the signal, a real number in both runs. Spikes are packed as the rasters' are (`rasters.packed`).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from ..graph import PlacedGraph
from ..nodes import SomaWire
from ..nodes.arithmetic import WORD_MAX, Array
from ..nodes.cuba import Cuba, IntegerCuba
from ..nodes.lif import ACCUMULATOR_SHIFT, LIF, IntegerLIF
from ..nodes.node import sends_one
from ..record import RunRecord
from .formats import largest_message
from .rasters import RASTER_STEPS, packed
from .summary import Facts

NEURON_LAYERS = 12  # the busiest
NEURONS = 6  # of a layer
NEURON_TEXT = 32_000  # characters of all of them
FEWEST_STEPS = 8  # where a sample has them; the states of fewer steps tell nothing
WHOLE_WORDS = 2**24  # messages and states of the sample that are kept
_NAMED = 4  # layers
_LEVELS = 2**15 - 1
_TEXT_OF_A_STEP = 16 / 3  # characters of two 16-bit words


class ProbePair(NamedTuple):
    """A state or message that both runs have; values are real, (steps, neurons)."""

    name: str
    floats: Array
    integers: Array
    limit: float
    bits: int


def steps_to_keep(placed: PlacedGraph, steps: int) -> int:
    """Return how many steps of a sample may be kept whole, 0 where they would be too few."""
    from ..simulation.probes import words

    room = min(steps, RASTER_STEPS, WHOLE_WORDS // max(1, words(placed.graph)))
    return room if room >= min(steps, FEWEST_STEPS) else 0


def neurons(facts: Facts, sample: int, floats: RunRecord, integers: RunRecord, names: Sequence[str]) -> dict[str, Any]:
    """Return ``neurons`` of series.json: of layers ``names``, the busiest first, neurons from the furthest off on.

    ``floats`` and ``integers`` are the probed runs of one sample; ``left_out`` says of which layers no real unit is
    known, so that they cannot stand beside float. How far off a neuron is, is the RMS of integer minus
    float of its last signal; a microcode neuron that holds two layers shows the states of both.
    """
    found = {name: signals for name in names if (signals := list(_signals(facts, name, floats, integers)))}
    inner = {edge.source for edge in facts.placed.graph.edges if isinstance(edge.synapse, SomaWire)}
    kept = [name for name in found if name not in inner][:NEURON_LAYERS]
    steps = floats.steps
    text = sum(len(found[name]) for name in kept) * (_TEXT_OF_A_STEP * steps + 120)
    most = max(1, min(NEURONS, int(NEURON_TEXT / max(1.0, text))))
    untold = [name for name in names if name not in found and name != facts.placed.graph.source]
    return {
        "sample": sample,
        "steps": steps,
        "layers": {
            name: {
                "neurons": facts.placed.graph.nodes[name].neurons,
                "signals": [{"name": one.name, "limit": one.limit, "bits": one.bits} for one in found[name]],
                "shown": [
                    _neuron(facts, name, neuron, found[name], (floats, integers))
                    for neuron in _spread(found[name][-1], most)
                ],
            }
            for name in kept
        },
        "left_out": _without_units(untold),
    }


def _without_units(names: Sequence[str]) -> str:
    """Say which layers do not stand beside float, and why: those that a lowering made count in units of their own."""
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    why = "as the model has no such layer, or each neuron its own unit"
    return f"Not beside float, {why}: {', '.join(names[:_NAMED])}{more}."


def _signals(facts: Facts, name: str, floats: RunRecord, integers: RunRecord) -> Iterator[ProbePair]:
    """Yield what both runs hold of a layer, in real units; first what the node wired to it in one neuron holds."""
    graph = facts.placed.graph
    for edge in graph.into(name):
        if isinstance(edge.synapse, SomaWire):
            yield from _signals(facts, edge.source, floats, integers)
    node, steps = graph.nodes[name], floats.steps
    for state, unit in facts.state_units.get(name, {}).items():
        left, right = floats.probes.get(f"{name}.{state}"), integers.probes.get(f"{name}.{state}")
        if left is not None and right is not None:
            pair = _largest_of_many(left[0], right[0, :steps] * unit)
            yield ProbePair(state, *pair, WORD_MAX * unit, 24)
    told = facts.state_units.get(name) or sends_one(node) or name not in facts.exponents or name == graph.source
    key = f"{name}.message"
    if not told and key in floats.probes and key in integers.probes:
        unit, limit = 2.0 ** -facts.exponents[name], largest_message(node, name)
        yield ProbePair("message", floats.probes[key][0], integers.probes[key][0, :steps] * unit, limit * unit,
                     limit.bit_length() + 1)  # fmt: skip


def _largest_of_many(left: Array, right: Array) -> tuple[Array, Array]:
    """Return the same (steps, neurons) of both runs; of several states a neuron, the largest in float."""
    if left.ndim == 2:
        return left, right
    state = np.abs(left).max(axis=0).argmax(axis=-1)  # (neurons,)
    picked = state[None, :, None]
    return tuple(np.take_along_axis(side, picked, axis=2)[..., 0] for side in (left, right))  # type: ignore[return-value]


def _spread(signal: ProbePair, most: int) -> list[int]:
    """Return neurons by how far off they are: the furthest, the nearest, and at equal ranks between."""
    off = np.sqrt(np.mean((signal.integers - signal.floats) ** 2, axis=0))
    ranks = np.linspace(0, len(off) - 1, min(most, len(off))).round().astype(int)
    return [int(neuron) for neuron in np.argsort(-off, kind="stable")[ranks]]


def _neuron(
    facts: Facts, name: str, neuron: int, signals: Sequence[ProbePair], runs: tuple[RunRecord, RunRecord]
) -> dict[str, Any]:
    """Return one neuron: its signals in both runs, its threshold, and when it spiked."""
    thresholds = _thresholds(facts, name, neuron)
    node, key = facts.placed.graph.nodes[name], f"{name}.message"
    series = [_pair(signal.floats[:, neuron], signal.integers[:, neuron]) for signal in signals]
    shown: dict[str, Any] = {"neuron": neuron, "signals": series}
    if thresholds:
        shown["threshold"] = thresholds
    if sends_one(node):
        steps = runs[0].steps
        shown["spikes"] = [packed(run.probes[key][0, :steps, neuron] != 0, 1) for run in runs]
    return shown


def _pair(left: Array, right: Array) -> dict[str, Any]:
    """Return a signal of one neuron, float and integer, as 16-bit words of one step."""
    largest = float(max(np.abs(left).max(initial=0.0), np.abs(right).max(initial=0.0)))
    step = largest / _LEVELS or 1.0
    words = (b64encode(np.rint(side / step).astype(">i2").tobytes()).decode() for side in (left, right))
    return {"step": float(f"{step:.9g}"), "float": next(words), "integer": next(words)}


def _thresholds(facts: Facts, name: str, neuron: int) -> list[float]:
    """Return the threshold of a neuron in float and in integers, as real values; nothing where it has none."""
    real = facts.reference.nodes.get(name) if facts.reference else None
    node, unit = facts.placed.graph.nodes[name], facts.state_units.get(name, {}).get("v")
    if unit is None:
        return []
    if isinstance(real, LIF) and isinstance(node, IntegerLIF):
        return [real.v_threshold, (node.v_threshold << ACCUMULATOR_SHIFT) * unit]
    if isinstance(real, Cuba) and isinstance(node, IntegerCuba) and node.counts != "none":
        return [float(real.v_threshold[neuron]), int(node.v_threshold[neuron]) * unit]
    return []

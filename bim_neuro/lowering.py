"""Lowering: a program's model as neurons that Lava ships, and the input that says where its knots lie."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .compilers.lower_s4d import lower_s4d
from .compilers.lower_stock import StockSettings, lower_stock
from .errors import Finding, InputError
from .graph import FloatGraph
from .model.s4d_graph import has_fixed_decays
from .nodes.arithmetic import Array
from .nodes.source import GRADED_MAX, SIGNED
from .program import Program, compiled
from .stages import calibrate_on, sequences_for
from .stopwatch import Stopwatch
from .tasks import load_task

_SAMPLES, _STEPS = 64, 64
_SEED = 0


class Typical(NamedTuple):
    """Raw sequences (samples, steps, channels) to place knots by, and their origin; ``raw`` None: there are none."""

    raw: Array | None
    origin: str


def with_lowering(
    program: Program, settings: StockSettings, typical: Typical, watch: Stopwatch, effort: float = 1.0
) -> Program:
    """Return the program of the same model on processes that Lava ships."""
    graph = program.reference
    if has_fixed_decays(graph):
        return _with_fixed_decays(program, settings, typical, watch, effort)
    with watch.stage("lower"):
        known = typical.raw is not None
        x = graph.encoder.for_float(sequences_for(graph, typical.raw)) if known else _random(graph)
        lowered = lower_stock(graph, x, typical.origin, settings)
    made = compiled(graph, program.profile, watch, effort, lowered=lowered)
    return made if known else replace(made, findings=(*made.findings, _unmeasured(graph)))


def _with_fixed_decays(
    program: Program, settings: StockSettings, typical: Typical, watch: Stopwatch, effort: float
) -> Program:
    """Return the program of an S4D, which has no knots to place, with decays of so many bits."""
    graph = program.reference
    if typical.raw is not None:
        graph = calibrate_on(graph, typical.raw, typical.origin)
    with watch.stage("lower"):
        lowered = lower_s4d(graph, settings.decay_bits)
    return compiled(graph, program.profile, watch, effort, lowered=lowered)


def typical_input(graph: FloatGraph) -> Typical:
    """Return the training split of the model's own task, where that needs no file."""
    try:
        task = load_task(graph.task)
    except InputError:
        return Typical(None, "random input")
    return Typical(task.train.x, f"the training split of {graph.task}")


def _random(graph: FloatGraph) -> Array:
    """Return random messages, the same for every model of so many lines."""
    draw, source = np.random.default_rng(_SEED), graph.nodes[graph.source]
    shape = (_SAMPLES, _STEPS, source.neurons)
    if graph.encoder.kind in SIGNED:
        return graph.encoder.to_float(draw.integers(-GRADED_MAX, GRADED_MAX + 1, shape))
    return draw.integers(0, 2, shape).astype(np.float64)


def _unmeasured(graph: FloatGraph) -> Finding:
    message = f"the knots of the lowering were placed for random input: task '{graph.task}' has no training data here"
    hint = "give typical input, --input FILE.npz or compile(..., input=x), or the task's recordings with --data"
    return Finding("range", graph.source, message, hint=hint, severity="warning")

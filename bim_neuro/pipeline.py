"""The pipeline: model -> float graph -> integer graph -> placed program, each stage timed and loggable."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import arguments
from .choices import LOWERINGS
from .compilers.lower_stock import StockSettings
from .compilers.wider_weights import with_weight_bits
from .errors import InputError
from .graph import FloatGraph
from .hardware import load_profile
from .live import Said, read_any
from .nodes.arithmetic import Array
from .program import Program, compiled
from .stages import calibrate_on, sequences_in
from .stopwatch import Stopwatch


def compile_model(
    model: Any,
    target: str = "loihi2",
    *,
    input: Array | Path | None = None,  # noqa: A002
    watch: Stopwatch | None = None,
    effort: float = 1.0,
    layout: str | None = None,
    weight_bits: int = 8,
    lowering: str | None = None,
    **reading: Any,
) -> Program:
    """Compile a model.pt, .nir or .net file, a float graph or another object in memory (`live`) for a target.

    ``reading`` are ``dt``, ``dialect``, ``encoder``, ``sample`` and ``config``. A dialect says what another framework's
    .nir does not: a preset ('norse', 'snntorch', ...), or a table of switches with a preset as 'name'. An encoder is
    how raw input becomes messages of such a graph: 'spikes' (the default), 'graded', 'counts' or 'delta'. ``input``
    (samples, steps, channels), in another ``layout`` or a file, measures the ranges of a graph that brings none, as
    imported ones do, and the scale of its encoder; ``effort`` 0 leaves the cores in order; `arrange` can place them
    later for a run. ``weight_bits`` is 8, or 16 in two lists (`wider_weights`). ``lowering`` 'stock' makes the program
    of processes that Lava ships (`lowering`).
    Raises `InputError` for what cannot be read, `DoesNotFit` with every finding for what the target cannot hold.
    """
    watch = Stopwatch() if watch is None else arguments.instance(watch, Stopwatch, "watch")
    profile = load_profile(target)
    if lowering is not None:
        arguments.choice(lowering, LOWERINGS, "lowering")
    with watch.stage("read"):
        reference = read_any(model, Said(**reading))
    reference = with_weight_bits(reference, weight_bits)
    if input is None and layout is not None:
        raise InputError("layout has no effect without input", "leave it out")
    if input is not None:
        with watch.stage("calibrate"):
            reference = calibrate_on(reference, _sequences(reference, input, layout), "the given input")
    program = compiled(reference, profile, watch, effort if lowering is None else 0.0)
    return program if lowering is None else _lowered(program, input, layout, watch, effort)


def _lowered(program: Program, given: Any, layout: str | None, watch: Stopwatch, effort: float) -> Program:
    """Lower the model, its knots placed by the given input or by the training split of its own task."""
    from .lowering import Typical, typical_input, with_lowering

    reference = program.reference
    typical = typical_input(reference)
    if given is not None:
        typical = Typical(_sequences(reference, given, layout), "the given input")
    return with_lowering(program, StockSettings(), typical, watch, effort)


def _sequences(graph: FloatGraph, given: Any, layout: str | None) -> Any:
    """Return the given input: an array as the graph reads it, or in a layout, or in a file."""
    plain = layout is None and not isinstance(given, Path)
    return given if plain else sequences_in(graph, given, layout, {})

"""The stages between a float graph and its cores: calibrate, quantise, align, place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from . import arguments
from .choices import BINS, TIME_UNITS
from .compilers.align import align
from .compilers.calibrate import SAMPLES, calibrated, range_findings
from .compilers.constants import Constant
from .compilers.fields import wide_sums
from .compilers.lower_s4d import lower_s4d
from .compilers.lower_stock import Lowered
from .compilers.placement.place import moved, place
from .compilers.quantise import quantise_with_units
from .compilers.rounding import rounding
from .compilers.wide_thresholds import with_wide_thresholds
from .errors import DoesNotFit, Finding, InputError
from .graph import FloatGraph, IntegerGraph, PlacedGraph
from .hardware import HardwareProfile
from .model.s4d_graph import has_fixed_decays
from .nodes import measured
from .nodes.arithmetic import Array
from .stopwatch import Stopwatch
from .tasks import ModelInput, read_recordings
from .tasks.layouts import as_sequences


@dataclass(frozen=True)
class Placed:
    """Results of the stages."""

    placed: PlacedGraph
    findings: tuple[Finding, ...]
    """Warnings of the stages."""
    constants: tuple[Constant, ...]
    """Each constant in float and as the integers hold it."""
    exponents: dict[str, float]
    """Scale of each layer's message: its real value is message * 2^-exponent; of those that the model has."""
    state_units: dict[str, dict[str, float]]
    """Real value of one unit of each layer's states, by their names; of those that the model has."""
    lowered: FloatGraph | None
    """The float graph that was made integers, where it is not that of the model."""


def to_cores(
    reference: FloatGraph,
    profile: HardwareProfile,
    watch: Stopwatch,
    effort: float = 1.0,
    before: PlacedGraph | None = None,
    lowered: Lowered | None = None,
) -> Placed:
    """Quantise, align and place; `DoesNotFit` holds every finding, first that of the stage that failed.

    ``effort`` bounds the search for good places of the cores; cores of ``before`` are reused if they are the same.
    Integers are made of what the graph was ``lowered`` to; an S4D has none of its own and is lowered here.
    """
    if has_fixed_decays(reference):
        lowered = lowered or lower_s4d(reference)
    findings = list(range_findings(reference)) if lowered is None or reference.encoder.unmeasured else []
    floats = with_wide_thresholds(lowered.graph if lowered else reference)
    try:
        with watch.stage("quantise"):
            integer, units = quantise_with_units(floats)
            constants = rounding(floats, integer, units)
            findings += [finding for _, finding in constants if finding]
        with watch.stage("align"):
            aligned = align(integer)
            findings += wide_sums(aligned)
        with watch.stage("place"):
            placed = (before and moved(before, aligned, profile)) or place(aligned, profile, effort=effort)
    except DoesNotFit as refusal:  # a warning may be the cause of the error
        raise DoesNotFit((*refusal.findings, *findings)) from None
    listed = tuple(constant for constant, _ in constants)
    if lowered is None:
        return Placed(placed, tuple(findings), listed, units.exponents, units.states, None)
    left = tuple(found for found in findings if (found.rule, found.layer) not in lowered.cleared)
    source = lowered.graph.source
    exponents = {source: units.exponents[source], **lowered.exponents}
    worth = lowered.worth
    states = {name: {state: one * worth[name] for state, one in units.states[name].items()} for name in worth}
    return Placed(placed, left, listed, exponents, states, lowered.graph)


def calibrate_on(reference: FloatGraph, raw: Array, origin: str) -> FloatGraph:
    """Return the graph with its unknown ranges, and an unknown scale of its input, measured on the first of these."""
    few, origin = sequences_for(reference, raw)[:SAMPLES], arguments.text(origin, "origin")
    if reference.encoder.unmeasured:
        encoder, how = measured(reference.encoder, few)
        said = f"the scale of the input was measured on {len(few)} samples of {origin}: {how}"
        reference = replace(
            reference.with_nodes(reference.nodes, read_as=[*reference.extra.get("read_as", ()), said]), encoder=encoder
        )
        reference = with_wide_thresholds(reference)
    return calibrated(reference, reference.encoder.for_float(few), origin)


def what_it_reads(graph: FloatGraph, events: Mapping[str, str]) -> ModelInput:
    """Return the shape of a graph's raw input, and how events become its steps."""
    encoder = graph.encoder
    shape = graph.shape(graph.source)
    if encoder.kind == "delta":  # two lines a channel
        shape = (shape[0] // 2, *shape[1:])
    if encoder.tokens:
        shape = (1,)
    return ModelInput(shape, graph.dt, encoder.kind == "spikes", graph.source, **events)


def sequences_in(graph: FloatGraph, given: Any, layout: str | None, events: Mapping[str, str]) -> Array:
    """Return (samples, steps, channels) of a file, or of an array in any layout, for what a graph reads."""
    for name, value in events.items():
        arguments.choice(name, ("time_unit", "bins", "node"), "argument")
        allowed = {"time_unit": TIME_UNITS, "bins": BINS}.get(name)
        arguments.text(value, name) if allowed is None else arguments.choice(value, allowed, name)
    reads = what_it_reads(graph, events)
    if isinstance(given, str | Path):
        return sequences_for(graph, read_recordings(arguments.path(given, "input"), layout, reads=reads).data.x)
    if events:
        raise InputError(f"{next(iter(events))} has no effect on an array", "it says how a file of events is read")
    return sequences_for(graph, as_sequences(given, layout, reads.shape, "input"))


def float_input(reference: FloatGraph, raw: Any) -> Array:
    """Return what a graph's float law reads for raw sequences, (samples, steps, lines)."""
    return reference.encoder.assumed.for_float(sequences_for(reference, raw))


def sequences_for(graph: FloatGraph | IntegerGraph, raw: Any) -> Array:
    """Return sequences (samples, steps, channels) of finite numbers, one channel for each that the graph reads."""
    if len(shape := getattr(raw, "shape", ())) > len("BTC"):
        message = f"input has shape {tuple(shape)}, the model reads (samples, steps, {graph.encoder.channels})"
        raise InputError(message, "program.sequences(x, layout), as 'TBCHW', brings it into that form")
    return arguments.sequences(raw, "input", channels=graph.encoder.channels)

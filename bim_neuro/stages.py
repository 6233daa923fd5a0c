"""The stages between a float graph and its cores: calibrate, quantise, align, place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from . import arguments
from .compilers.align import align
from .compilers.calibrate import SAMPLES, calibrated, range_findings
from .compilers.constants import Constant
from .compilers.fields import wide_sums
from .compilers.placement.place import moved, place
from .compilers.quantise import quantise_with_units
from .compilers.rounding import rounding
from .errors import DoesNotFit, Finding
from .graph import FloatGraph, IntegerGraph, PlacedGraph
from .hardware import HardwareProfile
from .nodes.arithmetic import Array
from .stopwatch import Stopwatch


@dataclass(frozen=True)
class Placed:
    """Results of the stages."""

    placed: PlacedGraph
    findings: tuple[Finding, ...]
    """Warnings of the stages."""
    constants: tuple[Constant, ...]
    """Each constant in float and as the integers hold it."""
    exponents: dict[str, int]
    """Scale of each layer's message: its real value is message * 2^-exponent."""


def to_cores(
    reference: FloatGraph,
    profile: HardwareProfile,
    watch: Stopwatch,
    effort: float = 1.0,
    before: PlacedGraph | None = None,
) -> Placed:
    """Quantise, align and place; `DoesNotFit` holds every finding, first that of the stage that failed.

    ``effort`` bounds the search for good places of the cores; cores of ``before`` are reused if they are the same.
    """
    findings = list(range_findings(reference))
    try:
        with watch.stage("quantise"):
            integer, units = quantise_with_units(reference)
            constants = rounding(reference, integer, units)
            findings += [finding for _, finding in constants if finding]
        with watch.stage("align"):
            aligned = align(integer)
            findings += wide_sums(aligned)
        with watch.stage("place"):
            placed = (before and moved(before, aligned, profile)) or place(aligned, profile, effort=effort)
    except DoesNotFit as refusal:  # a warning may be the cause of the error
        raise DoesNotFit((*refusal.findings, *findings)) from None
    return Placed(placed, tuple(findings), tuple(constant for constant, _ in constants), units.exponents)


def calibrate_on(reference: FloatGraph, raw: Array, origin: str) -> FloatGraph:
    """Return the graph with its unknown ranges measured on the first of these sequences."""
    few = reference.encoder.encode(sequences_for(reference, raw)[:SAMPLES])
    return calibrated(reference, reference.encoder.to_float(few), arguments.text(origin, "origin"))


def sequences_for(graph: FloatGraph | IntegerGraph, raw: Any) -> Array:
    """Return sequences (samples, steps, channels) of finite numbers, one channel for each that the graph reads."""
    return arguments.sequences(raw, "input", channels=len(graph.encoder.gain))

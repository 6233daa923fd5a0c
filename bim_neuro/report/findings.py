"""Findings of a run: what its numbers say against themselves, beside what the compiler found in the model."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import Finding
from ..graph import IntegerGraph
from ..record import RunRecord

SATURATED_ERROR = 0.1  # of the readout's words: its answers are those of the limit of a word, not of the model


def run_findings(graph: IntegerGraph, record: RunRecord) -> tuple[Finding, ...]:
    """Return what a reader must know of a run before believing its numbers."""
    return tuple(_saturated_output(graph, record))


def _saturated_output(graph: IntegerGraph, record: RunRecord) -> Iterator[Finding]:
    name = graph.output
    saturated, words = record.layers[name].totals()["saturations"], _words(graph, record, name)
    if saturated:
        share = min(1.0, saturated / words)
        message = f"output layer '{name}' saturated in {saturated:,} of {words:,} words ({share:.2%})"
        hint = "answers are cut off: its range was measured on other input; train or calibrate on input like this"
        severity = "error" if share >= SATURATED_ERROR else "warning"
        yield Finding("saturated-output", name, message, saturated, 0, hint, severity)


def _words(graph: IntegerGraph, record: RunRecord, name: str) -> int:
    return record.samples * record.period * graph.nodes[name].neurons

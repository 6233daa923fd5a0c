"""Read a .nir file: the exact copy if present, else the standard graph, with every assumption listed."""

from __future__ import annotations

from dataclasses import replace
from math import isclose
from pathlib import Path

from .. import arguments
from ..choices import ENCODERS
from ..errors import DoesNotFit, InputError
from ..graph import FloatGraph
from ..intake import Budget
from ..nodes import Encoder, Readout
from ..nodes.ranges import with_ranges
from . import exact
from .check import check_dt, check_graph
from .dialect import AnyDialect, Dialect, dialect_of
from .foreign import to_float_graph
from .hdf5 import NirGraph, open_nir, read_graph
from .loops import input_at_neurons
from .metadata import KEY, parse
from .structure import misfits
from .support import FIELD_NAMES, check_values

_MESSAGES = {
    "graded": "signed 8-bit messages of one scale",
    "spikes": "0 and 1 as they are",
    "counts": "whole numbers of spikes, at most 127 a step",
    "delta": "up and down events, two lines a channel",
}


def read_nir(
    path: str | Path,
    dt: float | None = None,
    *,
    integrator: str | None = None,
    dialect: AnyDialect = None,
    encoder: str | None = None,
) -> FloatGraph:
    """Return the float graph of a .nir file.

    ``dt`` (seconds a step) is needed for graphs of other frameworks, whose files do not hold it; where a file
    of ours holds another, that is an `InputError`. ``dialect``, also for those, says what else a file does not hold: a
    preset ('norse', 'snntorch', ...), a table of switches with a preset as 'name', or a `Dialect`. ``integrator`` is
    its switch by the names of earlier versions: 'forward Euler' (the default) or 'exponential Euler'. ``encoder``,
    also for those, is how raw input becomes messages: 'spikes' (the default), 'graded', 'counts' or 'delta'
    (docs/inputs.md). Assumptions are
    listed in ``graph.extra['assumptions']``. Raises `InputError` for a file that cannot be read, `DoesNotFit` with a
    finding for every unsupported node.
    """
    path = arguments.path(path)
    if dt is not None:
        dt = check_dt(dt)
    asked = None if integrator is None and not dialect else dialect_of(dialect, integrator)
    if encoder is not None:
        arguments.choice(encoder, ENCODERS, "encoder")
    tree = open_nir(path, exact.GROUP, FIELD_NAMES, KEY)
    try:
        copy, budget = tree.get(exact.GROUP), Budget.of_file(path.stat().st_size)
        if not isinstance(copy, dict):
            return _read_standard(read_graph(tree, KEY), dt, asked, encoder, budget)
        graph = exact.load(copy, budget)
        _brings_its_own(asked, encoder, graph.encoder)
        _agree(dt, graph.dt)
        return _forget_defaults(graph)
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from None


def _read_standard(
    nir: NirGraph, dt: float | None, asked: Dialect | None, encoder: str | None, budget: Budget
) -> FloatGraph:
    ours = parse(nir.metadata) if nir.metadata is not None else None
    if ours and ours.products:
        raise InputError(
            f"another tool rewrote this file without the exact copy; the selective products of "
            f"{', '.join(ours.products)} cannot be rebuilt from the standard nodes",
            "compile the file that bim-compile wrote, or model.pt",
        )
    if ours and ours.switched:
        raise InputError(
            f"another tool rewrote this file without the exact copy; the resets and counts of "
            f"{', '.join(ours.switched)} cannot be rebuilt from the standard nodes",
            "compile the file that bim-compile wrote, or the framework's own with its --dialect",
        )
    check_values(nir)
    dialect = asked or Dialect()
    dialect.check_layers({name: node.type for name, node in nir.nodes.items()})
    if dialect["rec_input"] == "neuron":
        nir = input_at_neurons(nir)
    if ours:
        _brings_its_own(asked, encoder, ours.encoder)
        _agree(dt, ours.dt)
        graph = to_float_graph(nir, check_dt(ours.dt), ours.dialect, ours.encoder, budget)
        nodes = {name: with_ranges(node, ours.ranges.get(name, {})) for name, node in graph.nodes.items()}
        graph = replace(graph.with_nodes(nodes, **ours.extra), task=ours.task, labels=ours.labels)
    elif dt is None:
        if findings := misfits(nir, None, dialect):
            raise DoesNotFit(findings)
        hint = "give it with --dt SECONDS, as the model was trained"
        raise InputError("a NIR graph does not say how long a step is", hint)
    else:
        graph = to_float_graph(nir, dt, dialect, encoder or "spikes", budget)
        graph = graph.with_nodes(graph.nodes, read_as=[_said(graph.encoder, encoder)])
    check_graph(graph)
    return graph


def _brings_its_own(asked: Dialect | None, encoder: str | None, own: Encoder) -> None:
    if asked is not None:
        raise InputError("the file is bim-neuro's, which brings its own dialect", "leave --dialect out")
    if encoder is not None:
        hint = "leave --encoder out, or compile the framework's own file"
        raise InputError(f"the file is bim-neuro's, which brings its own encoder ({own.kind})", hint)


def _said(encoder: Encoder, asked: str | None) -> str:
    """Say which encoder was taken, and why."""
    why = "as --encoder says" if asked else "the graph brings none, and no --encoder was given"
    law = "the float law reads the raw values" if encoder.reads_raw else "the float law reads the same"
    return f"encoder {encoder.kind} ({why}): {_MESSAGES[encoder.kind]}; {law}"


def _forget_defaults(graph: FloatGraph) -> FloatGraph:
    """Drop the ranges of imported readouts in a file of version 0.1: they are always 1, whatever the input."""
    if "assumptions" not in graph.extra or "calibration" in graph.extra:
        return graph
    nodes = {
        name: with_ranges(node, {"v": 0.0}) if isinstance(node, Readout) and node.v_range == 1 else node
        for name, node in graph.nodes.items()
    }
    return graph.with_nodes(nodes)


def _agree(dt: float | None, stored: float) -> None:
    if dt is not None and not isclose(dt, stored, rel_tol=1e-9):
        raise InputError(f"the file was written with dt = {stored:g} s, --dt says {dt:g} s", "leave --dt out")

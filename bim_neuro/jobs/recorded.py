"""The float law beside what the model's own framework sent, from a file: every bin, in every layer that it holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from .. import arguments
from ..errors import Finding, InputError
from ..intake import read_npz, read_npz_headers
from ..nodes.arithmetic import Array
from ..program import Program
from ..simulation import simulate_float, ties
from ..stages import sequences_for
from .chosen import Chosen

OUT = "out"
"""The name under which a file may hold what the output sends."""
_HINT = "save it as numpy.savez(path, out=what_the_output_sent), or by the names of layers (docs/nir.md)"


def against(program: Program, raw: Array, theirs: Mapping[str, Array], *, bits: int = 64) -> tuple[ties.Compared, ...]:
    """Compare the float law of a program with what the model's framework sent, bin by bin.

    ``theirs`` is {layer: (samples, steps, neurons)}. Bins in which a voltage is within 1e-5 of its threshold are ties
    and counted apart: `simulation.ties`. ``bits`` is 64, or 32 as in most frameworks.
    """
    if not isinstance(theirs, Mapping):
        raise InputError(f"theirs is {arguments.said(theirs)}, a table {{layer: array}} is needed")
    graph = arguments.instance(program, Program, "program").reference
    x = program.graph.encoder.for_float(sequences_for(graph, raw))
    return ties.against(
        graph, lambda probe, watch: simulate_float(graph, x, probe=probe, watch=watch, bits=bits), theirs
    )


def compared_with(file: Path, program: Program, chosen: Chosen, bits: int) -> tuple[tuple[str, ...], list[Finding]]:
    """Return a sentence for each layer of a framework's record, and a finding for each in which bins differ."""
    if chosen.split is not None:
        raise InputError(f"{file} holds no splits, {chosen.origin} is one", "add --split all")
    layers = {OUT: program.reference.output, **{name: name for name in program.reference.nodes}}
    held = [name for name in read_npz_headers(file) if name in layers]
    if not held:
        raise InputError(f"{file} holds nothing that a layer sends: {', '.join(read_npz_headers(file))}", _HINT)
    arrays = read_npz(file, tuple(held))
    theirs = {layers[name]: _as_chosen(file, name, array, chosen) for name, array in arrays.items()}
    rows = against(program, chosen.data.x, theirs, bits=bits)
    said = f"{ties.BESIDE} {bits} bits beside {file}"
    return tuple(f"{said}: {row}" for row in rows), [_differs(row) for row in rows if row.differ]


def _as_chosen(file: Path, name: str, array: Array, chosen: Chosen) -> Array:
    """Return the samples and steps that are run, samples first."""
    samples, steps = chosen.data.x.shape[:2]
    if array.ndim >= 2 and (chosen.layout or "").startswith("T"):
        array = array.swapaxes(0, 1)
    if array.ndim < 2 or array.shape[0] < samples or array.shape[1] < steps:
        said = f"{name} of {file} has the shape {array.shape}, {samples} samples of {steps} steps are run"
        raise InputError(said, "its axes are those of x")
    return np.asarray(array[:samples, :steps]).reshape(samples, steps, -1)


def _differs(row: ties.Compared) -> Finding:
    message = f"the float law is not its framework's: {row}"
    hint = "is --dialect the framework's, are its switches those of the model, is --dt right?"
    return Finding("framework", row.layer, message, row.differ, 0, hint, "warning")

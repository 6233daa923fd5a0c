"""--expect: a request completed by what its recording says, and the recording beside the run of the program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ..errors import Finding, InputError
from ..expect import against
from ..expect.recording import Recording, head_of, recording_of
from ..expect.search import NOT_SEARCHED, Found, dialect_in_force, search
from ..graph import Graph
from ..model.s4d_graph import has_fixed_decays
from ..nir_bridge import ForeignFile, foreign_file
from ..nodes.arithmetic import Array
from ..printable import counted
from ..program import Program
from ..report import models
from ..simulation.ties import Compared
from ..stages import float_input
from .chosen import Chosen
from .request import Request

ENOUGH = 100
"""Spikes of an output under which a recording proves nothing."""


def completed(request: Request) -> Request:
    """Return the request with the input, layout and step that its recording holds, where it names none itself."""
    if request.expect is None:
        return request
    head = head_of(request.expect)
    own = request.input is None and head.has_input
    if request.input is None and not own and not head.integers:
        raise InputError(f"{head.origin} holds no input", "save x beside out, or name the input with --input")
    layout = head.layout if request.layout is None and (own or request.input == request.expect) else request.layout
    step = request.dt
    if step is None and head.dt is not None and foreign_file(request.model, head.dt, request.encoder):
        step = head.dt
    return replace(request, input=request.expect if own else request.input, layout=layout, dt=step)


def recorded(request: Request, program: Program, chosen: Chosen) -> Recording | None:
    """Return the recording of a request, once it is known to fit what is run; None where there is none."""
    file = request.expect
    if file is None:
        return None
    integers = head_of(file).integers  # of the first samples of a run as this one, whatever split it took
    if chosen.split is not None and not integers:
        raise InputError(f"{file} holds no splits, {chosen.origin} is one", "add --split all")
    graph: Graph[Any] = program.graph if integers else program.reference
    recording = recording_of(file, graph.nodes, graph.output).with_samples_first(chosen.layout)
    against.check_fits(recording, graph, chosen.data.x)
    return recording.at(request.moments or {})


def beside(request: Request, program: Program, recording: Recording, raw: Array) -> tuple[models.Expect, list[Finding]]:
    """Return the comparison of a run with the recording of its request, and its findings."""
    if recording.integers:
        rows = against.integer_rows(program, raw, recording)
        return _expect(request, program, recording, rows, NOT_SEARCHED), list(_integer_findings(rows))
    x = float_input(program.reference, raw)
    foreign = foreign_file(request.model, request.dt, request.encoder)
    units = foreign.with_dialect(dialect_in_force(request.dialect))[1] if foreign else against.NO_UNITS
    rows = against.float_rows(program.reference, x, recording, units, request.float_bits)
    found = _searched(request, rows, foreign, recording, x)
    rows += against.integer_rows(program, raw, recording)
    expect = _expect(request, program, recording, rows, found)
    return expect, list(_float_findings(expect, rows))


def _searched(
    request: Request, rows: Sequence[Compared], foreign: ForeignFile | None, recording: Recording, x: Array
) -> Found:
    """Search the dialects of a foreign file where the one in force differs."""
    if foreign is None or not any(row.differ for row in rows):
        return NOT_SEARCHED
    return search(foreign, dialect_in_force(request.dialect), recording, x, request.float_bits)


def _expect(
    request: Request, program: Program, recording: Recording, rows: Sequence[Compared], found: Found
) -> models.Expect:
    law = "integer" if recording.integers else "float"
    in_force = [row for row in rows if row.law == law]
    differing = sum(row.differ for row in in_force)
    output = program.reference.output
    spikes = sum(row.theirs for row in in_force if row.layer == output and row.what == "message")
    foreign = _has_dialect(program) and not recording.integers
    name = str(dialect_in_force(request.dialect)) if foreign else None
    mine = {name: differing} if name else {}
    return models.Expect(
        file=recording.origin,
        kind="integers" if recording.integers else "framework",
        float_bits=32 if request.float_bits == 32 else 64,
        differing=differing,
        spikes=spikes,
        proved=not differing and spikes >= ENOUGH,
        dialect=name,
        dialects={**mine, **found.bins},
        consistent=found.consistent if differing else tuple(mine),
        tried=found.tried,
        undecided=tuple(models.Undecided(switch, values) for switch, values in found.undecided.items()),
        layers=tuple(map(_layer, rows)),
    )


def _has_dialect(program: Program) -> bool:
    return "read_as" in program.reference.extra and not has_fixed_decays(program.reference)


def _layer(row: Compared) -> models.ExpectLayer:
    values = {
        "layer": row.layer,
        "what": row.what,
        "law": row.law,
        "bins": row.bins,
        "differing": row.differ,
        "ties": row.ties,
        "ties_differing": row.differ_at_ties,
        "theirs": row.theirs,
        "ours": row.ours,
        "first": None if row.first is None else models.FirstBin(*row.first),
    }
    return models.made(models.ExpectLayer, values)


def _float_findings(expect: models.Expect, rows: Sequence[Compared]) -> list[Finding]:
    """Say of each layer that it differs, and of an output that says too little that it proves nothing."""
    found = [_differs(row, expect) for row in rows if row.law == "float" and row.differ]
    if expect.spikes < ENOUGH:
        said = f"nothing is proved: the recorded output has {expect.spikes:,.0f} spikes, at least {ENOUGH} are needed"
        hint = "record more samples, or input that makes the output fire"
        found.append(Finding("expect-silent", "", said, expect.spikes, ENOUGH, hint, "warning"))
    return found


def _differs(row: Compared, expect: models.Expect) -> Finding:
    hint = "is --dialect the framework's, are its switches those of the model, is --dt right?"
    if expect.dialect is None:
        hint = "is the recorded input that of the run, is s4d.activation that of the model?"
    if expect.consistent:
        hint = f"no bin differs under {expect.consistent[0]}"
    message = f"the float law is not its framework's: {row}"
    return Finding("framework", row.layer, message, row.differ, 0, hint, "warning")


def _integer_findings(rows: Sequence[Compared]) -> list[Finding]:
    """Name the first layer, step and neuron at which a chip's integers differ from ours."""
    first = against.first_of(tuple(rows))
    if first is None or first.first is None:
        return []
    sample, step, neuron = first.first
    where = f"layer '{first.layer}' ({first.what}), sample {sample}, step {step}, neuron {neuron}"
    bins = sum(row.differ for row in rows)
    message = f"the recorded integers differ from ours in {counted(bins, 'bin')}, first at {where}"
    return [Finding("expect-integers", first.layer, message, bins, 0, "is it the recording of this model?", "warning")]

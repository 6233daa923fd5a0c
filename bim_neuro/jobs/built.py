"""Built: the program that a run and a check make of one request, its cores not arranged yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..choices import SEGMENTS
from ..compilers.lower_stock import StockSettings
from ..compilers.prune import pruned
from ..errors import Finding, InputError
from ..hardware import at_boundary
from ..lowering import with_lowering
from ..model.s4d_graph import has_fixed_decays
from ..pipeline import compile_model
from ..program import Program
from ..reading import read_model
from ..stopwatch import Stopwatch
from .request import Request
from .sequences import training_input


def program_of(request: Request, watch: Stopwatch) -> Program:
    """Compile the model of a request; a run arranges its cores later, where it knows the traffic."""
    program = _compiled(request, watch)
    if request.netx == "yes":
        from ..netx import layers_of

        layers_of(program.graph)  # refuses what model.net could not hold before anything runs
    return program


def _compiled(request: Request, watch: Stopwatch) -> Program:
    reading: dict[str, Any] = {name: getattr(request, name) for name in ("dt", "dialect", "encoder", "activation")}
    model: Any = request.model
    if request.prune:
        with watch.stage("prune"):
            model, reading = pruned(read_model(model, **reading), request.prune), {}
    compiled = compile_model(model, request.target, watch=watch, effort=0.0, weight_bits=request.weight_bits, **reading)
    fused = replace(compiled, profile=at_boundary(compiled.profile, request.boundary))
    if request.lowering is None:
        return fused
    if has_fixed_decays(fused.reference) and request.segments != SEGMENTS:
        raise InputError("lowering.segments has no effect on an S4D, whose decays are fixed", "leave it out")
    settings = StockSettings(request.segments, request.decay_bits)
    return with_lowering(fused, settings, training_input(fused, request.wanted), watch, effort=0.0)


def unplayed_by(importer: str | None, program: Program) -> tuple[Finding, ...]:
    """Return a warning for each node of model.nir that the importer it is written for does not play."""
    if importer is None:
        return ()
    from ..nir_bridge import unplayed

    return unplayed(program.reference, importer)

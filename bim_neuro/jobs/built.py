"""Built: the program that a run and a check make of one request, its cores not arranged yet."""

from __future__ import annotations

from ..errors import Finding
from ..pipeline import compile_model
from ..program import Program
from ..stopwatch import Stopwatch
from .request import Request


def program_of(request: Request, watch: Stopwatch) -> Program:
    """Compile the model of a request; a run arranges its cores later, where it knows the traffic."""
    return compile_model(
        request.model,
        request.target,
        dt=request.dt,
        dialect=request.dialect,
        encoder=request.encoder,
        watch=watch,
        effort=0.0,
        weight_bits=request.weight_bits,
    )


def unplayed_by(importer: str | None, program: Program) -> tuple[Finding, ...]:
    """Return a warning for each node of model.nir that the importer it is written for does not play."""
    if importer is None:
        return ()
    from ..nir_bridge import unplayed

    return unplayed(program.reference, importer)

"""Built: the program that a run and a check make of one request, its cores not arranged yet."""

from __future__ import annotations

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

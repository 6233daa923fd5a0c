"""Bio-Inspired Mamba on neuromorphic hardware: train, compile for Loihi 2, simulate the integers, read the energy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path

    from .pipeline import Program


def compile(  # noqa: A001
    model: str | Path | Any,
    target: str = "loihi2",
    *,
    dt: float | None = None,
    input: Any = None,  # noqa: A002
) -> Program:
    """Compile a model.pt or .nir file (or a float graph) for a target; see `bim_neuro.pipeline.Program`.

    ``input`` (samples, steps, channels) measures how large the numbers of an imported graph get: without it bounds
    take their place, which cost precision.

    >>> program = bim_neuro.compile("model.pt")              # doctest: +SKIP
    >>> record = program.run(x)                              # doctest: +SKIP
    >>> program.to_lava(x).processes["block1.lif"]           # doctest: +SKIP
    """
    from .pipeline import compile_model

    return compile_model(model, target, dt=dt, input=input)

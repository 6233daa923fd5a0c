"""Bio-Inspired Mamba on neuromorphic hardware: train, compile for Loihi 2, simulate the integers, read the energy.

    program = bim_neuro.compile("digits.pt", target="loihi2")
    program.run(x).predicted

Public is what `__all__` lists, with its arguments, attributes and errors; it changes only with a line in CHANGELOG.md
under Changed and, from 1.0 on, with a major version. Every other module may be read and imported, and may move in any
version. Names load when they are used: importing bim_neuro imports neither numba nor torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from pathlib import Path

    from .program import Program

_HOMES = {
    "Program": ("program", "Program"),
    "verify": ("simulation.agreement", "verify"),
    "RunRecord": ("record", "RunRecord"),
    "load": ("compilers.artefact", "load_artefact"),
    "save": ("live", "save"),
    "self_test": ("compilers.artefact", "check"),
    "write_board": ("compilers.board", "write_board"),
    "lava_available": ("compilers.to_lava.compat", "lava_available"),
    "read_nir": ("nir_bridge", "read_nir"),
    "write_nir": ("nir_bridge", "write_nir"),
    "read_net": ("netx", "read_net"),
    "write_net": ("netx", "write_net"),
    "load_profile": ("hardware", "load_profile"),
    "fit": ("estimates.fit", "fit"),
    "Measurement": ("estimates.fit", "Measurement"),
    "load_task": ("tasks", "load_task"),
    "Task": ("tasks", "Task"),
    "Dataset": ("tasks", "Dataset"),
    "plan_for": ("jobs.train", "plan_for"),
    "train_task": ("jobs.train", "train_task"),
    "against": ("expect.against", "against"),
    "Request": ("jobs.request", "Request"),
    "compile_to_folder": ("jobs.compile", "compile_to_folder"),
    "Plasticity": ("plasticity.request", "Plasticity"),
    "learn": ("jobs.learn", "learn"),
    "BimError": ("errors", "BimError"),
    "InputError": ("errors", "InputError"),
    "BackendMissing": ("errors", "BackendMissing"),
    "DoesNotFit": ("errors", "DoesNotFit"),
    "ThresholdMissed": ("errors", "ThresholdMissed"),
    "BackendFailed": ("errors", "BackendFailed"),
    "Finding": ("errors", "Finding"),
}
"""Where each public name but `compile` lives: (module, its name there)."""

_MORE = ("layout", "weight_bits", "config", "lowering", "activation")

__all__ = ["__version__", "compile", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'bim_neuro' has no attribute '{name}'")
    module, there = _HOMES[name]
    if module == "jobs.train":
        from .extras import check_extra

        check_extra("train", "torch", f"bim_neuro.{name}")
    return getattr(import_module(f".{module}", __name__), there)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def compile(  # noqa: A001
    model: str | Path | Any,
    target: str = "loihi2",
    *,
    dt: float | None = None,
    dialect: Any = None,
    encoder: str | None = None,
    input: Any = None,  # noqa: A002
    sample: Any = None,
    **more: Any,
) -> Program:
    """Compile a model for a target; see `bim_neuro.Program`.

    ``model`` is a model.pt, .nir or .net file, or in memory: a module of norse, snnTorch, SpikingJelly or sinabs with a
    ``sample`` of what one step feeds it (batch, ...), a nir.NIRGraph, a `BIMNetwork`, its weights with a ``config``
    (also a file of them), the weights of an S4D (also a file; docs/stock.md), or a float graph. ``dt`` is the seconds
    of a step where the model does not say it.

    ``dialect`` says what another framework's .nir does not say of its neurons (docs/nir.md): "norse", "snntorch",
    "sinabs", "spikingjelly", "rockpool", "spyx", or a table of switches as {"name": "snntorch", "reset": "zero"}.
    ``encoder`` is how raw input becomes messages of such a graph: "spikes" (the default), "graded", "counts" or "delta"
    (docs/inputs.md). ``input`` (samples, steps, channels), in another ``layout`` as "TBCHW", or the Path of a file,
    measures how large the numbers of an imported graph get: without it bounds take their place, which cost precision.
    ``weight_bits`` is 8, or 16: two lists of 8, and neurons in microcode. ``lowering`` "stock" takes a model.pt to
    processes that Lava ships, and to nothing else (docs/stock.md); ``input`` then says where its segments lie.
    ``activation`` of an S4D is "relu" (the default) or "none".

    >>> import bim_neuro
    >>> program = bim_neuro.compile("examples/digits.pt")
    >>> x = bim_neuro.load_task("digits").test.x[:2]
    >>> program.run(x).predicted
    array([2, 3])

    Where Lava is installed, ``program.to_lava(x).processes`` are the same layers as connected Lava processes.
    """
    from .pipeline import compile_model

    return compile_model(
        model, target, dt=dt, dialect=dialect, encoder=encoder, input=input, sample=sample, **_known(more)
    )


def _known(more: dict[str, Any]) -> dict[str, Any]:
    """Return further arguments of `compile`, those of ``_MORE``; refuse others."""
    if unknown := [name for name in more if name not in _MORE]:
        raise TypeError(f"compile() got an unexpected keyword argument '{unknown[0]}'")
    return more

"""Simulators of a graph on the CPU: the plain numpy law, and the compiled engine with the same integers.

The engine's names load on first use, so that a command that simulates nothing does not wait for the compiler.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .reference import simulate, simulate_float

if TYPE_CHECKING:
    from .compiled import Engine, Tuning, simulate_engine
    from .lines import InputEvents
    from .stream import Stream

__all__ = ["Engine", "InputEvents", "Stream", "Tuning", "simulate", "simulate_engine", "simulate_float"]


def __getattr__(name: str) -> Any:
    if name in ("Engine", "Tuning", "simulate_engine"):
        from . import compiled

        return getattr(compiled, name)
    if name == "InputEvents":
        from .lines import InputEvents

        return InputEvents
    if name == "Stream":
        from .stream import Stream

        return Stream
    raise AttributeError(f"module 'bim_neuro.simulation' has no attribute '{name}'")

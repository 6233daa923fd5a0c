"""Compiled kernels of the engine, written from docs/numerics.md; they share no line with the numpy law."""

from .layout import Tables, Work
from .run import run
from .synapses import unfold

__all__ = ["Tables", "Work", "run", "unfold"]

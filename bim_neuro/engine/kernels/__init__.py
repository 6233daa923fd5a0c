"""Compiled kernels of the engine, written from docs/numerics.md; they share no line with the numpy law."""

from .layout import Tables, Work
from .run import advance, run_samples
from .synapses import unfold

__all__ = ["Tables", "Work", "advance", "run_samples", "unfold"]

"""Compiled kernels of the engine, written from docs/numerics.md; they share no line with the numpy law."""

from .layout import Tables, Work
from .run import run
from .synapses import unfold
from .team import SYNC_WORDS, give_up

__all__ = ["SYNC_WORDS", "Tables", "Work", "give_up", "run", "unfold"]

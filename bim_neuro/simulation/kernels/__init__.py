"""Compiled kernels of the engine, written from docs/numerics.md; they share no line with the numpy law."""

from .layout import Listed, Tables, Work
from .run import run
from .source import list_lines
from .synapses import unfold
from .team import SYNC_WORDS, give_up

__all__ = ["SYNC_WORDS", "Listed", "Tables", "Work", "give_up", "list_lines", "run", "unfold"]

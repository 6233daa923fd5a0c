"""Lava: the only package that imports it; models run in a child process with a time limit."""

from .compat import import_lava, lava_available
from .run import run_lava

__all__ = ["import_lava", "lava_available", "run_lava"]

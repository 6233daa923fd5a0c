"""The words that a user chooses from, each list in one place; light, so that the command line can name them."""

from __future__ import annotations

BACKENDS = ("engine", "reference", "lava")
"""Where the integers are computed."""
OBJECTIVES = ("energy", "latency", "cores")
"""What a placement is chosen for."""
SPLITS = ("train", "validation", "test")
"""Which samples of data that are split."""
LAYOUTS = ("BTC", "TBC")
"""Which axis of x counts samples (B), steps (T) and channels (C)."""

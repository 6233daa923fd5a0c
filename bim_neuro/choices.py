"""The choices of options, each list in one place; no heavy imports, so that the command line can list them."""

from __future__ import annotations

BACKENDS = ("engine", "reference", "lava")
"""Where the integers are computed."""
OBJECTIVES = ("energy", "latency", "cores")
"""What a placement minimises."""
SPLITS = ("train", "validation", "test")
"""Which samples of data that are split."""
LAYOUTS = ("BTC", "TBC")
"""Which axis of x counts samples (B), steps (T) and channels (C)."""
DIALECTS = ("nir", "norse", "snntorch", "sinabs", "spikingjelly", "rockpool", "spyx")
"""Presets of what a NIR file does not say; `nir_bridge.dialect` holds them."""

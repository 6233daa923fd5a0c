"""The choices of options, each list in one place; no heavy imports, so that the command line can list them."""

from __future__ import annotations

from typing import Final

BACKENDS = ("engine", "reference", "lava")
"""Where the integers are computed."""
DEVICES = ("auto", "cpu", "cuda")
"""Where a network is trained; auto is cuda where there is one."""
CREDITS = ("segment", "spatial", "local")
"""How forward traces give blocks below the top one their gradient (training/online.py)."""
CREDIT: Final = "segment"
"""Which of them, unless another is asked for."""
SEGMENT = 32
"""Steps of a segment: the lower of two blocks then has a cosine of .99 and more to the truth (docs/learning.md)."""
OBJECTIVES = ("energy", "latency", "cores")
"""What a placement minimises."""
BOUNDARIES = ("cores", "chip", "board")
"""What a static power is the power of, smallest first. Each contains the one before: they are never added."""
SPLITS = ("train", "validation", "test")
"""Which samples of data that are split."""
HEADS = ("class", "step", "next", "labels", "ctc")
"""What a task asks of a sequence (tasks/heads.py)."""
EVERY_STEP = ("step", "next")
"""Heads that are asked at steps of their own."""
BY_STEP = (*EVERY_STEP, "ctc")
"""Heads whose readout is read at each step, not as its mean."""
SOFTMAXES = ("full", "adaptive")
"""How probabilities of tokens are read from a readout (tasks/clusters.py)."""
LEAST_ROWS = 32
"""Of a readout whose softmax is adaptive: thirty tokens and two clusters."""
NOT_ASKED = -1
"""The label of a step at which nothing is asked, and of a string's padding."""
SPEAKERS = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
"""Of the Free Spoken Digit Dataset; a task leaves each out of training."""
LAYOUTS = ("BTC", "TBC", "BTCL", "TBCL", "BTCHW", "TBCHW")
"""Which axis of x counts samples (B), steps (T), channels (C), and places: on a line (L), rows (H), columns (W)."""
ENCODERS = ("graded", "spikes", "counts", "delta")
"""How raw values become the messages of a graph that brings no encoder."""
KNOWN_ENCODERS = (*ENCODERS, "token", "table")
"""Those that a graph may bring."""
TIME_UNITS = ("s", "ms", "us", "ns")
"""Of the times of events."""
LOWERINGS = ("stock",)
"""What the blocks of a model become, beside neurons in microcode of their own."""
SEGMENTS = 8
"""Straight pieces of a lowered model's decays, unless others are asked for."""
ACTIVATIONS = ("relu", "none")
"""What stands between the states of an S4D and its readout."""
BINS = ("count", "any")
"""What a step and line with several events holds: how many, or 1."""
DIALECTS = ("plain", "norse", "snntorch", "sinabs", "spikingjelly", "rockpool", "spyx", "lava-dl")
"""Presets of what a NIR file does not say (nir_bridge/dialects.toml); earlier requests call plain 'nir'."""
NETX_FILES = ("auto", "yes", "no")
"""Whether model.net is written: where lava-dl's netx can express the program, always or not at all, or never."""
BASELINES = ("transformer", "mamba", "lstm", "cnn", "rnn", "snn", "linear", "unigram")
"""Networks that a training can compare with (training/baselines)."""
MODELS = ("bim", *BASELINES)
"""What can be trained."""
IMPORTERS = ("norse", "snntorch", "spikingjelly", "nir104")
"""Whose importer a model.nir is written for; `nir_bridge.importers` holds what they disagree on."""

"""Small random models for tests: untrained, calibrated on their own input, quick to build."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.quantise import quantise
from bim_neuro.graph import FloatGraph, IntegerGraph
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.arithmetic import Array


def small_input(samples: int = 3, steps: int = 6, channels: int = 5, seed: int = 0) -> Array:
    """Return raw input in -1..1, (samples, steps, channels)."""
    return np.random.default_rng(seed).uniform(-1, 1, (samples, steps, channels))


def small_checkpoint(
    seed: int = 0, *, channels: int = 12, states: int = 3, taps: int = 4, blocks: int = 1, **variant: Any
) -> Checkpoint:
    """Return a random network of 5 inputs and 4 classes with calibrated ranges."""
    torch.manual_seed(seed)
    config = NetworkConfig(inputs=5, classes=4, channels=channels, states=states, taps=taps, blocks=blocks, **variant)
    encoder = Encoder("graded", gain=np.full(5, 127.0), offset=np.zeros(5))
    network = away_from_start(BIMNetwork(config))
    checkpoint = Checkpoint(config, 1e-3, "own", ("a", "b", "c", "d"), encoder, dict(network.state_dict()), {})
    x = encoder.to_float(encoder.encode(small_input(samples=32, seed=seed + 1)))
    return replace(checkpoint, ranges=calibrate(export(checkpoint), x))


def away_from_start(network: BIMNetwork) -> BIMNetwork:
    """Return the network with ratios of thresholds, and norms, that are not the 1 they begin with."""
    for block in network.blocks:
        if network.config.thresholds:
            torch.nn.init.normal_(block.log_ratio, std=0.4)  # type: ignore[arg-type]
        if network.config.norm:
            torch.nn.init.uniform_(block.spread, 0.5, 1.5)  # type: ignore[arg-type]
    return network


def small_graphs(seed: int = 0, **shape: Any) -> tuple[FloatGraph, IntegerGraph]:
    """Return the float graph and the aligned integer graph of a small checkpoint."""
    reference = export(small_checkpoint(seed, **shape))
    return reference, align(quantise(reference))

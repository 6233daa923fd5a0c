"""Small plastic blocks for tests: random, calibrated on their own input."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from small_models import small_checkpoint, small_input

from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.plasticity.block import plastic_block
from bim_neuro.graph import FloatGraph
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.plasticity.trace_process.block import PlasticBlock


@dataclass(frozen=True)
class Case:
    """A plastic block, the float model it came from, encoded input x (samples, T, 5) and classes y."""

    checkpoint: Checkpoint
    reference: FloatGraph
    block: PlasticBlock
    x: Array
    y: Array


def plastic_case(
    model: int = 0, *, samples: int = 6, steps: int = 14, spiking: bool = False, channels: int = 8, states: int = 3,
    taps: int = 4, **plasticity: Any,
) -> Case:  # fmt: skip
    """Return a random block, calibrated on its own input; ``plasticity`` as in `Plasticity`."""
    checkpoint = small_checkpoint(model, channels=channels, states=states, taps=taps)
    raw = small_input(samples, steps, seed=model + 50)
    if spiking:
        encoder, raw = Encoder("spikes", np.ones(5), np.zeros(5)), (raw > 0.3).astype(float)
        checkpoint = replace(checkpoint, encoder=encoder, ranges={})
        checkpoint = replace(checkpoint, ranges=calibrate(export(checkpoint), raw))
    x = checkpoint.encoder.encode(raw)
    reference = export(checkpoint)
    block = plastic_block(reference, Plasticity(**({"rule": "rtrl", "rate": 0.2} | plasticity)), x)
    return Case(checkpoint, reference, block, x, np.arange(samples) % 4)

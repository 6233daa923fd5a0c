"""Small plastic blocks for tests, and the two ways to run their traces: the numpy law and the compiled kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from small_models import small_checkpoint, small_input

from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.plastic import plastic_block
from bim_neuro.graph import FloatGraph
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.description import Plasticity
from bim_neuro.plasticity.exact import Played, play_exact
from bim_neuro.plasticity.learner import PlasticBlock
from bim_neuro.plasticity.trace_kernel import Traces, Weights, play
from bim_neuro.plasticity.trace_process import NAMES, TraceProcess


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
    block = plastic_block(reference, Plasticity(**({"rule": "rtrl"} | plasticity)), x)
    return Case(checkpoint, reference, block, x, np.arange(samples) % 4)


def by_law(block: PlasticBlock, x: Array, first: int = 0, begin: int = 0, process: TraceProcess | None = None) -> Played:
    """Play x (T, M) through the numpy law; ``process`` in the place of the block's own."""
    return play_exact(
        block.graph, block.relays, process or block.process, block.weights(), block.readout, block.omega, x, first, begin
    )


def by_kernel(block: PlasticBlock, x: Array, first: int = 0, begin: int = 0) -> tuple[Played, int]:
    """Play x (T, M) through the compiled kernel; also return how many trace words saturated."""
    traces, weights = block.traces(), block.weights()
    spikes, psis = (np.zeros((len(x), block.process.channels), np.int64) for _ in range(2))
    output = np.zeros(len(weights["w_o"]), np.int64)
    lost = play(block.words, Weights(**weights), x, traces, first, begin, spikes, psis, output)
    return Played(output, spikes, dict(zip(NAMES, traces, strict=True))), lost


def exact(block: PlasticBlock) -> TraceProcess:
    """Return the process in float64, without rounding."""
    return replace(block.process, bits=None, units=dict.fromkeys(NAMES, 0))


def gradient(block: PlasticBlock, played: Played, target: int) -> dict[str, Array]:
    """Return the products of N22 for what was played, in float64."""
    weights, error = block.weights(), block.error(played.output, target)
    traces = Traces(*(played.traces[name].astype(np.float64) for name in NAMES))
    signal = (error @ weights["w_o"]).astype(np.float64)
    return {
        "w_u": (signal * block.gain / 2**16)[:, None] * traces.r_u,
        "w_dt": signal[:, None] * traces.r_dt,
        "w_b": np.einsum("d,dnj->nj", signal, traces.r_b),
        "w_c": np.einsum("d,dnj->nj", signal, traces.r_c),
        "w_o": error[:, None] * traces.r_o,
    }


def cosines(left: dict[str, Array], right: dict[str, Array]) -> dict[str, float]:
    """Return the cosine of each group."""
    return {
        group: float((left[group] * right[group]).sum() / np.linalg.norm(left[group]) / np.linalg.norm(right[group]))
        for group in left
    }

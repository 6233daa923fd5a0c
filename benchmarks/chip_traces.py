"""How well fixed-point trace words keep the gradient: bits by rounding, against the same traces in float64.

Both follow the trajectory of the same integer block. A second comparison holds the float64 traces of the integer block
against the gradient of the float model, with the block's own weights in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.chip_cue import random_model
from bim_neuro.compilers.plasticity.block import plastic_block, real_weights
from bim_neuro.compilers.plasticity.roles import roles_of
from bim_neuro.jobs.learn import CALIBRATION
from bim_neuro.model.checkpoint import Checkpoint, load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.synapses import WEIGHT_MAX
from bim_neuro.plasticity.request import GROUPS, ROUNDINGS, Plasticity
from bim_neuro.plasticity.trace_process.block import PlasticBlock
from bim_neuro.plasticity.trace_process.kernel import play
from bim_neuro.plasticity.trace_process.law import NAMES, TraceProcess
from bim_neuro.plasticity.trace_process.parameters import EachTrace, Weights
from bim_neuro.plasticity.trace_process.play import Played, play_exact
from bim_neuro.tasks import load_task
from bim_neuro.tasks.cue import load_cue_task
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.readout import Loss

BITS = (6, 8, 10, 12, 14, 16)
SAMPLES = 8
_ALL = CALIBRATION + SAMPLES
LONG = 300
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@dataclass(frozen=True)
class Case:
    """A model, encoded input x (samples, T, lines) and classes y; the first `CALIBRATION` set the traces' units."""

    name: str
    model: Checkpoint
    x: Array
    y: Array

    def block(self) -> PlasticBlock:
        return plastic_block(export(self.model), Plasticity("rtrl"), self.x[:CALIBRATION])


def cases(seed: int) -> list[Case]:
    """Return an untrained block on cues and on long noise, and the trained digits model."""
    cue, digits = load_cue_task(None, seed), load_task("digits", None)
    model, trained = random_model(cue, seed), load_checkpoint(EXAMPLES / "digits.pt")
    rng = np.random.default_rng(seed)
    pick = rng.permutation(len(digits.train))[:_ALL]
    lines = model.encoder.source.neurons
    noise = model.encoder.encode(rng.random((_ALL, LONG, lines)) < 0.15)
    return [
        Case("cue, random weights, 30 steps", model, model.encoder.encode(cue.train.x[:_ALL]), cue.train.y),
        Case(f"noise, random weights, {LONG} steps", model, noise, rng.integers(0, 4, _ALL)),
        Case("digits.pt, 8 steps", trained, trained.encoder.encode(digits.train.x[pick]), digits.train.y[pick]),
    ]


def by_law(
    block: PlasticBlock, x: Array, *, first: int = 0, begin: int = 0, process: TraceProcess | None = None
) -> Played:
    """Play x (T, M) through the numpy law; ``process`` in the place of the block's own."""
    return play_exact(block, process or block.process, block.weights(), x, first, begin)


def by_kernel(block: PlasticBlock, x: Array, *, first: int = 0, begin: int = 0) -> tuple[Played, int]:
    """Play x (T, M) through the compiled kernel; also return how many trace words saturated."""
    traces, weights = block.traces(), block.weights()
    spikes, psis = (np.zeros((len(x), block.process.channels), np.int64) for _ in range(2))
    output = np.zeros(len(weights["w_o"]), np.int64)
    lost = play(block.parameters, Weights(**weights), x, traces, first, begin, spikes, psis, output)
    return Played(output, spikes, dict(zip(NAMES, traces, strict=True))), lost


def with_words(block: PlasticBlock, bits: int, rounding: str) -> PlasticBlock:
    """Return the block with trace words of other bits for the same range, and other rounding."""
    units = {name: unit + (block.process.bits or bits) - bits for name, unit in block.process.units.items()}
    return replace(block, process=replace(block.process, bits=bits, rounding=rounding, units=units))


def gradient(block: PlasticBlock, played: Played, target: int, process: TraceProcess | None = None) -> dict[str, Array]:
    """Return the products of N22 in float64, for what ``process``, or the block's own, left."""
    weights, error = block.weights(), block.error(played.output, target)
    units = (process or block.process).units
    traces = EachTrace(*(_in_units(played.traces[name], units[name]) for name in NAMES))
    signal = (error @ weights["w_o"]).astype(np.float64)
    return {
        "w_u": (signal * block.process.scan.u_multiplier)[:, None] * traces.r_u,
        "w_dt": signal[:, None] * traces.r_dt,
        "w_b": np.einsum("d,dnj->nj", signal, traces.r_b),
        "w_c": np.einsum("d,dnj->nj", signal, traces.r_c),
        "w_o": error[:, None] * traces.r_o,
    }


def _in_units(trace: Array, unit: Array) -> Array:
    return np.asarray(trace * 2.0 ** unit.reshape(-1, *[1] * (trace.ndim - 1)))


def cosines(left: dict[str, Array], right: dict[str, Array]) -> dict[str, float]:
    """Return the cosine of each group; 0 where one is all zeros."""
    return {
        group: float((left[group] * right[group]).sum())
        / max(float(np.linalg.norm(left[group]) * np.linalg.norm(right[group])), 1e-300)
        for group in left
    }


def real_network(model: Checkpoint, block: PlasticBlock) -> BIMNetwork:
    """Return the float network, in float64, whose weights are the block's integers times their units."""
    network = model.network().double()
    part = network.blocks[-1]
    places = {"w_u": part.w_u, "w_dt": part.w_dt, "w_b": part.w_b, "w_c": part.w_c, "w_o": network.w_o}
    real = roles_of(real_weights(export(model), block.weights(), block.plasticity)).edges
    with torch.no_grad():
        for group, parameter in places.items():
            parameter.copy_(torch.as_tensor(real[group].synapse.weight))  # type: ignore[union-attr]
        unit = part.conv.abs().amax(1, keepdim=True) / WEIGHT_MAX
        part.conv.copy_(torch.round(part.conv / unit) * unit)
    return network


def float_gradient(network: BIMNetwork, x: Array, target: int) -> tuple[Array, dict[str, Array]]:
    """Return the spikes (T, D) of a network of one block for x (T, lines), and its gradient by exact forward traces."""
    sequence = torch.as_tensor(x, dtype=torch.float64)[:, None]
    forward = ForwardGradient(network, 1)
    forward.sequence(sequence, Loss(torch.tensor([target])))
    found = forward.take()
    spikes = network.spikes(sequence)[-1][:, 0].detach().numpy()
    return spikes, {g: found["w_o" if g == "w_o" else f"blocks.0.{g}"].numpy() for g in GROUPS}


Rows = dict[str, list[dict[str, float]]]


def measure(case: Case, rows: Rows) -> None:
    """Add the cosines of every sample, bits and rounding of a case, and of the float model."""
    block = case.block()
    exact = block.process.exact()
    network = real_network(case.model, block)
    for index in range(CALIBRATION, _ALL):
        x, y = case.x[index].astype(np.int64), int(case.y[index])
        played = by_law(block, x, process=exact)
        whole = gradient(block, played, y, exact)
        for bits in BITS:
            for rounding in ROUNDINGS:
                narrow = with_words(block, bits, rounding)
                words, lost = by_kernel(narrow, x, first=index * len(x))
                found = cosines(gradient(narrow, words, y), whole)
                rows.setdefault(f"{bits} {rounding}", []).append(found | {"saturated": lost})
        spikes, wanted = float_gradient(network, case.model.encoder.to_float(x), y)
        found = cosines(whole, wanted) | {"spikes alike": float((spikes == played.spikes).mean())}
        rows.setdefault("float model", []).append(found)


def traces(seeds: int = 3) -> tuple[dict[str, Any], Figure]:
    """Every case over seeds and samples: mean and smallest cosine of each group; the figure shows the worst group."""
    table: dict[str, dict[str, Any]] = {}
    by_case: dict[str, Rows] = {}
    for seed in range(seeds):
        for case in cases(seed):
            measure(case, by_case.setdefault(case.name, {}))
    figure, panels = plt.subplots(1, len(by_case), figsize=(11, 3.2), sharey=True, layout="constrained")
    for axes, (name, rows) in zip(panels, by_case.items(), strict=True):
        table[name] = {row: _summary(values) for row, values in rows.items()}
        for rounding in ROUNDINGS:
            worst = [min(table[name][f"{bits} {rounding}"]["mean"][group] for group in GROUPS) for bits in BITS]
            axes.plot(BITS, worst, marker="o", label=rounding)
        axes.axhline(0.99, color="grey", linestyle=":", linewidth=1)
        axes.set(title=name, xlabel="bits of a trace word")
    panels[0].set_ylabel("cosine to the exact traces,\nworst group")
    panels[0].legend()
    _print(table)
    return {"seeds": seeds, "samples": SAMPLES, "table": table}, figure


def _summary(values: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    columns = {key: [row[key] for row in values] for key in values[0]}
    return {
        "mean": {key: float(np.mean(column)) for key, column in columns.items()},
        "least": {key: float(np.min(column)) for key, column in columns.items()},
    }


def _print(table: dict[str, dict[str, Any]]) -> None:
    for name, rows in table.items():
        print(name)
        for row, summary in rows.items():
            cells = (f"{summary['mean'][key]:7.4f} ({summary['least'][key]:7.4f})" for key in summary["mean"])
            print(f"  {row:16}", *cells)

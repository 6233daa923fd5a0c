"""What stock programs take beside fused ones: neurons, cores, steps, messages, energy and time of a sample."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

import bim_neuro
from bim_neuro.compilers.lower_stock import StockSettings
from bim_neuro.compilers.placement.place import arrange
from bim_neuro.errors import InputError
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.estimates.terms import Range
from bim_neuro.lowering import Typical, with_lowering
from bim_neuro.model.export import export
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.program import Program
from bim_neuro.stopwatch import Stopwatch
from bim_neuro.tasks import load_task

from .cases import EXAMPLES, generated_checkpoint

SAMPLES = 32
Programs = dict[str, Callable[[], Program]]


@dataclass(frozen=True)
class Case:
    """Raw input (samples, steps, channels) and the programs that it is played on, by name."""

    raw: Array
    programs: Programs


def costs(data: Path | None) -> dict[str, Callable[[], Case]]:
    """Return what builds each case."""
    return {
        "digits": lambda: _example("digits", None, "test"),
        "ecg": lambda: _example("ecg", data, "validation"),
        "256 x 16 x 4": _generated,
        "S4D 64 x 32": _s4d,
    }


def cost(case: Case) -> dict[str, Any]:
    """Return a row for each program of a case."""
    return {name: _row(make(), case.raw) for name, make in case.programs.items()}


def _row(program: Program, raw: Array) -> dict[str, Any]:
    record = program.run(raw)
    placed = arrange(program.placed, program.profile, traffic=record)
    energy, time = price(placed, record, program.profile), latency(placed, record, program.profile)
    graph = program.graph
    sent = sum(count.totals()["messages"] for count in record.layers.values())
    return {
        "neurons": sum(node.neurons for name, node in graph.nodes.items() if name != graph.source),
        "synapses": sum(edge.synapse.count for edge in graph.edges),
        "cores": len({core.index for core in placed.cores}),
        "latency_steps": graph.latency,
        "messages_a_step": sent / (raw.shape[0] * raw.shape[1]),
        "dynamic_uj": asdict(energy.dynamic_uj),
        "energy_uj": asdict(energy.energy_uj),
        "answer_us": asdict(time.answer_us),
        "unpriced": energy.unpriced,
    }


def _example(name: str, data: Path | None, split: str) -> Case:
    """Return a committed model, fused and with eight and four segments."""
    if name == "ecg" and data is None:
        raise InputError("the recordings of ecg are needed", "give --data")
    task = load_task(name, data)
    fused = bim_neuro.compile(EXAMPLES / f"{name}.pt")
    return Case(task.split(split).x[:SAMPLES], _programs(fused, task.train.x, (8, 4)))


def _generated() -> Case:
    """Return four blocks of 256 channels and 16 states, untrained, on noise."""
    typical = _noise(8, 32, 256)
    fused = bim_neuro.compile(export(generated_checkpoint(256, 16, 4, typical)))
    return Case(_noise(2, 32, 256), _programs(fused, typical, (4,)))


def _programs(fused: Program, train: Array, segments: tuple[int, ...]) -> Programs:
    def stock(pieces: int) -> Program:
        return with_lowering(fused, StockSettings(pieces), Typical(train, "training input"), Stopwatch(), effort=0.0)

    return {"fused": lambda: fused, **{f"K = {pieces}": lambda k=pieces: stock(k) for pieces in segments}}  # type: ignore[misc]


def _s4d() -> Case:
    """Return an untrained S4D-Lin of 64 channels and 32 complex states between 16 inputs and 10 classes."""
    draw = torch.Generator().manual_seed(0)
    rates = torch.arange(32.0).repeat(64, 1) * math.pi
    state = {
        "encoder.weight": torch.randn(64, 16, generator=draw) / 4,
        "encoder.bias": torch.zeros(64),
        "decoder.weight": torch.randn(10, 64, generator=draw) / 8,
        "decoder.bias": torch.zeros(10),
        "log_dt": torch.log(0.001 + 0.099 * torch.rand(64, generator=draw)),
        "log_A_real": torch.full((64, 32), math.log(0.5)),
        "A_imag": rates,
        "C": torch.randn(64, 32, 2, generator=draw) / math.sqrt(2),
        "D": torch.randn(64, generator=draw),
    }
    raw = _noise(4, 64, 16)
    return Case(raw, {"stock": lambda: bim_neuro.compile(state, dt=1e-3, input=raw)})


def _noise(samples: int, steps: int, channels: int) -> Array:
    return np.random.default_rng(samples).uniform(-1, 1, (samples, steps, channels))


def show_cost(name: str, rows: dict[str, Any]) -> None:
    """Print a case as rows of docs/stock.md."""
    for program, row in rows.items():
        counts = " | ".join(f"{row[key]:,.0f}" for key in
                            ("neurons", "synapses", "cores", "latency_steps", "messages_a_step"))  # fmt: skip
        prices = " | ".join(_said(Range(**row[key])) for key in ("dynamic_uj", "energy_uj", "answer_us"))
        print(f"| {name}, {program} | {counts} | {prices} |", flush=True)


def _said(cost: Range) -> str:
    if cost.value is None or cost.low is None or cost.high is None:
        return "-"
    digits = 1 if cost.value < 100 else 0
    return f"{cost.value:,.{digits}f} ({cost.low:,.{digits}f}-{cost.high:,.{digits}f})"

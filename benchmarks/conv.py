"""Convolution by events beside a loop of C intrinsics over the same events, and torch's conv2d, each on one thread.

    python -m benchmarks.conv [--json FILE] [--only 64x32x32-64-3]

    layers{name}: engine{}, c{}, engine_nir{}, c_nir{}, step{}, step_nir{}   microseconds a step, by activity in percent
                  torch{}                       microseconds a sample, by batch: the better memory format
                  over_c, over_c_nir, over_torch{}, step_over_torch{}      at 2 %: C's time, and torch's, over ours

*engine* is what a convolution takes of a step: clear the accumulators and add the events. They lie by row, column,
channel, and a LIF layer behind reads them so (`simulation.plane_order`). *engine_nir* leaves sums by channel, row,
column, as a run needs that is watched. *c* and *c_nir* are the same two in C with vectors (`conv.c`, the same
integers). *step* and *step_nir* are a whole step of the engine: the convolution, a LIF layer behind it, counters; its
input is listed. torch convolves floats, whose time does not depend on activity. Rivals play in turn; medians of
processor time.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch

from bim_neuro.atomic import replacing
from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Conv, Encoder, IntegerLIF, Source
from bim_neuro.nodes.arithmetic import Array, ceil_div
from bim_neuro.simulation import Engine, InputEvents, Tuning
from bim_neuro.simulation.kernels import layout
from bim_neuro.simulation.kernels.turn import TURNED
from bim_neuro.simulation.plan import aligned, zeros
from bim_neuro.simulation.planes import planes_of

from .yardstick import compile_c, pointer

SOURCE = Path(__file__).with_name("conv.c")
LAYERS = [(2, 34, 16, 3), (2, 34, 16, 5), (16, 16, 32, 3), (16, 16, 32, 5), (64, 32, 64, 3), (64, 32, 64, 5)]
ACTIVITIES = (0.001, 0.003, 0.01, 0.02, 0.05, 0.1, 0.2)
AT = 0.02  # what the ratios are read at
ROUNDS, STEPS, BATCHES = 9, 32, (1, 16)
ROWS = ("c", "engine", "c_nir", "engine_nir", "step", "step_nir")
SECONDS = 0.02  # a measurement takes at least

_conv: Any = importlib.import_module("bim_neuro.simulation.kernels.conv")
_add_conv, _fill_planes = _conv.add_conv, _conv.fill_planes
_clear: Any = importlib.import_module("bim_neuro.simulation.kernels.synapses").clear


@numba.njit(_nrt=False, nogil=True)  # type: ignore[untyped-decorator]
def _steps(
    weights: Array, words: Array, lists: Array, events: Array, start: Array, planes: Any, turned: Array, active: Array,
    sums: Any, post: int,
) -> None:  # fmt: skip
    for t in range(len(start) - 1):
        count = start[t + 1] - start[t]
        _add_conv(
            weights, 0, words, lists, events, start[t], count, (True, True, True), planes, turned, active, sums,
            (0, 0, post),
        )  # fmt: skip


@numba.njit(_nrt=False, nogil=True)  # type: ignore[untyped-decorator]
def _plane_steps(
    weights: Array, words: Array, lists: Array, events: Array, start: Array, plane: Array, size: int
) -> None:
    for t in range(len(start) - 1):
        _clear(plane[:size])
        _fill_planes(weights, 0, words, lists, events[start[t] : start[t + 1]], plane)


@dataclass(frozen=True)
class Layer:
    """A convolution of stride 1 that keeps the grid, and a graph of it with LIF behind."""

    name: str
    conv: Conv
    graph: IntegerGraph


def layer(senders: int, side: int, outputs: int, kernel: int) -> Layer:
    """Return a layer of random weights, whose neurons fire at about the rate of its input."""
    draw = np.random.default_rng(senders)
    weight = np.clip(np.rint(draw.normal(0, 30, (outputs, senders, kernel, kernel))), -127, 127).astype(np.int8)
    half = kernel // 2
    conv = Conv(weight, (senders, side, side), padding=(half, half, half, half))
    lif = IntegerLIF(conv.post, 4095, 400, int(2.5 * 30 * kernel * (AT * senders) ** 0.5), np.zeros(conv.post, int))
    nodes = {"input": Source(conv.pre, graded=False), "lif": lif}
    encoder = Encoder("spikes", np.ones(conv.pre), np.zeros(conv.pre))
    graph = align(IntegerGraph(nodes, (Edge("input", "lif", "i", conv),), 1e-3, encoder))
    return Layer(f"{senders}x{side}x{side}-{outputs}-{kernel}", conv, graph)


def events_of(x: Array) -> tuple[Array, Array]:
    """Return who fired, step after step, and where each step begins."""
    step, sender = np.nonzero(x)
    return sender.astype(np.int32), np.searchsorted(step, np.arange(len(x) + 1)).astype(np.int32)


class PlaneConv:
    """The engine's kernel alone; ``sums`` are read from the accumulators of the last step."""

    def __init__(self, conv: Conv, x: Array) -> None:
        made = planes_of(conv, 1, spikes=True)
        events, start = events_of(x)
        self.conv, self.words = conv, made.words
        self.size = int(made.words[layout.TILES] * made.words[layout.PLANE_SIZE])
        self.plane = zeros(self.size + 64, np.int16)
        self.args = aligned(made.weights), made.words, aligned(made.lists), events, start.astype(np.int64)

    def __call__(self) -> None:
        _plane_steps(*self.args, self.plane, self.size)

    @property
    def sums(self) -> Array:
        words, (_, rows, columns) = self.words, self.conv.out
        planes = self.plane[: self.size].reshape(words[layout.TILES], -1)
        grid = planes[:, : words[layout.PLANE]].reshape(len(planes), rows, -1, words[layout.TILE])
        seen = grid[:, :, words[layout.MARGIN] :][:, :, :columns]
        return np.asarray(seen.transpose(0, 3, 1, 2).reshape(-1))


class EngineConv:
    """The kernel that leaves sums in NIR's order: ``sums`` are those of the last step."""

    def __init__(self, conv: Conv, x: Array) -> None:
        made = planes_of(conv, 1, spikes=True)
        events, start = events_of(x)
        planes = tuple(zeros(made.size + 64, kind) for kind in (np.int16, np.int32, np.int64))
        sums = (zeros(conv.post + 64, np.int32), zeros(64, np.int64))
        turned, active, lists = zeros(TURNED, np.int32), zeros(conv.pre + 1, np.int32), aligned(made.lists)
        self.sums, self.post = sums[0], conv.post
        self.args = (
            aligned(made.weights),
            made.words,
            lists,
            events,
            start.astype(np.int64),
            planes,
            turned,
            active,
            sums,
        )

    def __call__(self) -> None:
        _steps(*self.args, self.post)


class _Shape(ctypes.Structure):
    _fields_ = [
        (name, ctypes.c_int)
        for name in ["area", "size", "pitch", "tile", "tiles", "senders", "rows", "columns", "kernel", "registers"]
    ]  # fmt: skip


class CConv:
    """The loop in C: ``sums`` are those of the last step, where they are ``turned``."""

    def __init__(self, library: Any, conv: Conv, x: Array, *, turned: bool) -> None:
        lanes, (outputs, senders, kernel, _) = library.lanes(), conv.weight.shape
        _, rows, columns = conv.grid
        tile = min(64, outputs)
        tiles, registers = outputs // tile, ceil_div(kernel * tile, lanes)
        pitch = (columns + kernel - 1) * tile
        size = (rows + kernel - 1) * pitch
        runs = conv.weight.reshape(tiles, tile, senders, kernel, kernel)[..., ::-1, ::-1].transpose(0, 2, 3, 4, 1)
        runs = runs.reshape(tiles, senders, kernel, kernel * tile)
        place = np.arange(rows)[:, None] * pitch + np.arange(columns) * tile
        self.library, self.turned, self.steps = library, turned, len(x)
        self.weights = aligned(np.pad(runs, ((0, 0), (0, 0), (0, 0), (0, registers * lanes - kernel * tile))))
        self.events, self.start = events_of(x)
        self.place, self.sums = aligned(place.astype(np.int32)), zeros(conv.post + 64, np.int32)
        self.accumulators = zeros(tiles * (size + 64), np.int16)
        self.shape = _Shape(rows * columns, size, pitch, tile, tiles, senders, rows, columns, kernel, registers)

    def __call__(self) -> None:
        arrays = (self.weights, self.events, self.start, self.place, self.accumulators, self.sums)
        shape = ctypes.byref(self.shape)
        self.library.convolve(self.steps, int(self.turned), shape, *(pointer(array) for array in arrays))


def torch_conv(conv: Conv, batch: int, memory: torch.memory_format) -> Callable[[], None]:
    """Return one call of conv2d on a batch."""
    weight = torch.tensor(conv.weight, dtype=torch.float32).to(memory_format=memory)
    x = torch.rand(batch, *conv.grid).to(memory_format=memory)
    half = conv.padding[0]

    def play() -> None:
        with torch.inference_mode():
            torch.nn.functional.conv2d(x, weight, padding=half)

    return play


def medians(plays: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return seconds of processor time a call; all play in turn, several rounds."""
    repeats = {}
    for name, play in plays.items():
        play()
        begin = time.process_time()
        play()
        repeats[name] = max(1, int(SECONDS / max(time.process_time() - begin, 1e-6)))
    times: dict[str, list[float]] = {name: [] for name in plays}
    for _ in range(ROUNDS):
        for name, play in plays.items():
            begin = time.process_time()
            for _ in range(repeats[name]):
                play()
            times[name].append((time.process_time() - begin) / repeats[name])
    return {name: statistics.median(some) for name, some in times.items()}


def measure(chosen: Layer, library: Any) -> dict[str, Any]:
    """Return the figures of one layer, see above."""
    draw = np.random.default_rng(1)
    engine, watched = Engine(chosen.graph), Engine(chosen.graph)
    watched.quiet = watched.plan  # as if it were watched, and nothing else of watching
    plays: dict[str, Callable[[], object]] = {}
    for activity in ACTIVITIES:
        x = (draw.random((STEPS, chosen.conv.pre)) < activity).astype(np.int8)
        plays[f"engine {activity}"], plays[f"engine_nir {activity}"] = (
            PlaneConv(chosen.conv, x),
            EngineConv(chosen.conv, x),
        )
        if library:
            plays[f"c {activity}"] = CConv(library, chosen.conv, x, turned=False)
            plays[f"c_nir {activity}"] = CConv(library, chosen.conv, x, turned=True)
        lines = InputEvents.of(chosen.graph, x[None])
        plays[f"step {activity}"], plays[f"step_nir {activity}"] = _step(engine, lines), _step(watched, lines)
    memories = {"rows": torch.contiguous_format, "channels": torch.channels_last}
    for batch in BATCHES:
        for name, memory in memories.items():
            plays[f"torch {batch} {name}"] = torch_conv(chosen.conv, batch, memory)
    found = medians(plays)
    _check_sums(chosen.conv, x, plays, ACTIVITIES[-1])
    figures: dict[str, Any] = {name: {} for name in ROWS}
    for activity in ACTIVITIES:
        for name, times in figures.items():
            if f"{name} {activity}" in found:
                times[f"{activity * 100:g}"] = found[f"{name} {activity}"] / STEPS * 1e6
    figures["torch"] = {
        str(batch): min(found[f"torch {batch} {name}"] for name in memories) / batch * 1e6 for batch in BATCHES
    }
    at = f"{AT * 100:g}"
    for name, ours in (("over_c", "engine"), ("over_c_nir", "engine_nir")):
        figures[name] = figures[ours.replace("engine", "c")][at] / figures[ours][at] if library else None
    for name, ours in (("over_torch", "engine"), ("step_over_torch", "step")):
        figures[name] = {batch: time / figures[ours][at] for batch, time in figures["torch"].items()}
    return figures


def _step(engine: Engine, lines: InputEvents) -> Callable[[], object]:
    return lambda: engine.run(lines, threads=1, tuning=Tuning("events"))


def _check_sums(conv: Conv, x: Array, plays: dict[str, Any], activity: float) -> None:
    """Refuse figures of rivals that do not compute the law's integers."""
    for name in ("engine", "engine_nir", "c_nir"):
        play = plays.get(f"{name} {activity}")
        if play and not np.array_equal(play.sums[: conv.post], conv.apply(x[-1].astype(np.int64))):
            raise SystemExit(f"{name} has other sums than the law")


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--json", type=Path)
    asked.add_argument("--only")
    wanted = asked.parse_args()
    torch.set_num_threads(1)
    library = compile_c(source=SOURCE)
    layers = {}
    for sizes in LAYERS:
        chosen = layer(*sizes)
        if wanted.only not in (None, chosen.name):
            continue
        load = os.getloadavg()[0]
        figures = layers[chosen.name] = measure(chosen, library) | {"load": load}
        print(f"{chosen.name}: load {load:.1f}, microseconds a step")
        for name in ROWS:
            row = "  ".join(f"{activity} %: {value:8.2f}" for activity, value in figures[name].items())
            print(f"  {name:12} {row}")
        said = ", ".join(f"batch {batch} {time:.1f}" for batch, time in figures["torch"].items())
        over = [
            ", ".join(f"{ratio:.1f}" for ratio in figures[name].values()) for name in ("over_torch", "step_over_torch")
        ]
        over_c = f"{figures['over_c']:.2f}, in NIR's order {figures['over_c_nir']:.2f}" if library else "no C"
        print(f"  torch        {said}; at {AT:.0%} over C {over_c}; over torch {over[0]}, a step {over[1]}", flush=True)
    if wanted.json:
        with replacing(wanted.json) as file:
            file.write_text(json.dumps({"layers": layers}, indent=1) + "\n")


if __name__ == "__main__":
    main()

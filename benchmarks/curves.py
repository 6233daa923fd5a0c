"""Curves: microseconds a step of the engine against activity, neurons, steps, samples and threads."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np

from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import Engine, Tuning

from .cases import lif_chain

ROUNDS = 7


def curves() -> dict[str, list[dict[str, float]]]:
    """Return microseconds a step against activity, neurons, steps, samples and threads."""

    def cost(graph: IntegerGraph, x: Array, threads: int = 1) -> float:
        engine = Engine(graph)
        times = []
        for _ in range(ROUNDS + 1):
            start = time.perf_counter()
            engine.run(x, threads=threads, tuning=Tuning("events"))
            times.append(time.perf_counter() - start)
        return min(times[1:]) / (x.shape[0] * x.shape[1]) * 1e6

    names = ("activity", "neurons", "steps", "samples", "threads")
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for activity in (0.001, 0.01, 0.02, 0.05, 0.1, 0.2):
        graph, x = lif_chain(1000, 1, activity, 500)
        found["activity"].append({"x": activity, "us": cost(graph, x)})
    for neurons in (100, 200, 500, 1000, 2000):
        graph, x = lif_chain(neurons, 1, 0.05, 500)
        found["neurons"].append({"x": neurons, "us": cost(graph, x)})
    graph, x = lif_chain(500, 2, 0.05, 100)
    long = np.tile(x, (1, 100, 1))
    for steps in (100, 1000, 10_000):
        found["steps"].append({"x": steps, "us": cost(graph, long[:, :steps])})
    for samples in (1, 8, 64):
        found["samples"].append({"x": samples, "us": cost(graph, np.repeat(x, samples, axis=0))})
    for threads in range(1, (os.cpu_count() or 1) + 1):
        found["threads"].append({"x": threads, "us": cost(graph, np.repeat(x, 512, axis=0), threads)})
    return found


def plot(found: dict[str, list[dict[str, float]]], file: Path) -> None:
    """Draw one panel a curve."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(found), figsize=(3.2 * len(found), 3), layout="constrained")
    for axis, (name, points) in zip(axes, found.items(), strict=True):
        axis.plot([point["x"] for point in points], [point["us"] for point in points], "o-")
        axis.set(xlabel=name, ylabel="us a step", ylim=(0, None), xscale="log" if name != "threads" else "linear")
    figure.savefig(file)

"""The rivals on the same graph and input: Lava, plain numpy, one numpy GEMM a layer, the C loop, norse, snntorch and
nengo-loihi.

Each is a function that prepares its work and returns ``play()``: one whole run, whose seconds count. What cannot play a
graph raises `Skip` with the reason, which goes into the result.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bim_neuro.compilers.artefact import Artefact, save_artefact
from bim_neuro.compilers.emptying import shares_run
from bim_neuro.compilers.to_lava.compat import lava_available
from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Dense, IntegerLIF
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation import simulate

from .limits import lif_loop
from .yardstick import COLUMNS, wide

Play = Callable[[], object]

_LAVA = """
import sys, time
from pathlib import Path
from bim_neuro.compilers.to_lava.compat import import_lava
import_lava()
from lava.magma.core.run_conditions import RunSteps
from bim_neuro.compilers.artefact import load_artefact
from bim_neuro.compilers.to_lava.build import build
job = load_artefact(Path(sys.argv[1]))
network = build(job.graph, job.sample)
readout = network.processes[job.graph.output]
start = time.perf_counter()
try:
    readout.run(condition=RunSteps(num_steps=int(sys.argv[2])), run_cfg=network.run_config)
    print("seconds", time.perf_counter() - start)
finally:
    readout.stop()
"""
LAVA_LIMIT = 300.0


class Skip(Exception):
    """Why a rival does not play."""


def lava_steps_a_second(graph: IntegerGraph, x: Array) -> float:
    """Return chip steps a second: the difference of a long and a short run, so that starting up does not count."""
    available, reason = lava_available()
    if not available:
        raise Skip(reason)
    if not shares_run(graph):
        x = x[:1]
    total = len(x) * graph.period(x.shape[1]) + graph.latency
    few = max(total // 10, 1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "job.bimn"
        save_artefact(Artefact(graph, "lava_cpu", x.astype(np.int64), {}), file)
        short, long = (_lava_seconds(file, steps) for steps in (few, total))
    if long <= short:
        raise Skip("too few steps to tell Lava's speed from its start")
    return (total - few) / (long - short)


def _lava_seconds(file: Path, steps: int) -> float:
    command = [sys.executable, "-c", _LAVA, str(file), str(steps)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=LAVA_LIMIT, check=True)
    return float(ended.stdout.split("seconds")[1])


def nengo_loihi_steps_a_second(graph: IntegerGraph, x: Array, python: str | None) -> float:
    """Return steps a second of nengo-loihi's emulator, in the environment of another Python."""
    if python is None:
        raise Skip("give --nengo-loihi-python; it needs an environment of its own (nengo_emulator.py)")
    names = list(graph.order)
    layers = [graph.nodes[name] for name in names[1:]]
    if not all(isinstance(node, IntegerLIF) for node in layers):
        raise Skip("plays LIF layers only")
    network: dict[str, Any] = {
        "x": x[0],
        "layers": np.array([(node.v_threshold, node.dv / 4096, node.size) for node in layers]),
        "ends": np.array([(names.index(edge.source), names.index(edge.target)) for edge in graph.edges]),
    }
    for place, edge in enumerate(graph.edges):
        if not isinstance(edge.synapse, Dense):
            raise Skip("plays dense synapses only")
        network[f"weight{place}"] = edge.synapse.weight
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "network.npz"
        np.savez(file, **network)
        command = [python, str(Path(__file__).with_name("nengo_emulator.py")), str(file)]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=LAVA_LIMIT, check=False)
    if ended.returncode:
        raise Skip(f"nengo-loihi does not run: {ended.stderr.strip().splitlines()[-1]}")
    return float(ended.stdout.split()[1])


def numpy_law(graph: IntegerGraph, x: Array) -> Play:
    """Play the plain numpy law."""
    return lambda: simulate(graph, x.astype(np.int64))


def c_loop(graph: IntegerGraph, x: Array, library: Any) -> Play:
    """Play a network of LIF alone in the C loop."""
    if library is None:
        raise Skip("no C compiler")
    loop = lif_loop(graph, library)
    if loop is None:
        raise Skip("the C loop knows only LIF layers; the sum of the parts stands for it")
    flags = wide(x[0], COLUMNS, np.uint8)
    return lambda: loop.run(flags)


def numpy_gemm(graph: IntegerGraph, x: Array) -> Play:
    """Play a chain of LIF layer by layer: one exact float32 product a layer, then its neurons step by step."""
    chain = _chain(graph)
    weights = [(np.ascontiguousarray(weight.T, np.float32), lif) for weight, lif in chain]

    def play() -> int:
        spikes, count = x[0].astype(np.float32), 0
        for weight, lif in weights:
            sums = (spikes @ weight).astype(np.int32) << 6
            spikes, v = np.zeros_like(sums, np.float32), np.zeros(lif.size, np.int32)
            for t in range(len(sums)):
                size = np.abs(v)
                leaked = (size >> 12) * (4096 - lif.dv) + (((size & 4095) * (4096 - lif.dv)) >> 12)
                v = np.where(v < 0, -leaked, leaked) + sums[t]
                fired = v > lif.v_threshold << 6
                v[fired] = 0
                spikes[t] = fired
            count += int(spikes.sum())
        return count

    return play


def norse_multi(graph: IntegerGraph, x: Array) -> Play:
    """Play a chain in norse, whole sequences a layer (float: the spikes are not the same, the work is)."""
    if importlib.util.find_spec("norse") is None:
        raise Skip("norse is not installed")
    from norse.torch.functional.lif_box import LIFBoxFeedForwardState, LIFBoxParameters, lif_box_feed_forward_step

    chain = _chain(graph)
    layers = []
    for weight, lif in chain:
        leak = lif.dv / 4096
        parameters = LIFBoxParameters(tau_mem_inv=torch.tensor(leak * 1000), v_th=torch.tensor(lif.v_threshold * leak))
        layers.append((torch.tensor(weight, dtype=torch.float32), parameters))
    lines = torch.tensor(x[0], dtype=torch.float32)

    @torch.no_grad()
    def play() -> float:
        spikes = lines
        for weight, parameters in layers:
            current = spikes @ weight.T
            state, rows = LIFBoxFeedForwardState(v=torch.zeros(len(weight))), []
            for t in range(len(current)):
                fired, state = lif_box_feed_forward_step(current[t], state, parameters, dt=0.001)
                rows.append(fired)
            spikes = torch.stack(rows)
        return float(spikes.sum())

    return play


def snntorch_multi(graph: IntegerGraph, x: Array) -> Play:
    """Play a chain in snntorch, whole sequences a layer."""
    if importlib.util.find_spec("snntorch") is None:
        raise Skip("snntorch is not installed")
    import snntorch

    layers = [
        (torch.tensor(weight, dtype=torch.float32), snntorch.Leaky(1 - lif.dv / 4096, lif.v_threshold))
        for weight, lif in _chain(graph)
    ]
    lines = torch.tensor(x[0], dtype=torch.float32)

    @torch.no_grad()
    def play() -> float:
        spikes = lines
        for weight, neuron in layers:
            current, rows = spikes @ weight.T, []
            membrane = neuron.init_leaky()
            for t in range(len(current)):
                fired, membrane = neuron(current[t], membrane)
                rows.append(fired)
            spikes = torch.stack(rows)
        return float(spikes.sum())

    return play


OTHERS: dict[str, Callable[[IntegerGraph, Array], Play]] = {
    "numpy_gemm": numpy_gemm,
    "norse_multi": norse_multi,
    "snntorch_multi": snntorch_multi,
}


def _chain(graph: IntegerGraph) -> list[tuple[Array, IntegerLIF]]:
    """Return weight and LIF of every layer of a chain; anything else is skipped."""
    found = []
    for name in graph.order[1:]:
        node, into = graph.nodes[name], graph.into(name)
        if graph.recurrent or not isinstance(node, IntegerLIF) or len(into) != 1:
            raise Skip("plays chains of LIF layers only")
        if not isinstance(into[0].synapse, Dense):
            raise Skip("plays dense synapses only")
        found.append((into[0].synapse.weight, node))
    return found


def seconds(play: Play) -> float:
    """Return the processor time of one run, of this thread alone."""
    start = time.thread_time()
    play()
    return time.thread_time() - start

"""Forward traces beside backpropagation: memory against T, time a step, and the share of the memory bandwidth.

    python -m benchmarks.learning --json learning.json            (a minute or two)

    memory{T: {rtrl_bytes, rtrl_rss, bptt_rss}}   bytes of all traces, and how far the peak of resident memory rose (bytes)
    step_ms{rtrl, bptt, ...}                      milliseconds a step at T = 1000, batch 1, loss at every step; bptt is the
                                                  sequence form with its scan's own backward, bptt_step_form plain autograd
    ratio                                         step_ms.rtrl / step_ms.bptt
    by_rate_us{threads: {rate: ...}}              microseconds a step of RTRL at T = 1000, batch 1, by the share of lines that spike
                                                  in a step; silence: 20 % for 50 steps, then nothing
    bandwidth_fraction                            batch 16: the time the machine takes to read and write all traces once a
                                                  step, over the time RTRL takes; above 1, as traces stay in the cache

One block, M = D = 64, N = 16, K = 4, ten classes, float32. Both rules alternate in one run and the best of several
rounds counts, as other programs disturb. Memory is measured in fresh processes, after one short sequence.
"""  # noqa: E501  a table

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training import fused
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.readout import Loss, even_shares

SIZE = NetworkConfig(64, 10, channels=64, states=16)
STEPS = (100, 1000, 10_000)
ROUNDS = 5
RATES = (0.2, 0.05, 0.02, 0.005)
HEARD = 50
"""Steps with input before the silence."""


def network() -> BIMNetwork:
    """The network of every figure."""
    torch.manual_seed(0)
    return BIMNetwork(SIZE)


def spikes(steps: int, batch: int, seed: int = 0, rate: float = RATES[0]) -> Tensor:
    """Poisson input (steps, batch, M)."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, batch, SIZE.inputs, generator=generator) < rate).float()


def rtrl(forward: ForwardGradient, steps: int, every: bool = True) -> None:
    """One sequence that is made as it is read: nothing in memory grows with ``steps``."""
    loss = Loss(torch.zeros(forward.batch, dtype=torch.long), every)
    forward.begin()
    for first in range(0, steps, forward.record_steps):
        x = spikes(min(forward.record_steps, steps - first), forward.batch, first)
        forward.advance(x, loss, x.new_full(x.shape[:2], 1 / steps))
    forward.take()


def bptt(net: BIMNetwork, x: Tensor) -> None:
    """The same loss by autograd: the block's sequence form, its scan with a backward of its own."""
    y = torch.zeros(x.shape[1], dtype=torch.long)
    r, readings = x.new_zeros(x.shape[1], SIZE.classes), []
    drive = net.spikes(x)[-1] @ net.w_o.T + net.b_o
    gamma = net.readout_decay
    for drive_t in drive.unbind(0):
        r = gamma * r + drive_t
        readings.append(r)
    logits = torch.stack(readings)
    F.cross_entropy(logits.flatten(0, 1), y.repeat(len(x))).backward()


def bptt_step_form(net: BIMNetwork, x: Tensor) -> None:
    """The same once more by the step form: what autograd makes of the equations as they stand."""
    y, state, loss = torch.zeros(x.shape[1], dtype=torch.long), net.initial(x.shape[1]), x.new_zeros(())
    for x_t in x:
        r, state = net.step(x_t, state)
        loss = loss + F.cross_entropy(r, y) / len(x)
    loss.backward()


def bptt_at_end(net: BIMNetwork, x: Tensor) -> None:
    """The mean readout's loss by autograd."""
    F.cross_entropy(net(x), torch.zeros(x.shape[1], dtype=torch.long)).backward()


def rtrl_at_end(forward: ForwardGradient, x: Tensor) -> None:
    """The mean readout's loss by forward traces."""
    forward.sequence(x, Loss(torch.zeros(forward.batch, dtype=torch.long)))
    forward.take()


def rtrl_on(forward: ForwardGradient, x: Tensor) -> None:
    """Every step's loss on a given sequence, as `bptt` has it."""
    loss = Loss(torch.zeros(forward.batch, dtype=torch.long), True)
    forward.begin()
    p = even_shares(len(x), forward.batch, x)
    for first in range(0, len(x), forward.record_steps):
        now = slice(first, first + forward.record_steps)
        forward.advance(x[now], loss, p[now])
    forward.take()


def best_ms(calls: dict[str, Callable[[], None]], steps: int) -> dict[str, float]:
    """Alternate the calls; return each one's best time a step in ms."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            start = time.perf_counter()
            call()
            best[name] = min(best[name], (time.perf_counter() - start) / steps * 1e3)
    return best


def speed() -> dict[str, Any]:
    """Time a step at T = 1000, batch 1; and against the bandwidth at batch 16."""
    net, x = network(), spikes(1000, 1)
    record, single = ForwardGradient(net, 1), ForwardGradient(net, 1, record_steps=1)
    rtrl_on(record, x[:128])  # compiles
    step_ms = best_ms(
        {
            "rtrl": lambda: rtrl_on(record, x),
            "bptt": lambda: bptt(net, x),
            "rtrl_each_step_alone": lambda: rtrl_on(single, x),
            "rtrl_at_end": lambda: rtrl_at_end(record, x),
            "bptt_at_end": lambda: bptt_at_end(net, x),
            "bptt_step_form": lambda: bptt_step_form(net, x),
        },
        len(x),
    )
    wide, x16 = ForwardGradient(net, 16), spikes(128, 16)
    memory, copy = wide.traces[0].memory, torch.empty_like(wide.traces[0].memory)
    pass_ms = best_ms({"copy": lambda: copy.copy_(memory), "scale": lambda: memory.mul_(1.0)}, 1)  # type: ignore
    batch_ms = best_ms({"rtrl": lambda: rtrl_on(wide, x16)}, len(x16))["rtrl"]
    once = min(pass_ms.values())
    return {
        "step_ms": step_ms,
        "ratio": step_ms["rtrl"] / step_ms["bptt"],
        "ratio_at_end": step_ms["rtrl_at_end"] / step_ms["bptt_at_end"],
        "batch16": {"rtrl_ms": batch_ms, "read_and_write_ms": once, "trace_bytes": memory.nbytes},
        "bandwidth_fraction": once / batch_ms,
    }


def by_rate(steps: int = 1000) -> dict[str, dict[str, float]]:
    """Time a step of RTRL at each rate of input and in silence, in one thread and in all: decay costs no more."""
    inputs = {f"{rate:g}": spikes(steps, 1, rate=rate) for rate in RATES}
    inputs["silence"] = inputs["0.2"].clone()
    inputs["silence"][HEARD:] = 0
    given, least = torch.get_num_threads(), fused.THREADS_FROM
    table: dict[str, dict[str, float]] = {}
    forward = ForwardGradient(network(), 1)
    fused.THREADS_FROM = 0  # share out however little there is to do
    for threads in sorted({1, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        calls = {name: partial(rtrl_on, forward, x) for name, x in inputs.items()}
        table[str(threads)] = {name: 1e3 * ms for name, ms in best_ms(calls, steps).items()}
    torch.set_num_threads(given)
    fused.THREADS_FROM = least
    return table


def resident(field: str) -> int:
    """Return VmRSS (now) or VmHWM (the peak) of this process in bytes; Linux only."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def memory_of(rule: str, steps: int) -> dict[str, int]:
    """Run one sequence in this process after a short one; how far its peak lies above the memory held before it."""
    net, forward = network(), ForwardGradient(network(), 1)
    run = (lambda t: rtrl(forward, t)) if rule == "rtrl" else (lambda t: bptt(net, spikes(t, 1)))
    run(64)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew from here
    before = resident("VmRSS")
    run(steps)
    return {"rss": resident("VmHWM") - before, "bytes": forward.nbytes}


def memory() -> dict[str, dict[str, int]]:
    """Measure each rule and T in a process of its own: a peak never falls."""
    table: dict[str, dict[str, int]] = {}
    for steps in STEPS:
        of = {rule: _in_a_process(rule, steps) for rule in ("rtrl", "bptt")}
        table[str(steps)] = {
            "rtrl_bytes": of["rtrl"]["bytes"], "rtrl_rss": of["rtrl"]["rss"], "bptt_rss": of["bptt"]["rss"],
        }  # fmt: skip
    return table


def _in_a_process(rule: str, steps: int) -> dict[str, int]:
    command = [sys.executable, __file__, "--memory-of", rule, str(steps)]
    root = Path(__file__).resolve().parent.parent
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=root, env=environment)
    return dict(json.loads(done.stdout))


def machine() -> dict[str, Any]:
    """Name the machine the figures are from."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [
            line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")
        ]
        model = names[0] if names else model
    return {"processor": model, "cores": os.cpu_count(), "threads": torch.get_num_threads(), "torch": torch.__version__}


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description="Forward traces beside backpropagation through time.")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--memory-of", nargs=2, metavar=("RULE", "T"), help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, default=1, help="threads of both rules (1: steady on a busy machine)")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.memory_of:
        print(json.dumps(memory_of(options.memory_of[0], int(options.memory_of[1]))))
        return
    figures = {"machine": machine(), **speed(), "by_rate_us": by_rate(), "memory": memory()}
    for name, value in figures.items():
        print(f"{name:20} {json.dumps(value)}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()

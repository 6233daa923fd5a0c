"""Probes of the learning rules: each draws a plot and writes its numbers.

    python -m benchmarks.probes memory -o out/probes     bytes kept for learning against T: traces and backpropagation
    python -m benchmarks.probes window -o out/probes     a synapse's trace against t_post - t_pre, and the STDP window
    python -m benchmarks.probes cosine -o out/probes     each rule's gradient against backpropagation's, group by group

The window probe is the paper's plausibility figure. It shows that a forward trace is 0 before the pre spike and fades
after it, roughly exponentially. It does not show STDP: there is no depression for t_post < t_pre, as gradients are
causal, and no fixed sign, as B, C and the learning signal set it. (With lambda < 1 the figure would be circular: Omega
is the window.)
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.rules import Learner, Learning
from bim_neuro.training.stdp import PairWindow
from bim_neuro.training.steps import BlockWeights, begin, record
from bim_neuro.training.traces import Traces


def memory() -> tuple[dict[str, Any], Figure]:
    """Bytes of the traces, and of the tensors autograd saves, M = D = 64, N = 16, batch 1."""
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(64, 10, channels=64, states=16))
    traces = ForwardGradient(network, 1).nbytes
    steps = [10, 30, 100, 300, 1000]
    saved = [_saved_bytes(network, count) for count in steps]
    figure, axes = plt.subplots()
    axes.loglog(steps, [traces] * len(steps), label="forward traces")
    axes.loglog(steps, saved, label="tensors saved for backpropagation")
    axes.set(xlabel="steps T", ylabel="bytes")
    axes.legend()
    even = float(np.interp(traces, saved, steps))
    return {"steps": steps, "rtrl_bytes": traces, "bptt_saved_bytes": saved, "break_even_steps": even}, figure


def _saved_bytes(network: BIMNetwork, steps: int) -> int:
    seen: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        seen[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        loss = F.cross_entropy(network((torch.rand(steps, 1, 64) < 0.2).float()), torch.tensor([0]))
    total = sum(seen.values())
    loss.backward()
    return total


def window(networks: int = 60, before: int = 15, after: int = 45) -> tuple[dict[str, Any], Figure]:
    """Mean |dv_i(t_post)/dw_u[i, j]| after one spike of line j, other lines Poisson; its signed mean; its decay."""
    inputs, channels = 8, 16
    sizes, signed = [], []
    for seed in range(networks):
        torch.manual_seed(seed)
        block = BIMNetwork(NetworkConfig(inputs, 2, channels=channels, states=8)).blocks[0]
        x = (torch.rand(before + after, 1, inputs) < 0.2).float()
        x[:, :, 0] = 0
        x[before, :, 0] = 1
        weights, traces = BlockWeights.of(block), Traces(block, 1)
        steps, _ = record(block, x, begin(block, 1), weights)
        each = []
        for t in range(before + after):
            traces.advance(steps, t, weights)
            each.append(traces.views["membrane.u"][0, :, 0].clone())
        sizes.append(torch.stack(each).abs().mean(1))
        signed.append(torch.stack(each).mean(1))
    size, mean = torch.stack(sizes).mean(0).numpy(), torch.stack(signed).mean(0).numpy()
    lags = np.arange(-before, after)
    tail = lags >= 4
    slope = float(np.polyfit(lags[tail], np.log(size[tail]), 1)[0])
    stdp = PairWindow().at(torch.as_tensor(lags, dtype=torch.float32)).numpy()
    figure, axes = plt.subplots()
    axes.plot(lags, size / size.max(), label="|trace|, mean")
    axes.plot(lags, mean / size.max(), label="trace, signed mean")
    axes.plot(lags, stdp, "--", label="STDP window (eq 6)")
    axes.set(xlabel="t_post - t_pre (steps)", ylabel="relative to the largest |trace|")
    axes.legend()
    numbers = {
        "lags": lags.tolist(), "magnitude": size.tolist(), "signed_mean": mean.tolist(), "tau_steps": -1 / slope,
        "largest_before_the_spike": float(size[lags < 0].max()), "stdp": stdp.tolist(),
    }  # fmt: skip
    return numbers, figure


def cosine(seeds: int = 3, steps: int = 60, batch: int = 8) -> tuple[dict[str, Any], Figure]:
    """Cosine of each rule's gradient, of spatial credit, to backpropagation's in two blocks, loss at the end."""
    rules = ("rtrl", "s-tllr", "e-prop-like", "no-trace")
    table: dict[str, dict[str, float]] = {}
    for rule in rules:
        rows: dict[str, list[float]] = {}
        for seed in range(seeds):
            exact, got = _gradients("bptt", seed, steps, batch), _gradients(rule, seed, steps, batch)
            for name, gradient in exact.items():
                if float(gradient.norm()) > 0 and gradient.numel() > 1:
                    value = F.cosine_similarity(got[name].flatten(), gradient.flatten(), 0)
                    rows.setdefault(name, []).append(float(value))
        table[rule] = {name: float(np.mean(values)) for name, values in rows.items()}
    names = list(table["rtrl"])
    figure, axes = plt.subplots(figsize=(12, 4), layout="constrained")
    for place, rule in enumerate(rules):
        axes.bar(np.arange(len(names)) + 0.2 * place, [table[rule][name] for name in names], 0.2, label=rule)
    axes.set_xticks(np.arange(len(names)) + 0.3, names, rotation=60, ha="right", fontsize=7)
    axes.set_ylabel("cosine to backpropagation")
    axes.legend()
    return {"loss": "end", "steps": steps, "seeds": seeds, "cosine": table}, figure


def _gradients(rule: str, seed: int, steps: int, batch: int) -> dict[str, Tensor]:
    torch.manual_seed(seed)
    network = BIMNetwork(NetworkConfig(12, 4, channels=24, states=8, blocks=2))
    x, y = (torch.rand(steps, batch, 12) < 0.2).float(), torch.randint(0, 4, (batch,))
    Learner(network, Learning(rule, credit="spatial")).gradients(x, y)
    return {name: p.grad.detach() for name, p in network.named_parameters() if p.grad is not None}


PROBES: dict[str, Callable[[], tuple[dict[str, Any], Figure]]] = {"memory": memory, "window": window, "cosine": cosine}


def main() -> None:
    """Run the probes asked for."""
    parser = argparse.ArgumentParser(description="Probes of the learning rules.")
    parser.add_argument("probe", choices=list(PROBES), nargs="?", help="leave out for all")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/probes"), help="folder for NAME.json, NAME.png")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in [options.probe] if options.probe else PROBES:
        numbers, figure = PROBES[name]()
        (options.output / f"{name}.json").write_text(json.dumps(numbers, indent=2) + "\n")
        figure.savefig(options.output / f"{name}.png", dpi=120)
        plt.close(figure)
        print(f"{name}: {options.output / name}.json, .png")


if __name__ == "__main__":
    main()

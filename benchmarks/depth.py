"""Credit for the lower of two blocks: cosine to backpropagation and the score on copy with long delays.

    python -m benchmarks.depth --json depth.json                       delays of 60 and 120, five seeds
    python -m benchmarks.depth --json long.json --delays 1000 --score-seeds 0     cosines alone
    python -m benchmarks.depth --json fresh.json --updates 1500                   a budget in which bptt learns copy

    bptt     the truth
    segment  the lower block's memory is exact; through the upper block's memory gradients flow inside a segment
             (`--credit segment`, computed here by backpropagation with the upper block's state cut: the same gradient)
    tbptt    backpropagation truncated to the same segments: the memory of both blocks is cut
    spatial  segment of one step: nothing flows through the upper block's memory
    local    the lower block has a readout of its own

Networks: `CHANNELS` channels of `STATES` states, initialised with slow states (a step of .001 to .05 where the default
has .01 to .5). Cosines are of the lower block's whole gradient on one batch, before training and after training by
bptt. Every rule then trains the same network on the same batches; the score is accuracy on fresh sequences, chance 1/3.
Training goes through the same 1,000 sequences ``--epochs`` times; with ``--updates`` it meets new ones at every update.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from bim_neuro.denormals import denormals_flushed
from bim_neuro.model.block import BIMBlock, _initial_dt_bias
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.model.selective_scan import BlockState
from bim_neuro.tasks.copying import SHOWN, SYMBOLS
from bim_neuro.training.local_readouts import LocalReadouts
from bim_neuro.training.operator import run_block

CHANNELS, STATES, BATCH, LEARNING_RATE = 32, 8, 32, 1e-2
SLOW = (0.001, 0.05)
SAMPLES, TESTED = 1000, 500
METHODS = ("bptt", "segment", "tbptt", "spatial", "local")
Batch = tuple[Tensor, Tensor]


def copy(delay: int, samples: int, seed: int) -> Batch:
    """Sequences x (T, samples, lines) of the copy task, asked ``delay`` steps after the second symbol; y (samples,)."""
    rng = np.random.default_rng(seed)
    shown, asked = rng.integers(SYMBOLS, size=(samples, 2)), rng.integers(2, size=samples)
    x = np.zeros((SHOWN[1] + delay + 3, samples, SYMBOLS + 2), np.float32)
    every = np.arange(samples)
    for place, step in enumerate(SHOWN):
        x[step, every, shown[:, place]] = 1
    x[SHOWN[1] + delay, every, SYMBOLS + asked] = 1
    return torch.from_numpy(x), torch.from_numpy(shown[every, asked])


def slow_network(seed: int) -> BIMNetwork:
    """Two blocks whose states forget slowly."""
    torch.manual_seed(seed)
    network = BIMNetwork(NetworkConfig(SYMBOLS + 2, SYMBOLS, CHANNELS, STATES, blocks=2))
    for block in blocks_of(network):
        block.b_dt.data = _initial_dt_bias(CHANNELS, SLOW)
    return network


def blocks_of(network: BIMNetwork) -> list[BIMBlock]:
    """The blocks, typed."""
    return [block for block in network.blocks if isinstance(block, BIMBlock)]


def whole(block: BIMBlock, x: Tensor) -> Tensor:
    """The block's spikes, its memory whole."""
    return run_block(block, x, block.initial(x.shape[1]))[0]


def cut(block: BIMBlock, x: Tensor, length: int) -> Tensor:
    """The block's spikes, gradients cut between segments: all segments side by side, each from the state it met."""
    steps, batch = x.shape[:2]
    padded = F.pad(x, (0, 0, 0, 0, 0, -steps % length))
    state, met = block.initial(batch), []
    with torch.no_grad():
        for part in padded.split(length):
            met.append(state)
            state = run_block(block, part, state)[1]
    taps, h, v, s = zip(*met, strict=True)
    entered = BlockState(torch.cat(taps, 1), torch.cat(h), torch.cat(v), torch.cat(s))
    side_by_side = padded.unflatten(0, (-1, length)).transpose(0, 1).flatten(1, 2)  # (length, segments batch, M)
    spikes = run_block(block, side_by_side, entered)[0].unflatten(1, (-1, batch))
    return spikes.transpose(0, 1).flatten(0, 1)[:steps]


def loss_of(network: BIMNetwork, top: Tensor, y: Tensor) -> Tensor:
    """Cross entropy of the mean readout."""
    return F.cross_entropy(network.read(top), y)


def set_gradients(method: str, network: BIMNetwork, local: LocalReadouts, batch: Batch, length: int) -> None:
    """Set .grad of every parameter by a method."""
    (x, y), (lower, upper) = batch, blocks_of(network)
    network.zero_grad(set_to_none=True)
    local.zero_grad(set_to_none=True)
    if method == "bptt":
        loss_of(network, whole(upper, whole(lower, x)), y).backward()
        return
    if method == "tbptt":
        loss_of(network, cut(upper, cut(lower, x, length), length), y).backward()
        return
    s = whole(lower, x)
    loss_of(network, whole(upper, s.detach()), y).backward()
    if method == "local":
        (head,) = local.heads()
        gamma = torch.sigmoid(head.readout_logit)
        F.cross_entropy(mean_readout(s, head.w_o, head.b_o, gamma), y).backward()
        return
    through = loss_of(network, cut(upper, s, 1 if method == "spatial" else length), y)
    parameters = list(lower.parameters())
    for parameter, gradient in zip(parameters, torch.autograd.grad(through, parameters), strict=True):
        parameter.grad = gradient


def mean_readout(s: Tensor, w_o: Tensor, b_o: Tensor, gamma: Tensor) -> Tensor:
    """Logits of a readout: the mean of its leaky sum, a spike at step t weighs (1 - gamma^(T - t)) / (1 - gamma)."""
    weight = (1 - gamma ** torch.arange(len(s), 0, -1)) / (1 - gamma)
    return (torch.einsum("t,tbd->bd", weight, s) @ w_o.T + weight.sum() * b_o) / len(s)


def lower_gradient(method: str, network: BIMNetwork, batch: Batch, length: int) -> Tensor:
    """The lower block's gradient as one vector."""
    torch.manual_seed(1)  # the local readout's weights
    set_gradients(method, network, LocalReadouts(network), batch, length)
    return torch.cat([p.grad.flatten() for p in blocks_of(network)[0].parameters() if p.grad is not None]).clone()


def cosines(network: BIMNetwork, batch: Batch, length: int) -> dict[str, float]:
    """Cosine of the lower block's gradient by every method to backpropagation's."""
    truth = lower_gradient("bptt", network, batch, length)
    found = {method: lower_gradient(method, network, batch, length) for method in METHODS[1:]}
    return {method: float(F.cosine_similarity(vector, truth, 0)) for method, vector in found.items()}


def batches(seed: int, delay: int, epochs: int, updates: int | None) -> Iterator[Batch]:
    """The batches of a training: of the same sequences in each epoch, or ``updates`` of new ones."""
    if updates is not None:
        yield from (copy(delay, BATCH, 1_000_000 * (seed + 1) + update) for update in range(updates))
        return
    x, y = copy(delay, SAMPLES, seed)
    order = torch.Generator().manual_seed(seed)
    for _ in range(epochs):
        for chosen in torch.randperm(SAMPLES, generator=order)[: SAMPLES // BATCH * BATCH].split(BATCH):
            yield x[:, chosen], y[chosen]


@denormals_flushed()
def train(
    method: str, seed: int, delay: int, epochs: int, length: int, updates: int | None = None
) -> tuple[BIMNetwork, float]:
    """Train; return the network and its accuracy on fresh sequences."""
    network = slow_network(seed)
    local = LocalReadouts(network)
    parameters = [*network.parameters(), *local.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, max_lr=LEARNING_RATE, total_steps=updates or epochs * (SAMPLES // BATCH)
    )
    for batch in batches(seed, delay, epochs, updates):
        set_gradients(method, network, local, batch, length)
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimiser.step()
        schedule.step()
    with torch.no_grad():
        test_x, test_y = copy(delay, TESTED, 10_000 + seed)
        lower, upper = blocks_of(network)
        right = network.read(whole(upper, whole(lower, test_x))).argmax(1) == test_y
    return network, float(right.float().mean())


def of_seed(seed: int, delay: int, options: argparse.Namespace) -> dict[str, Any]:
    """The cosines and scores of one seed and delay."""
    batch = copy(delay, BATCH, 20_000 + seed)
    row: dict[str, Any] = {"seed": seed, "delay": delay, "steps": len(batch[0]), "score": {}}
    row["untrained"] = cosines(slow_network(seed), batch, options.segment)
    methods = METHODS if seed < options.score_seeds else METHODS[:1]
    for method in methods if options.epochs or options.updates else ():
        start = time.perf_counter()
        network, row["score"][method] = train(method, seed, delay, options.epochs, options.segment, options.updates)
        if method == "bptt":
            row["trained"] = cosines(network, batch, options.segment)
        print(f"delay {delay} seed {seed} {method:8} score {row['score'][method]:.3f}"
              f"  {time.perf_counter() - start:.0f} s", flush=True)  # fmt: skip
    return row


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean, least, spread and number of seeds of each figure."""
    figures: dict[tuple[int, str, str], list[float]] = {}
    for row in rows:
        for what in ("untrained", "trained", "score"):
            for method, value in row.get(what, {}).items():
                figures.setdefault((row["delay"], what, method), []).append(value)
    return [
        {"delay": delay, "what": what, "method": method, "mean": statistics.mean(values), "least": min(values),
         "spread": max(values) - min(values), "seeds": len(values)}
        for (delay, what, method), values in figures.items()
    ]  # fmt: skip


def main() -> None:
    """Measure, print, write after every seed; a second run goes on."""
    parser = argparse.ArgumentParser(description="Credit over depth: cosine and task score.")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--delays", type=int, nargs="+", default=[60, 120])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--score-seeds", type=int, default=5, help="seeds on which every method trains, not bptt alone")
    parser.add_argument("--epochs", type=int, default=25, help="0: untrained cosines alone")
    parser.add_argument("--updates", type=int, help="train on so many batches of new sequences instead of epochs")
    parser.add_argument("--segment", type=int, default=32)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows: list[dict[str, Any]] = json.loads(options.json.read_text())["rows"] if options.json.exists() else []
    done = {(row["delay"], row["seed"]) for row in rows}
    for delay in options.delays:
        for seed in range(options.seeds):
            if (delay, seed) not in done:
                rows.append(of_seed(seed, delay, options))
                content = {
                    "segment": options.segment,
                    "epochs": options.epochs,
                    "updates": options.updates,
                    "table": table(rows),
                    "rows": rows,
                }
                options.json.write_text(json.dumps(content, indent=1) + "\n")
    for line in table(rows):
        print("delay {delay:5} {what:10}{method:9}mean {mean:6.3f}  least {least:6.3f}  spread {spread:.3f}"
              "  n {seeds}".format(**line))  # fmt: skip


if __name__ == "__main__":
    main()

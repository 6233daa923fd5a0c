"""Character language taken apart: what stands between Mamba's bits a character and ours, one thing at a time.

    python -m benchmarks.language_ladder WIKITEXT2 --json ladder.json --seeds 3

Every rung reads the same batches by the same trainer with as many parameters as `bim-train language` has by default,
give or take a width, and the same one-cycle schedule. Above, Mamba without one of its parts, and with our soma in the
place of its scan's output; below, ours without one of its limits. None of these but ours goes to a chip. Validation,
bits a token, which are bytes; a row that stands in the file already is not run again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.learning import machine
from bim_neuro.atomic import write
from bim_neuro.jobs.evaluate import encoded
from bim_neuro.jobs.plan import TrainingPlan, plan_for
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.model.selective_scan import BlockState, Drive, Reset, ScanWeights, SomaLaw
from bim_neuro.tasks import load_task
from bim_neuro.tasks.scores import score_of
from bim_neuro.training import operator
from bim_neuro.training.baselines import MULTIPLE, Baseline, BaselineConfig, sized
from bim_neuro.training.baselines.lstm import LSTM
from bim_neuro.training.baselines.mamba import Mamba, MambaBlock
from bim_neuro.training.batches import Sequences
from bim_neuro.training.predict import answers
from bim_neuro.training.progress import Progress
from bim_neuro.training.rules import Learning
from bim_neuro.training.trainer import Run
from bim_neuro.training.whole_loss import readings


class Parts(NamedTuple):
    """What a rung's Mamba keeps, and whether our soma spikes in the place of its scan's output."""

    gate: bool = True
    norm: bool = True
    residual: bool = True
    soma: bool = False


class PartBlock(MambaBlock):
    """A `MambaBlock` with some parts only."""

    def __init__(self, width: int, parts: Parts) -> None:
        super().__init__(width)
        self.parts, inner = parts, len(self.d_skip)
        if not parts.gate:
            self.w_in = nn.Linear(width, inner, bias=False)
        if not parts.norm:
            self.norm = nn.Identity()
        if parts.soma:
            self.decay_logit, self.log_threshold = nn.Parameter(torch.tensor(1.5)), nn.Parameter(torch.tensor(0.0))

    def forward(self, x: Tensor) -> Tensor:
        """Read and give the stream (T, batch, width)."""
        u, *z = self.w_in(self.norm(x)).chunk(2 if self.parts.gate else 1, -1)
        heard = F.silu(self.conv(F.pad(u.permute(1, 2, 0), (self.conv.kernel_size[0] - 1, 0)))).permute(2, 0, 1)
        states = self.a_log.shape[1]
        dt, b, c = self.w_x(heard).split([self.w_dt.in_features, states, states], -1)
        y = self._scan(heard, self.w_dt(dt), b, c)
        said: Tensor = self.w_out(y * F.silu(z[0]) if z else y)
        return x + said if self.parts.residual else said

    def _scan(self, u: Tensor, rate: Tensor, b: Tensor, c: Tensor) -> Tensor:
        if not self.parts.soma:
            return super()._scan(u, rate, b, c)
        batch, inner = u.shape[1:]
        leak, threshold = torch.sigmoid(self.decay_logit), torch.exp(self.log_threshold)
        taps, rows = (u.new_ones(inner, 1), u.new_zeros(inner)), u.new_zeros(batch, inner)
        weights = ScanWeights(*taps, self.a_log, self.d_skip, leak, threshold)
        state = BlockState(u.new_zeros(0, batch, inner), u.new_zeros(batch, inner, self.a_log.shape[1]), rows, rows)
        return operator.scan_for(u)(Drive(u, rate, b, c), weights, SomaLaw("hard"), state)[0]


class PartMamba(Mamba):
    """A `Mamba` of such blocks."""

    def __init__(self, inputs: int, classes: int, width: int, layers: int, parts: Parts) -> None:
        super().__init__(inputs, classes, width, layers)
        self.blocks = nn.Sequential(*(PartBlock(width, parts) for _ in range(layers)))
        if not parts.norm:
            self.norm = nn.Identity()


class Ours(nn.Module):
    """Our network as a baseline: r of every step. With ``soma`` "none" a block sends y itself."""

    def __init__(self, config: NetworkConfig, soma: Reset) -> None:
        super().__init__()
        self.network = BIMNetwork(config)
        for block in self.network.blocks:
            assert isinstance(block, BIMBlock)
            block.soma = soma

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), give r (T, batch, classes)."""
        return readings(self.network, self.network.heard(operator.spikes(self.network, x), x))


class Rung(Baseline):
    """Any network that reads x (T, batch, inputs) and gives r, as the trainer and predictions want one."""

    def __init__(self, reads: nn.Module, config: BaselineConfig) -> None:
        nn.Module.__init__(self)
        self.config, self.reads = config, reads


MAMBA = {
    "Mamba": Parts(),
    "Mamba, no gate": Parts(gate=False),
    "Mamba, no norm": Parts(norm=False),
    "Mamba, no residual": Parts(residual=False),
    "Mamba, our soma": Parts(soma=True),
}
OURS: dict[str, tuple[Reset, dict[str, Any]]] = {
    "ours": ("hard", {}),
    "ours, no soma": ("none", {}),
    "ours, no norm": ("hard", {"norm": False}),
    "ours, readout of .88 at first": ("hard", {"readout_decay": None}),
    "ours, 2 blocks of 80, skips": ("hard", {"blocks": 2, "channels": 80, "skips": True}),
}
RUNGS = (*MAMBA, "LSTM", *OURS)


def network_of(name: str, plan: TrainingPlan) -> Rung:
    """Build a rung with about as many parameters as the plan's network."""
    shape = plan.config
    assert isinstance(shape, NetworkConfig)
    if name == "LSTM":
        made = sized("lstm", shape.inputs, shape.classes, shape.parameters)
        return Rung(LSTM(made.inputs, made.classes, made.width, made.layers), made)
    if name in OURS:
        soma, changes = OURS[name]
        config = NetworkConfig(**shape.plain | changes)
        like = BaselineConfig("snn", config.inputs, config.classes, config.channels, config.blocks)
        return Rung(Ours(config, soma), like)
    build = partial(PartMamba, shape.inputs, shape.classes, layers=shape.blocks, parts=MAMBA[name])
    width = min(range(MULTIPLE, 513, MULTIPLE), key=lambda width: abs(_size(build, width) - shape.parameters))
    return Rung(build(width=width), BaselineConfig("mamba", shape.inputs, shape.classes, width, shape.blocks))


def _size(build: Callable[..., nn.Module], width: int) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(width=width).parameters())


def bits_of(name: str, plan: TrainingPlan, training: Sequences, held_out: Sequences) -> dict[str, Any]:
    """Train a rung; return its validation bits a token, its size and its seconds."""
    start = time.perf_counter()
    torch.manual_seed(plan.default.recipe.seed)
    network = network_of(name, plan)
    if isinstance(network.reads, Ours):
        first = torch.as_tensor(training.x[: plan.default.recipe.batch], dtype=torch.float32).transpose(0, 1)
        network.reads.network.measure_norms(first)
    run = Run(network, plan.default.recipe, Learning(), len(training.x), head=plan.task.head)
    run.epoch(training, Progress())
    found = answers(network.eval(), held_out.x, held_out.y, head=plan.task.head)
    score = score_of(plan.task.head, plan.score.name)
    return {
        "rung": name, "bits": score.of(held_out.y, found), "seed": plan.default.recipe.seed,
        "learning_rate": plan.default.recipe.learning_rate, "updates": plan.default.recipe.max_updates,
        "parameters": sum(parameter.numel() for parameter in network.parameters()),
        "seconds": time.perf_counter() - start,
    }  # fmt: skip


def missing(
    done: list[dict[str, Any]], names: list[str], seeds: int, rates: list[float], updates: int
) -> Iterator[tuple[Any, ...]]:
    """Give the rungs, seeds and learning rates that are not done yet with so many updates."""
    found = {(row["rung"], row["seed"], row["learning_rate"], row["updates"]) for row in done}
    for seed in range(seeds):
        for name in names:
            yield from ((name, seed, rate) for rate in rates if (name, seed, rate, updates) not in found)


def main() -> None:
    """Train what is missing, print, write."""
    parser = argparse.ArgumentParser(description="Mamba's bits a character and ours, taken apart.")
    parser.add_argument("data", type=Path, help="folder of WikiText-2")
    parser.add_argument("--json", type=Path, required=True, help="where rows go, one a training; present rows stay")
    parser.add_argument("--rungs", nargs="+", default=list(RUNGS), choices=RUNGS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--updates", type=int, default=400)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.024], help="learning rates")
    options = parser.parse_args()
    rows = json.loads(options.json.read_text())["rows"] if options.json.exists() else []
    task = load_task("language", options.data)
    plan = plan_for(task)
    training, held_out = (Sequences(*encoded(plan.encoder, task.split(name))) for name in ("train", "validation"))
    for name, seed, rate in missing(rows, options.rungs, options.seeds, options.rates, options.updates):
        plan = plan_for(task, seed=seed, learning_rate=rate, max_updates=options.updates)
        rows.append(bits_of(name, plan, training, held_out))
        print(json.dumps(rows[-1]), flush=True)
        write(options.json, json.dumps({"machine": machine(), "rows": rows}, indent=1) + "\n")
    for name in options.rungs:
        for rate in options.rates:
            asked = (name, rate, options.updates)
            bits = [row["bits"] for row in rows if (row["rung"], row["learning_rate"], row["updates"]) == asked]
            print(f"{name:45} {rate:g}  {statistics.mean(bits):.3f} ({min(bits):.3f} to {max(bits):.3f}), {len(bits)}")


if __name__ == "__main__":
    main()

"""The baseline `mamba` beside mambapy's, another implementation of the same network: same weights, then same training.

    pip install --no-deps mambapy==1.2.0                                        (MIT; needs torch alone)
    python -m benchmarks.mamba_beside --data ../shared/data/wikitext2 --json mamba.json      (an hour, one core)

First the weights of theirs in ours, in float64: how far logits and gradients differ, of the largest of each. Then each
as it comes, its own initial weights and all, on the same batches of bytes of WikiText: AdamW, one rate up and down,
norm of the gradient at most 1. Printed: bits a byte on the same windows of validation, and ours minus theirs.

Both have the same linear maps before and behind: what is compared is the block, and the norms. Theirs draws the initial
step sizes as ours does and clamps them from below at 1e-4, which none reaches; it rounds A and D to float32, hence what
differs in float64.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.learning import machine
from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.training.baselines.mamba import Mamba

TOKENS, JUDGED = 256, 128
"""Tokens: bytes; and windows of validation that are judged."""
NAMES = {
    "in_proj.weight": "w_in.weight",
    "conv1d.weight": "conv.weight",
    "conv1d.bias": "conv.bias",
    "x_proj.weight": "w_x.weight",
    "dt_proj.weight": "w_dt.weight",
    "dt_proj.bias": "w_dt.bias",
    "A_log": "a_log",
    "D": "d_skip",
    "out_proj.weight": "w_out.weight",
}
"""Weights of their mixer, and ours."""


class OfTokens(nn.Module):
    """A network of one line a token, for tokens (batch, T): logits (batch, T, tokens)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, tokens: Tensor) -> Tensor:
        """Read tokens (batch, T)."""
        x = F.one_hot(tokens, TOKENS).to(next(self.parameters()).dtype)
        said: Tensor = self.network(x.transpose(0, 1)).transpose(0, 1)
        return said


class SamplesFirst(nn.Module):
    """Their blocks, which read (batch, T, width), for the stream (T, batch, width) of ours."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        """Read and give (T, batch, width)."""
        said: Tensor = self.layers(x.transpose(0, 1)).transpose(0, 1)
        return said


def ours(width: int, layers: int) -> nn.Module:
    """Return our baseline."""
    return OfTokens(Mamba(TOKENS, TOKENS, width, layers))


def theirs(width: int, layers: int) -> nn.Module:
    """Return mambapy's blocks and norm between linear maps like ours."""
    try:
        from mambapy import mamba  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        raise InputError("mambapy is not installed", "pip install --no-deps mambapy==1.2.0") from None
    frame = Mamba(TOKENS, TOKENS, width, layers)
    blocks: Any = SamplesFirst(mamba.Mamba(mamba.MambaConfig(d_model=width, n_layers=layers)))
    frame.blocks, frame.norm = blocks, mamba.RMSNorm(width, 1e-5)
    return OfTokens(frame)


def copied(rival: nn.Module, mine: nn.Module) -> dict[str, str]:
    """Put the weights of ``rival`` into ours; return the name of each of its weights in ours."""
    pairs: dict[str, str] = {}
    for name in dict(rival.named_parameters()):
        our = name.replace("blocks.layers.layers.", "blocks.")
        block, mixer, part = our.partition("mixer.")
        pairs[name] = block + NAMES[part] if mixer else our
    with torch.no_grad():
        for their, our in pairs.items():
            mine.get_parameter(our).copy_(rival.get_parameter(their))
    assert len(set(pairs.values())) == len(list(mine.parameters()))
    return pairs


def differences(width: int, layers: int, steps: int = 64) -> dict[str, float]:
    """Return how far logits and gradients of equal weights differ, of the largest number of each, in float64."""
    torch.manual_seed(0)
    rival, mine = theirs(width, layers).double(), ours(width, layers).double()
    names = copied(rival, mine)
    tokens = torch.randint(TOKENS, (3, steps + 1))
    logits = []
    for model in (rival, mine):
        said = model(tokens[:, :-1])
        F.cross_entropy(said.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        logits.append(said.detach())
    worst = 0.0
    for their, our in names.items():
        a, b = rival.get_parameter(their).grad, mine.get_parameter(our).grad
        if a is None or b is None:
            raise RuntimeError(f"{their} has no gradient")
        worst = max(worst, _apart(a, b))
    return {"logits": _apart(*logits), "gradients": worst}


def _apart(a: Tensor, b: Tensor) -> float:
    return float((a - b).abs().max() / a.abs().max())


def trained(model: nn.Module, data: Any, options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Train on the batches that ``seed`` draws; return bits a byte on validation, parameters and seconds."""
    rng, start = np.random.default_rng(seed), time.perf_counter()
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=options.rate, total_steps=options.updates)
    for _ in range(options.updates):
        rows = np.sort(rng.choice(len(data.train), options.batch, replace=False))
        optimiser.zero_grad()
        _loss(model, data.train.x[rows, : options.steps + 1]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        schedule.step()
    held = data.validation.x[np.linspace(0, len(data.validation) - 1, JUDGED).astype(int), : options.steps + 1]
    with torch.no_grad():
        bits = np.mean([float(_loss(model, part)) for part in np.split(held, 8)]) / np.log(2)
    seconds = time.perf_counter() - start
    return {"bits": float(bits), "parameters": sum(p.numel() for p in model.parameters()), "seconds": seconds}


def _loss(model: nn.Module, windows: Any) -> Tensor:
    """Return the mean loss of windows (batch, T + 1, 1), each token but the first asked for, in nats."""
    tokens = torch.as_tensor(windows[..., 0].astype(np.int64))
    loss: Tensor = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    return loss


def main() -> None:
    """Compare, train, print, write."""
    parser = argparse.ArgumentParser(description="The baseline mamba beside mambapy's.")
    parser.add_argument("--data", type=Path, required=True, help="a folder of WikiText")
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--steps", type=int, default=128, help="bytes of a window that are read")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--updates", type=int, default=200)
    parser.add_argument("--rate", type=float, default=6e-3)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the figures go")
    options = parser.parse_args()
    apart = differences(options.width, options.layers)
    print(
        f"equal weights: logits differ by {apart['logits']:.1e} of the largest, gradients by {apart['gradients']:.1e}"
    )
    data, rows = load_task("language", options.data), []
    for seed in range(options.seeds):
        row: dict[str, Any] = {"seed": seed}
        for name, build in (("ours", ours), ("theirs", theirs)):
            torch.manual_seed(seed)
            row[name] = trained(build(options.width, options.layers), data, options, seed)
            shown = row[name]
            print(f"seed {seed} {name:6} {shown['bits']:.4f} bits, {shown['seconds']:.0f} s", flush=True)
        rows.append(row)
    less = [row["ours"]["bits"] - row["theirs"]["bits"] for row in rows]
    print(f"ours - theirs: {np.mean(less):+.4f} bits a byte in the mean, {min(less):+.4f} to {max(less):+.4f}")
    if options.json:
        settings = {name: value for name, value in vars(options).items() if name not in ("data", "json")}
        said = {"machine": machine(), **settings, "equal_weights": apart, "rows": rows}
        options.json.write_text(json.dumps(said, indent=1) + "\n")


if __name__ == "__main__":
    main()

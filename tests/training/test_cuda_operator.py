"""The CUDA operator's kernels, run by Triton's interpreter on the CPU, against float64 autograd of the law."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.model.selective_scan import BlockState, Drive, Reset, ScanWeights, SomaLaw, selective_scan
from bim_neuro.training.operator import chosen, cuda, spikes

pytest.importorskip("triton", reason="triton is not installed (it is for x86_64 Linux and Python 3.11 or later)")


class Case(NamedTuple):
    """A shape, a law and a seed."""

    steps: int
    batch: int
    channels: int
    states: int
    taps: int
    law: SomaLaw
    masked: bool
    seed: int


def some_case(seed: int, most_steps: int, most_channels: int, most_states: int) -> Case:
    chance = random.Random(seed)
    reset: Reset = chance.choice(["hard", "soft", "none"])

    def size(most: int) -> int:
        """Large sizes are rare: the interpreter takes seconds a step of them. One number has no scale for its error."""
        return max(min(most, 4), math.ceil(chance.randint(1, most) ** 2 / most))

    return Case(
        size(most_steps), chance.randint(1, 2), size(most_channels), chance.randint(1, most_states),
        chance.randint(1, 8),
        SomaLaw(reset, chance.random() < 0.5, chance.choice([0.7, 2.0])), chance.random() < 0.5, seed,
    )  # fmt: skip


Scan = Callable[[Drive, ScanWeights, SomaLaw, BlockState, Tensor | None], tuple[Tensor, BlockState]]
OUTPUTS = ("spikes", *BlockState._fields)
NAMES = (*Drive._fields, *ScanWeights._fields, *BlockState._fields)


def outcome(case: Case, scan: Scan, dtype: torch.dtype, apart: bool = False) -> tuple[list[Tensor], dict[str, Tensor]]:
    """Return spikes and states, and all gradients of a random weighted sum of them, from random states.

    C and the taps are as large as a new block's.

    ``apart``: with a leak and a threshold a channel, of the same value.
    """
    seeded = torch.Generator().manual_seed(case.seed)
    steps, batch, channels, states, taps = case[:5]

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=seeded, dtype=torch.float64)

    drive = (
        normal(steps, batch, channels), normal(steps, batch, channels) - 1,
        normal(steps, batch, states), normal(steps, batch, states) / states**0.5,
    )  # fmt: skip
    weights = (
        normal(channels, taps) / taps**0.5, normal(channels) / 3, normal(channels, states) / 2, normal(channels),
        *(torch.full((channels,) if apart else (), value).double() for value in (0.8, 0.9)),
    )  # fmt: skip
    v = normal(batch, channels)
    state = normal(taps - 1, batch, channels), normal(batch, channels, states), v, (v > 0.9).double()
    mask = torch.rand(steps, batch, generator=seeded) > 0.3 if case.masked else None
    given = [part.to(dtype).clone().requires_grad_() for part in (*drive, *weights, *state)]
    fired, after = scan(Drive(*given[:4]), ScanWeights(*given[4:10]), case.law, BlockState(*given[10:]), mask)
    outputs = [fired, *after]
    torch.stack([(part * normal(*part.shape).to(dtype)).sum() for part in outputs]).sum().backward()
    grads = {n: torch.zeros_like(g) if g.grad is None else g.grad for n, g in zip(NAMES, given, strict=True)}
    return [part.detach() for part in outputs], grads


def largest_error(found: dict[str, Tensor], wanted: dict[str, Tensor], scale: dict[str, Tensor]) -> float:
    """Return the largest difference in units of the largest entry of the same name in ``scale``."""
    errors = [
        float((found[name].double() - right).abs().max() / scale[name].abs().max().clamp(min=1e-9))
        for name, right in wanted.items()
        if right.numel()
    ]
    return max(errors)


def check(case: Case) -> None:
    right, gradients = outcome(case, selective_scan, torch.float64)
    summands = outcome(case, selective_scan, torch.float64, apart=True)[1]  # the one leak's gradient may cancel
    for dtype, limit in ((torch.float64, 1e-10), (torch.float32, 1e-5)):
        found, by_kernels = outcome(case, cuda.scan, dtype)
        assert torch.equal(found[0] > 0.5, right[0] > 0.5)
        outputs = [dict(zip(OUTPUTS, part, strict=True)) for part in (found, right)]
        assert largest_error(*outputs, outputs[1]) < limit
        error = largest_error(by_kernels, gradients, summands)
        if dtype == torch.float32 and error >= limit:  # a sum that cancels is no better in the law's own float32
            limit = 2 * largest_error(outcome(case, selective_scan, dtype)[1], gradients, summands)
        assert error < limit, (case, dtype)


def test_gradients_are_those_of_the_law(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "CHUNK", 2)  # so that short sequences have several chunks
    for seed in range(8):
        check(some_case(seed, most_steps=4, most_channels=40 if seed == 0 else 20, most_states=9))


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("first", range(0, 200, 20))
def test_gradients_are_those_of_the_law_in_two_hundred_cases(first: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first twenty with chunks of their true length, which few cases fill; the others with four steps a chunk."""
    if first:
        monkeypatch.setattr(cuda, "CHUNK", 4)
    for seed in range(1000 + first, 1020 + first):
        check(some_case(seed, most_steps=14 if first else 40, most_channels=70, most_states=64))


def test_a_network_runs_on_the_kernels_as_on_the_law() -> None:
    torch.manual_seed(0)
    network, x = BIMNetwork(NetworkConfig(3, 2, 5, 3, 4, 2)).double(), torch.randn(6, 2, 3).double()
    for mine, law in zip(spikes(network, x, "cuda"), spikes(network, x, "law"), strict=True):
        assert torch.equal(mine, law)


def test_half_precision_projections_are_read_as_they_are() -> None:
    law, state = SomaLaw(), BlockState(torch.zeros(3, 2, 5), torch.zeros(2, 5, 4), torch.zeros(2, 5), torch.zeros(2, 5))
    torch.manual_seed(0)
    drive = Drive(*(torch.randn(7, 2, size).bfloat16() for size in (5, 5, 4, 4)))
    weights = ScanWeights(*(torch.randn(5, size) for size in (4, 0, 4)), *torch.ones(3))  # type: ignore[misc]
    weights = weights._replace(b_u=torch.randn(5), a_log=torch.randn(5, 4), d_skip=torch.randn(5))
    wide = Drive(*(part.float() for part in drive))
    assert torch.equal(cuda.scan(drive, weights, law, state)[0], cuda.scan(wide, weights, law, state)[0])


def test_what_the_kernels_cannot_run_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(torch.zeros(1)) != "cuda"
    with pytest.raises(InputError, match="cannot run float16 on cpu"):
        chosen(torch.zeros(1).half(), "cuda")
    monkeypatch.delenv("TRITON_INTERPRET")
    with pytest.raises(InputError, match="cannot run float32 on cpu"):
        chosen(torch.zeros(1), "cuda")

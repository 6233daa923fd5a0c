"""The compiled operator is the law: its spikes, its states after, and the gradient of all that goes in."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.model.selective_scan import BlockState, Drive, ScanWeights, SomaLaw, selective_scan
from bim_neuro.training import operator
from bim_neuro.training.operator import cpu

GIVEN = (*Drive._fields, *ScanWeights._fields, *BlockState._fields)
LAWS = [SomaLaw("hard"), SomaLaw("hard", False, 5.0), SomaLaw("soft"), SomaLaw("soft", False), SomaLaw("none")]
BOUND = {torch.float64: 1e-10, torch.float32: 1e-5}


class Case(NamedTuple):
    """What goes in, in float64, and the gradient of what comes out."""

    given: list[Tensor]
    law: SomaLaw
    mask: Tensor | None
    wanted: list[Tensor]


def drawn(seed: int, largest: int = 40) -> Case:
    """A case whose sizes and law follow from its number."""
    generator = torch.Generator().manual_seed(seed)

    def upto(limit: int) -> int:
        return 1 + int(torch.randint(limit, (), generator=generator))

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    steps, batch, channels, states, taps = upto(largest), upto(3), upto(70), upto(64), upto(8)
    if seed % 10 == 0:
        steps, states, taps = 1, 1, 1
    given = [
        *(randn(steps, batch, channels), randn(steps, batch, channels) - 1),
        *(randn(steps, batch, states), randn(steps, batch, states) / states**0.5),
        *(randn(channels, taps) / taps**0.5, 0.1 * randn(channels), 0.5 * randn(channels, states), randn(channels)),
        *(torch.sigmoid(randn()), torch.exp(0.3 * randn())),
        *(randn(taps - 1, batch, channels), randn(batch, channels, states), randn(batch, channels)),
        (randn(batch, channels) > 0).double(),
    ]
    mask = torch.rand(steps, batch, generator=generator) < 0.7 if seed % 3 == 0 else None
    after = ((steps, batch, channels), *(part.shape for part in given[10:]))
    return Case(given, LAWS[seed % len(LAWS)], mask, [randn(*shape) for shape in after])


def results(scan: Any, case: Case, dtype: torch.dtype) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """What comes out, and the gradient of what goes in."""
    given = [part.to(dtype).requires_grad_() for part in case.given]
    drive, weights, state = Drive(*given[:4]), ScanWeights(*given[4:10]), BlockState(*given[10:])
    spikes, after = scan(drive, weights, case.law, state, case.mask)
    out = (spikes, *after)
    total = sum((part * weight.to(dtype)).sum() for part, weight in zip(out, case.wanted, strict=True))
    gradient = torch.autograd.grad(total, given, materialize_grads=True)
    names = ("spikes", *BlockState._fields)
    out = tuple(part.detach() for part in out)
    return dict(zip(names, out, strict=True)), dict(zip(GIVEN, gradient, strict=True))


def errors(got: dict[str, Tensor], wanted: dict[str, Tensor], scale: dict[str, Tensor]) -> dict[str, float]:
    """The largest error of each part, relative to the largest number of ``scale``."""
    return {
        name: float((got[name].double() - part).abs().max() / scale[name].abs().max().clamp(min=1e-6))
        for name, part in wanted.items()
        if part.numel()
    }


def of_the_law(case: Case) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """What the law gives in float64; and the gradient with a leak and a threshold a channel.

    The gradient of the one leak is a sum over channels, which may come to nearly nothing: its scale is the summands'.
    """
    channels = len(case.given[5])
    apart = [part.expand(channels).clone() if name in ("decay", "threshold") else part
             for name, part in zip(GIVEN, case.given, strict=True)]  # fmt: skip
    return *results(selective_scan, case, torch.float64), results(
        selective_scan, case._replace(given=apart), torch.float64
    )[1]


def check(case: Case, dtype: torch.dtype) -> bool:
    """Compare one case; return False where rounding turns a spike, after which nothing is comparable."""
    out, gradient = results(cpu.scan, case, dtype)
    wanted_out, wanted, scale = of_the_law(case)
    if case.law.reset != "none" and not torch.equal(out["spikes"].double(), wanted_out["spikes"]):
        return False
    assert max(errors(out, wanted_out, wanted_out).values()) < BOUND[dtype], case.law
    assert max(errors(gradient, wanted, scale).values()) < BOUND[dtype], case.law
    return True


@pytest.mark.parametrize("dtype", BOUND)
def test_every_gradient_is_the_laws(dtype: torch.dtype) -> None:
    compared = [check(drawn(seed, 16), dtype) for seed in range(20)]
    assert sum(compared) >= (20 if dtype is torch.float64 else 18)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", BOUND)
def test_every_gradient_is_the_laws_in_many_cases(dtype: torch.dtype) -> None:
    compared = [check(drawn(seed), dtype) for seed in range(20, 220)]
    assert sum(compared) >= (200 if dtype is torch.float64 else 190)


def network(blocks: int = 2) -> tuple[BIMNetwork, Tensor]:
    torch.manual_seed(0)
    return BIMNetwork(NetworkConfig(5, 3, channels=70, states=3, blocks=blocks)), torch.rand(50, 4, 5)


def test_a_sequence_may_be_run_in_pieces() -> None:
    made, x = network()
    whole, states = operator.spikes(made, x), list(made.initial(4).blocks)
    pieces = [operator.advance(made, piece, states) for piece in x.split(13)]
    for block, spikes in enumerate(whole):
        assert spikes.sum() > 0
        torch.testing.assert_close(torch.cat([piece[block] for piece in pieces]), spikes)


def test_threads_change_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    case, threads = drawn(7), torch.get_num_threads()
    monkeypatch.setattr(cpu, "THREADS_FROM", 0)
    monkeypatch.setattr(cpu, "GROUP", 16)
    seen = set()
    try:
        for number in (1, 2, 3, 8):
            torch.set_num_threads(number)
            parts = [part for of in results(cpu.scan, case, torch.float32) for part in of.values()]
            seen.add(b"".join(part.numpy().tobytes() for part in parts))
    finally:
        torch.set_num_threads(threads)
    assert len(seen) == 1


def test_a_state_that_fades_away_costs_nothing_more() -> None:
    """Silence after an input: states and gradients decay below the least normal number, and become 0."""
    case = drawn(3)
    quiet = [part.clone() for part in case.given]
    for part in quiet[:3]:
        part[5:] = 0
    after = results(cpu.scan, case._replace(given=quiet, mask=None), torch.float32)[0]["h"]
    assert not ((after != 0) & (after.abs() < np.finfo(np.float32).tiny)).any()


def test_what_the_kernels_cannot_run_is_refused() -> None:
    with pytest.raises(InputError, match=r"cannot run bfloat16 on cpu"):
        operator.chosen(torch.zeros(1, dtype=torch.bfloat16), "cpu")
    assert operator.chosen(torch.zeros(1, dtype=torch.bfloat16)) == "law"
    assert operator.chosen(torch.zeros(1)) == "cpu"

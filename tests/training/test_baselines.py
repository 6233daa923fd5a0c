"""The networks to compare with: they look back only, they learn, and they come in the size that is asked for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from bim_neuro.errors import InputError
from bim_neuro.training.baselines import BASELINES, SIZELESS, Baseline, BaselineConfig, sized
from bim_neuro.training.baselines.cnn import DILATIONS, KERNEL
from bim_neuro.training.baselines.mamba import STATES, MambaBlock

STEPS, BATCH, INPUTS, CLASSES = 12, 3, 5, 4


def baseline(name: str, inputs: int, classes: int, width: int, layers: int = 1) -> Baseline:
    return Baseline(BaselineConfig(name, inputs, classes, width, layers))


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.as_tensor(np.random.default_rng(0).normal(size=shape)).to(dtype)


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("name", BASELINES)
def test_a_baseline_looks_back_only(name: str, layers: int) -> None:
    torch.manual_seed(0)
    network, x = baseline(name, INPUTS, CLASSES, 8, layers), drawn(STEPS, BATCH, INPUTS)
    later = x.clone()
    later[7:] += 5
    with torch.no_grad():
        said, other = network(x), network(later)
    assert said.shape == (STEPS, BATCH, CLASSES)
    torch.testing.assert_close(said[:7], other[:7])
    assert name == "unigram" or not torch.equal(said[7:], other[7:])


@pytest.mark.parametrize("name", BASELINES)
def test_every_parameter_of_a_baseline_has_a_gradient(name: str) -> None:
    torch.manual_seed(0)
    network = baseline(name, INPUTS, CLASSES, 8, 2)
    loss = F.cross_entropy(network(drawn(STEPS, BATCH, INPUTS)).mean(0), torch.arange(BATCH))
    loss.backward()
    still = [name for name, parameter in network.named_parameters() if parameter.grad is None]
    assert not still
    assert any(bool(parameter.grad.abs().sum() > 0) for parameter in network.parameters() if parameter.grad is not None)


@pytest.mark.parametrize("name", [name for name in BASELINES if name not in SIZELESS])
@pytest.mark.parametrize("parameters", [8_000, 100_000])
def test_the_width_nearest_to_a_number_of_parameters_is_chosen(name: str, parameters: int) -> None:
    config = sized(name, 30, 30, parameters, 2)
    assert config.width % 4 == 0
    assert config.parameters == sum(weight.numel() for weight in Baseline(config).parameters())
    near = [replace(config, width=width) for width in (config.width - 4, config.width, config.width + 4) if width]
    off = [abs(other.parameters - parameters) for other in near]
    assert abs(config.parameters - parameters) == min(off) < 0.2 * parameters


def test_a_mamba_block_is_the_published_one() -> None:
    """Written again from the paper's equations, step by step, in float64."""
    torch.manual_seed(0)
    block, x = MambaBlock(8).double(), drawn(STEPS, BATCH, 8, dtype=torch.float64)
    with torch.no_grad():
        said = block(x)
        normed = x / torch.sqrt((x**2).mean(-1, keepdim=True) + 1e-5) * block.norm.weight
        u, z = (normed @ block.w_in.weight.T).split(16, -1)
        assert block.conv.bias is not None
        h, taps = x.new_zeros(BATCH, 16, STATES), x.new_zeros(4, BATCH, 16)
        for t in range(STEPS):
            taps = torch.cat([taps[1:], u[t][None]])
            heard = F.silu(torch.einsum("kbd,dk->bd", taps, block.conv.weight[:, 0]) + block.conv.bias)
            rank, b, c = (heard @ block.w_x.weight.T).split([1, STATES, STATES], -1)
            delta = F.softplus(rank @ block.w_dt.weight.T + block.w_dt.bias)
            h = torch.exp(delta[..., None] * -block.a_log.exp()) * h + (delta * heard)[..., None] * b[:, None]
            y = (h * c[:, None]).sum(-1) + block.d_skip * heard
            torch.testing.assert_close(said[t], x[t] + (y * F.silu(z[t])) @ block.w_out.weight.T)


def test_a_layer_of_the_cnn_sees_as_far_as_it_says() -> None:
    torch.manual_seed(0)
    network, reach = baseline("cnn", 1, 2, 4), (KERNEL - 1) * (2**DILATIONS - 1)
    x = torch.zeros(reach + 2, 1, 1, requires_grad=True)
    network(x)[-1].sum().backward()
    assert x.grad is not None
    assert (reach, x.grad[0].item(), x.grad[1].item() != 0) == (60, 0.0, True)


def test_an_unknown_baseline_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="unknown baseline 'gru'"):
        baseline("gru", 1, 2, 4)

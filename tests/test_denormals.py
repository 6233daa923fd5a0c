"""Where the input falls silent everything decays; nothing that learns or runs floats is left with denormal numbers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch

from bim_neuro.denormals import denormals_flushed
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import LIF, Dense, Encoder, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.simulation.reference import simulate_float
from bim_neuro.training import fused, kernels
from bim_neuro.training.batches import Sequences
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.predict import predict
from bim_neuro.training.progress import Progress
from bim_neuro.training.readout import Loss
from bim_neuro.training.rules import Learner, Learning
from bim_neuro.training.trainer import Recipe, Run

SILENT = 1200


def flushes() -> bool:
    """Whether denormals count as 0 in this thread, to numpy and to PyTorch."""
    small = np.full(1, 1e-310) * 1.0, torch.full((1,), 1e-40) * 1.0
    return [float(value[0]) for value in small] == [0.0, 0.0]


def denormal(values: Array) -> int:
    tiny = np.finfo(values.dtype).tiny
    return int(np.count_nonzero((values != 0) & (np.abs(values) < tiny)))


def heard_then_silent(batch: int = 1, inputs: int = 5) -> torch.Tensor:
    x = torch.zeros(SILENT, batch, inputs)
    x[:20] = (torch.rand(20, batch, inputs, generator=torch.Generator().manual_seed(0)) < 0.5).float()
    return x


def network() -> BIMNetwork:
    torch.manual_seed(0)
    return BIMNetwork(NetworkConfig(5, 4, channels=64, states=3))


def test_the_mode_is_that_of_a_thread_and_comes_back() -> None:
    assert not flushes()
    with denormals_flushed(), ThreadPoolExecutor(1) as before:
        with denormals_flushed():
            assert flushes()
        assert flushes()
        before.submit(int).result()
    assert not flushes()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()  # the thread begins now
        with denormals_flushed():
            assert not pool.submit(flushes).result()
    with pytest.raises(ZeroDivisionError), denormals_flushed():
        _ = 1 // 0
    assert not flushes()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("every", [True, False])
def test_traces_of_a_silent_input_become_zero_in_every_thread(
    monkeypatch: pytest.MonkeyPatch, threads: int, every: bool
) -> None:
    monkeypatch.setattr(fused, "THREADS_FROM", 0)
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    forward = ForwardGradient(network(), 1)
    forward.sequence(heard_then_silent()[:200], Loss(torch.zeros(1, dtype=torch.long), every))
    halfway = forward.traces[0].memory.clone().numpy()
    forward.sequence(heard_then_silent(), Loss(torch.zeros(1, dtype=torch.long), every))
    memory = forward.traces[0].memory.numpy()
    assert [denormal(halfway), denormal(memory)] == [0, 0]
    assert np.count_nonzero(memory) < np.count_nonzero(halfway)  # some have gone all the way
    assert not flushes()


@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_the_kernels_flush_whoever_calls_them(number: Any) -> None:
    steps = 2200
    h = np.zeros((steps + 1, 1), number)
    h[0] = 1
    x, half = h.copy(), number(0.6)
    kernels.scan(np.full((steps, 1), half, number), h)
    kernels.leak_through(x, half)
    v, s = h * 0, h * 0
    v[0] = 1
    kernels.fire(np.zeros((steps, 1), number), v, s, np.full(1, half, number), number(2), True)
    for decayed in (h, x, v):
        assert denormal(decayed) == 0
        assert decayed[100, 0] > 0 == decayed[-1, 0]


@pytest.mark.parametrize("rule", ["bptt", "rtrl", "stdp"])
def test_training_and_prediction_flush(monkeypatch: pytest.MonkeyPatch, rule: str) -> None:
    """Gradients fade backwards through silence too, and an optimiser's averages where no gradient comes."""
    seen: list[bool] = []
    step = torch.optim.AdamW.step

    def watched(self: Any, *arguments: Any) -> Any:
        seen.append(flushes())
        return step(self, *arguments)

    monkeypatch.setattr(torch.optim.AdamW, "step", watched)
    x, y = heard_then_silent(2)[:40].transpose(0, 1), torch.tensor([0, 1])
    run = Run(network(), Recipe(epochs=2, batch=2), Learning(rule), 2)
    project = BIMBlock.project
    monkeypatch.setattr(BIMBlock, "project", lambda block, x: seen.append(flushes()) or project(block, x))
    run.epoch(Sequences(x.numpy(), y.numpy()), Progress())
    Learner(run.network, Learning(rule)).gradients(x.transpose(0, 1), y)
    predict(run.network, x.numpy())
    assert len(seen) >= 2
    assert all(seen)
    assert not flushes()


def test_the_float_law_flushes() -> None:
    lif, source = LIF(1, decay=0.5, v_threshold=9.0, bias=np.zeros(1)), Source(1, graded=False)
    edge = Edge("input", "lif", "i", Dense(np.ones((1, 1))))
    encoder = Encoder("spikes", np.ones(1), np.zeros(1))
    x = np.zeros((1, 1060, 1))
    x[:, 0] = 1
    v = simulate_float(FloatGraph({"input": source, "lif": lif}, (edge,), 1e-3, encoder), x).probes["lif.v"][0, :, 0]
    assert (v[1000], v[-1]) == (0.5**1000, 0.0)
    assert not flushes()

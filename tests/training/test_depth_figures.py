"""The benchmark of credit over depth computes the gradients that the rules compute."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from benchmarks import depth
from bim_neuro.model.network import BIMNetwork
from bim_neuro.training.rules import Learner, Learning


@pytest.fixture(scope="module")
def network() -> BIMNetwork:
    return depth.slow_network(3)


@pytest.mark.parametrize("credit", ["spatial", "local"])
def test_cut_backpropagation_is_the_forward_traces_gradient(network: BIMNetwork, credit: str) -> None:
    batch = depth.copy(7, 4, 0)
    torch.manual_seed(1)
    learner = Learner(network, Learning("rtrl", credit=credit))
    learner.gradients(*batch)
    wanted = torch.cat([p.grad.flatten() for p in depth.blocks_of(network)[0].parameters() if p.grad is not None])
    found = depth.lower_gradient(credit, network, batch, 5)
    assert float(F.cosine_similarity(found, wanted.clone(), 0)) == pytest.approx(1, abs=1e-6)


def test_a_segment_as_long_as_the_sequence_is_the_truth(network: BIMNetwork) -> None:
    batch = depth.copy(20, 4, 0)
    found = depth.cosines(network, batch, len(batch[0]))
    assert found["segment"] == pytest.approx(1, abs=1e-6)
    assert found["tbptt"] == pytest.approx(1, abs=1e-6)
    assert depth.cosines(network, batch, 4)["tbptt"] < 0.999

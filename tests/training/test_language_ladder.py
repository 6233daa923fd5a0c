"""The rungs of `benchmarks.language_ladder`: whole, they are the baseline and the network that they take apart."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from benchmarks.language_ladder import MAMBA, Ours, PartMamba, missing
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training.baselines.mamba import Mamba

INPUTS, CLASSES, WIDTH = 6, 5, 8


def test_a_mamba_of_all_parts_is_the_baseline() -> None:
    torch.manual_seed(0)
    whole, x = Mamba(INPUTS, CLASSES, WIDTH, 2), torch.randn(12, 3, INPUTS)
    parts = PartMamba(INPUTS, CLASSES, WIDTH, 2, MAMBA["Mamba"])
    parts.load_state_dict(whole.state_dict())
    torch.testing.assert_close(parts(x), whole(x), rtol=0, atol=0)


@pytest.mark.parametrize("name", [name for name in MAMBA if name != "Mamba"])
def test_a_part_that_is_gone_changes_what_is_said(name: str) -> None:
    torch.manual_seed(0)
    whole, x = Mamba(INPUTS, CLASSES, WIDTH), torch.randn(12, 3, INPUTS)
    parts = PartMamba(INPUTS, CLASSES, WIDTH, 1, MAMBA[name])
    state = whole.state_dict()
    if "gate" in name:
        state["blocks.0.w_in.weight"] = state["blocks.0.w_in.weight"][: 2 * WIDTH]
    parts.load_state_dict(state, strict=False)
    assert (parts(x) - whole(x)).abs().max() > 1e-2


def test_ours_without_a_soma_sends_the_current_itself() -> None:
    config = NetworkConfig(INPUTS, CLASSES, channels=9, states=4)
    torch.manual_seed(0)
    spiking, plain = Ours(config, "hard"), Ours(config, "none")
    plain.load_state_dict(spiking.state_dict())
    x = F.one_hot(torch.randint(INPUTS, (12, 3)), INPUTS).float()
    torch.testing.assert_close(spiking(x).mean(0), BIMNetwork.forward(spiking.network, x), rtol=1e-4, atol=1e-5)
    assert (spiking(x) - plain(x)).abs().max() > 1e-2


def test_a_row_of_another_budget_is_not_taken_for_one_that_is_done() -> None:
    done = [{"rung": "ours", "seed": 0, "learning_rate": 0.024, "updates": 400}]
    assert list(missing(done, ["ours", "LSTM"], 1, [0.024], 400)) == [("LSTM", 0, 0.024)]
    assert list(missing(done, ["ours"], 1, [0.024], 100)) == [("ours", 0, 0.024)]

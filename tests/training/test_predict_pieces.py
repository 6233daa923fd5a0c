"""Predictions are made some samples and steps at a time: the pieces change no bit, and do not grow with the data."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.training import operator, predict


def network(channels: int = 8, classes: int = 3, blocks: int = 2) -> BIMNetwork:
    torch.manual_seed(0)
    return BIMNetwork(NetworkConfig(inputs=4, classes=classes, channels=channels, states=2, blocks=blocks)).eval()


@pytest.mark.parametrize("near", [1, 2**14, 2**18])
def test_pieces_change_no_bit(near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).random((20, 150, 4)).astype(np.float32)
    net = network()
    whole = predict.answers(net, x).total
    assert len(np.unique(whole)) > len(x)
    monkeypatch.setattr(predict, "NEAR", near)
    samples, steps = predict._piece(net, x.shape, 512)
    assert samples < len(x) or steps < x.shape[1]
    np.testing.assert_array_equal(predict.answers(net, x).total, whole)


@pytest.mark.parametrize("steps", [1, 100, 1000, 10_000, 1_000_000])
@pytest.mark.parametrize("count", [1, 9, 100_000])
@pytest.mark.parametrize(("channels", "classes"), [(8, 3), (64, 10), (512, 10), (64, 50_000)])
def test_a_piece_is_bounded(channels: int, classes: int, count: int, steps: int) -> None:
    net = network(channels, classes)
    a_step = operator.step_bytes(net.config, "cpu") + 4 * predict.READINGS * classes
    samples, taken = predict._piece(net, (count, steps, 4), 512)
    run = min(steps, predict.RUN) * a_step
    assert samples * taken * a_step <= min(predict.AT_ONCE, max(predict.NEAR, run + operator.state_bytes(net.config)))
    assert samples * steps * 4 * 4 <= predict.AT_ONCE or samples == 1
    assert taken >= min(steps, predict.RUN) or run > predict.AT_ONCE

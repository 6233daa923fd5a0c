"""A whole `bim-train --rule rtrl` takes memory for its data, and none that grows with the length of the sequences."""

from __future__ import annotations

import os

import pytest

from benchmarks.training.whole_command import peaks

MIB = 2**20
ROOM = 40 * MIB
"""What varies from run to run, and the steps that `predict` computes at a time (`predict.AT_ONCE`, 32 MiB)."""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not hasattr(os, "wait4"), reason="only wait4 tells the peak of one child")
def test_thirty_times_the_steps_take_the_data_more() -> None:
    """Backpropagation would keep 16 samples of 3,000 steps: of 128 channels with 8 states 180 MiB more."""
    short, long = peaks((100, 3000))
    assert long["data_bytes"] == 30 * short["data_bytes"] > 10 * MIB
    assert long["rise_bytes"] < 3 * long["data_bytes"] + ROOM

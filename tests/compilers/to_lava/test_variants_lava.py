"""Skips over two blocks of four leaks, with a threshold a channel and norms, equal Lava in every message and state."""

from __future__ import annotations

import numpy as np
import pytest
from small_models import small_graphs, small_input

from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.simulation import simulate
from bim_neuro.simulation.agreement import verify

pytestmark = pytest.mark.lava


@pytest.mark.slow
def test_skips_leaks_and_thresholds_equal_lava() -> None:
    graph = small_graphs(blocks=2, channels=14, skips=True, thresholds=True, leaks=4, norm=True)[1]
    x = graph.encoder.encode(small_input(2, 8))
    ours, judged = simulate(graph, x, probe=True), run_lava(graph, x)
    rows = verify(ours, judged)["layers"]
    assert [row for row in rows if row["equal"] != row["values"]] == []
    np.testing.assert_array_equal(ours.output, judged.output)
    fired = [
        bool(ours.probes[f"block{block}.leak{leak}.lif.message"].any()) for block in (1, 2) for leak in (1, 2, 3, 4)
    ]
    assert sum(fired) >= 6

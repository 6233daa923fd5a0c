"""The yardstick in C computes the integers of the law, else its speed would mean nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from small_models import small_graphs

from benchmarks.cases import lif_chain, recurrent
from benchmarks.conv import SOURCE, CConv, layer
from benchmarks.limits import lif_loop, neurons_in_c
from benchmarks.parts import STEPS
from benchmarks.rivals import c_loop
from benchmarks.yardstick import COLUMNS, compile_c, pairs_of, pointer, wide
from bim_neuro.simulation import Engine


@pytest.fixture(scope="module", params=["-march=native", "-mavx2"])
def library(request: pytest.FixtureRequest) -> Any:
    made = compile_c(request.param)
    if made is None:
        pytest.skip("no C compiler, or no AVX2")
    return made


def test_the_loop_fires_as_often_as_the_engine(library: Any) -> None:
    graph, x = lif_chain(100, 3, 0.2, 80)
    spikes = sum(count.totals()["messages"] for name, count in Engine(graph).run(x).layers.items() if name != "input")
    late = np.concatenate([x, np.zeros((1, 3, 100), np.int8)], axis=1)
    assert spikes > 1000
    assert c_loop(graph, x, library)() < spikes <= c_loop(graph, late, library)()


def test_the_loop_plays_layers_that_read_themselves_and_counts_the_synapses_of_its_last_steps(library: Any) -> None:
    graph, x = recurrent(64, 0.3, 0.2, 128)
    record = Engine(graph).run(x)
    loop = lif_loop(graph, library)
    assert loop is not None
    fired = loop.run(wide(x[0], COLUMNS, np.uint8))
    heard = record.layers["lif"]
    assert fired == heard.messages[:-1].sum() > 100  # the engine's layer hears the input of a step one step later
    assert loop.part(128, 64, 1, 4) == heard.synops_effective[63:127].sum()


@pytest.mark.parametrize("kind", ["scan", "relay", "readout", "lif"])
def test_parts_compute_the_law(kind: str, library: Any) -> None:
    """After as many steps as a part takes, message and state are those of the law on the same sums."""
    node: Any = next(node for node in small_graphs(channels=33, states=5)[1].nodes.values() if node.kind == kind)
    play, arrays = neurons_in_c(node, library, 3)
    ports = {"scan": ("u", "dt", "b", "c")}.get(kind, ("sums",))
    inputs = {
        port: arrays[name][:size].astype(np.int64) for (port, size), name in zip(node.ports.items(), ports, strict=True)
    }
    play()
    state = node.initial(())
    for _ in range(STEPS):
        step = node.step(state, inputs)
        state = step.state
    if kind == "lif":
        fired = np.flatnonzero(step.message)
        assert len(fired) == 3
        np.testing.assert_array_equal(arrays["out"][: len(fired)], fired)
        return
    np.testing.assert_array_equal(arrays["out"][: node.neurons], step.message)
    if kind == "scan":
        np.testing.assert_array_equal(arrays["h"][:, : node.neurons].T, state["h"])


def test_rows_and_products_are_sums(library: Any) -> None:
    draw = np.random.default_rng(0)
    for post in (5, 100, 700):
        weight = draw.integers(-128, 128, (301, post)).astype(np.int8)
        rows, m = wide(weight, COLUMNS, np.int8), wide(draw.integers(-(2**15), 2**15, 301), 2, np.int16)
        fired = np.flatnonzero(draw.random(301) < 0.9).astype(np.int32)
        sums = wide(np.zeros(post), COLUMNS)
        library.rows(1, pointer(rows), pointer(fired), len(fired), rows.shape[1], pointer(sums))
        np.testing.assert_array_equal(sums[:post], weight[fired].sum(axis=0))
        sums[:] = 0
        pairs = pairs_of(rows)
        library.products(1, pointer(pairs), pointer(m), 302, rows.shape[1], pointer(sums))
        np.testing.assert_array_equal(sums[:post], m[:301].astype(int) @ weight)


@pytest.mark.parametrize("option", ["-march=native", "-mavx2"])
def test_the_convolution_in_c_sums_as_the_law_does(option: str) -> None:
    made = compile_c(option, source=SOURCE)
    if made is None:
        pytest.skip("no C compiler, or no AVX2")
    for sizes in ((2, 34, 16, 3), (3, 16, 32, 5), (5, 32, 64, 3)):
        conv = layer(*sizes).conv
        x = (np.random.default_rng(0).random((3, conv.pre)) < 0.2).astype(np.int8)
        play = CConv(made, conv, x, turned=True)
        play()
        np.testing.assert_array_equal(play.sums[: conv.post], conv.apply(x[-1].astype(np.int64)))

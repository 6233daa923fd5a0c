"""Switch neurons in integers: formats worked out by hand, and how far the spikes are from the float law's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import calibrated
from bim_neuro.compilers.fields import out_of_field
from bim_neuro.compilers.quantise import quantise, quantise_with_units
from bim_neuro.compilers.rounding import rounding
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nodes import Cuba, Dense, Encoder, IntegerCuba, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.pack import pack, unpack
from bim_neuro.simulation import Engine, simulate_float


def cuba(neurons: int, **changes: Any) -> Cuba:
    ones, zeros = np.ones(neurons), np.zeros(neurons)
    fields = {
        "decay": 0.5 * ones, "current_decay": zeros, "gain": ones, "bias": zeros, "v_threshold": ones,
        "v_reset": zeros, "v_start": zeros, "v_floor": np.full(neurons, -np.inf),
    }  # fmt: skip
    return Cuba(**(fields | changes))


def net(*layers: Cuba, lines: int = 2, seed: int = 0, weights: list[Array] | None = None) -> FloatGraph:
    draw, nodes, edges, pre = np.random.default_rng(seed), {}, [], lines
    nodes["in"] = Source(lines, graded=False)
    for index, layer in enumerate(layers):
        source, name = list(nodes)[-1], f"n{index}"
        nodes[name] = layer  # type: ignore[assignment]
        weight = weights[index] if weights else draw.normal(size=(layer.neurons, pre)) * 2 / np.sqrt(pre)
        edges.append(Edge(source, name, "a", Dense(weight)))
        pre = layer.neurons
    return FloatGraph(nodes, tuple(edges), 1e-3, Encoder("spikes", np.ones(lines), np.zeros(lines)))  # type: ignore[arg-type]


def test_n24_formats_by_hand() -> None:
    """Ranges of 2 and a headroom of 2: units of 2^-20. A weight of 64 units is 1, the gain 2."""
    node = cuba(1, gain=np.full(1, 2.0), bias=np.full(1, -0.25), v_threshold=np.full(1, 1.5), v_floor=np.full(1, -1.0))
    graph = net(replace(node, u_range=2.0, v_range=2.0), lines=1, weights=[np.ones((1, 1))])
    got = quantise(graph).nodes["n0"]
    assert isinstance(got, IntegerCuba)
    assert (got.decay[0], got.current_decay[0]) == (2**15, 0)
    assert got.bias[0] == -(2**18)  # -.25 x 2^20: 20 is the largest exponent with 2 x 2 x 2^e <= 2^23 - 1
    assert (got.v_threshold[0], got.v_floor[0]) == (3 * 2**19, -(2**20))
    assert 64 * got.multiplier[0] / 2**got.shift == 2 * 2**20


def spikes_that_differ(graph: FloatGraph, x: Array) -> tuple[int, int]:
    """How many spikes float and integers do not share, and how many either fires, over all layers."""
    graph = calibrated(graph, x)
    chip = align(quantise(graph))
    ours, theirs = Engine(chip).run(x, probe=True), simulate_float(graph, x)
    differ = fired = 0
    for name in graph.nodes.keys() - {"in"}:
        left, right = ours.probes[f"{name}.message"][:, : x.shape[1]], theirs.probes[f"{name}.message"]
        differ += int(np.abs(left - right).sum())
        fired += int(np.maximum(left, right).sum())
    return differ, fired


@pytest.mark.parametrize(
    "switches",
    [
        {},
        {"reset": "subtract"},
        {"reset": "subtract", "reset_when": "after"},
        {"reset_when": "next"},
        {"counts": "many", "reset": "subtract", "compare": ">="},
        {"lag": True},
    ],
)
def test_one_layer_of_neurons_that_all_differ_fires_almost_as_in_floats(switches: dict[str, Any]) -> None:
    """8-bit weights, one scale a neuron: at most 5 % of the spikes that either fires."""
    draw, n = np.random.default_rng(1), 40
    layer = cuba(
        n, decay=draw.uniform(0.6, 0.95, n), gain=draw.uniform(0.5, 2, n), v_threshold=draw.uniform(0.5, 1.5, n),
        bias=draw.normal(size=n) * 0.05, v_reset=np.full(n, 0.1), **switches,
    )  # fmt: skip
    x = (draw.random((4, 100, 12)) < 0.3).astype(np.int64)
    differ, fired = spikes_that_differ(net(layer, lines=12), x)
    assert fired > 900
    assert differ <= 0.05 * fired


def test_weights_on_a_grid_of_powers_of_two_give_the_float_law() -> None:
    """All numbers are small multiples of 2^-6 and every row holds a weight of 127 x 2^-6: nothing is rounded."""
    draw, n = np.random.default_rng(2), 20
    weight = draw.integers(-60, 61, (n, 8)) * 2.0**-6
    weight[:, 0] = 127 * 2.0**-6
    layer = cuba(n, decay=np.full(n, 0.5), v_threshold=draw.integers(32, 96, n) * 2.0**-6, v_range=8.0, u_range=8.0)
    x = (draw.random((3, 60, 8)) < 0.3).astype(np.int64)
    graph = net(layer, lines=8, weights=[weight])
    ours, theirs = Engine(align(quantise(graph))).run(x, probe=True), simulate_float(graph, x)
    assert np.array_equal(ours.probes["n0.message"][:, :60], theirs.probes["n0.message"])


def test_without_input_a_bound_takes_the_place_of_ranges() -> None:
    """An IF would never settle: its bound is its input and 256 thresholds, not a thousand steps of input."""
    graph = net(cuba(1, decay=np.ones(1)), lines=1, weights=[np.full((1, 1), 3.0)])
    got = quantise(graph).nodes["n0"]
    assert isinstance(got, IntegerCuba)
    assert got.decay[0] == 2**16
    assert got.v_threshold[0] == 2**13  # 259 x 2 x 2^13 <= 2^23 - 1


def test_what_rounding_does_to_a_neuron_is_listed() -> None:
    graph = net(cuba(3, decay=np.array([0.5, 0.9, 1 - 2.0**-18]), u_range=2.0, v_range=2.0))
    chip, units = quantise_with_units(graph)
    found = {row.constant.constant: row for row in rounding(graph, chip, units)}
    assert found["tau"].finding is not None
    assert "is 262,000 steps of 0.001 s, a decay of 16 bits makes it" in found["tau"].finding.message
    assert found["threshold"].finding is None


def test_a_negative_gain_is_refused_by_name() -> None:
    with pytest.raises(DoesNotFit, match="layer 'n0' has a gain of -1, a neuron multiplies by 0 or more"):
        quantise(net(cuba(1, gain=-np.ones(1))))


@pytest.mark.parametrize("field", ["decay", "current_decay"])
def test_a_state_that_grows_by_itself_is_refused_and_one_that_stays_is_not(field: str) -> None:
    stays, grows = (net(cuba(1, **{field: np.array([factor])})) for factor in (1.0, 1.001))
    assert list(out_of_field(quantise(stays))) == []
    (finding,) = out_of_field(quantise(grows))
    assert finding.message == f"layer 'n0' has a {field} of 65,602 at neuron 0, its field holds 0 to 65,536"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"reset": "twice"}, "node 'n0': reset is 'twice', allowed are value, subtract"),
        ({"counts": "few"}, "node 'n0': counts is 'few', allowed are one, many, none"),
        ({"bias": np.zeros(3)}, r"node 'n0': bias has the shape \(3,\), decay \(1,\): one value a neuron is needed"),
        ({"counts": "many", "v_threshold": np.zeros(1)}, "node 'n0': threshold 0: only positive ones can be counted"),
        ({"lag": 1}, "node 'n0': lag is 1, not of type bool"),
    ],
)
def test_a_file_with_a_neuron_that_is_none_is_refused_by_name(changes: dict[str, Any], says: str) -> None:
    graph = net(cuba(1))
    broken = graph.with_nodes(graph.nodes | {"n0": replace(graph.nodes["n0"], **changes)})  # type: ignore[type-var]
    with pytest.raises(InputError, match=says):
        unpack(*pack(broken))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"decay": np.array([2**16 + 1])}, "decay runs from 65537 to 65537, allowed are 0 to 65536"),
        ({"current_decay": np.array([-1])}, "current_decay runs from -1 to -1, allowed are 0 to 65536"),
        (
            {"v_threshold": np.array([2**23])},
            "v_threshold runs from 8388608 to 8388608, allowed are -8388607 to 8388607",
        ),
        ({"bias": np.array([2**64 - 1], np.uint64)}, "bias runs from 18446744073709551615"),
        ({"v_start": np.array([0.5])}, "v_start holds float64, whole numbers are needed"),
        ({"shift": 63}, "shift is 63, allowed are 0 to 62"),
    ],
)
def test_integers_beyond_their_words_are_refused_by_name(changes: dict[str, Any], says: str) -> None:
    graph = quantise(net(cuba(1)))
    unpack(*pack(graph))
    broken = replace(graph, nodes=graph.nodes | {"n0": replace(graph.nodes["n0"], **changes)})  # type: ignore[type-var]
    with pytest.raises(InputError, match=f"node 'n0': {says}"):
        unpack(*pack(broken))

"""Lists of convolutions: Intel's figures, others by hand, and counted again from the map weight by weight."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_neuro.compilers.align import align
from bim_neuro.compilers.placement.lists import EdgeLists
from bim_neuro.compilers.placement.memory import Footprint, around
from bim_neuro.compilers.placement.parts import Part
from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.placement.split import parts_of, split
from bim_neuro.estimates.optimise import optimise
from bim_neuro.graph import Core, Edge, IntegerGraph, MapCut, PlacedGraph
from bim_neuro.hardware import HardwareProfile, Quantity, load_profile
from bim_neuro.nodes import Conv, Dense, Diagonal, Encoder, IntegerLIF, IntegerReadout, Source, Sparse, Synapse
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.nodes.synapses import sparse_of
from bim_neuro.simulation import simulate


def chip(**values: float) -> HardwareProfile:
    """Return loihi2 with other capacities and cores enough."""
    capacity = load_profile("loihi2").capacity
    for name, value in {"cores": 1000, **values}.items():
        quantity: Quantity = replace(getattr(capacity, name), value=value, low=value, high=value)
        capacity = replace(capacity, **{name: quantity})
    return replace(load_profile("loihi2"), capacity=capacity)


def lif(neurons: int) -> IntegerLIF:
    return IntegerLIF(neurons, 4095, 100, 8, np.zeros(neurons, int))


def kernel(outputs: int, inputs: int, rows: int, columns: int, bits: int) -> Array:
    """Return weights of so many bits, one of them a sign where there are two or more; none is zero."""
    largest = 2 ** (bits - 1) - 1
    weight = np.where(np.arange(outputs * inputs * rows * columns) % 2, largest, -largest)
    return (weight if bits > 1 else np.abs(weight) + 1).reshape(outputs, inputs, rows, columns).astype(np.int8)


def graph_of(*synapses: Synapse) -> IntegerGraph:
    """Return a chain of spiking layers, each behind one of the synapses."""
    ends = [(s.post, s.pre) if isinstance(s, Conv | Sparse) else s.weight.shape[:2] for s in synapses]  # type: ignore[attr-defined]
    nodes: dict[str, IntegerNode] = {"input": Source(ends[0][1], graded=False)}
    nodes |= {f"n{index}": lif(post) for index, (post, _) in enumerate(ends)}
    names = list(nodes)
    edges = [Edge(names[i], names[i + 1], "i", synapse) for i, synapse in enumerate(synapses)]
    lines = np.ones(ends[0][1])
    return align(IntegerGraph(nodes, tuple(edges), 1e-3, Encoder("spikes", lines, 0 * lines)))


def words(conv: Conv) -> int:
    placement = place(graph_of(conv), load_profile("loihi2"), effort=0).placement
    assert placement is not None
    assert placement.encodings == {"input -> n0.i": {"shared": 1}}
    return placement.list_words["input -> n0.i"]


@pytest.mark.parametrize(
    ("inputs", "outputs", "bits", "expected"),
    [(3, 24, 7, 81), (3, 16, 7, 54), (16, 32, 7, 576), (3, 24, 8, 108), (3, 16, 8, 81), (16, 32, 8, 720)],
)
def test_a_kernel_takes_the_words_that_intel_s_compiler_prints(
    inputs: int, outputs: int, bits: int, expected: int
) -> None:
    assert words(Conv(kernel(outputs, inputs, 3, 3, bits), (inputs, 8, 8), padding=(1, 1, 1, 1))) == expected


@pytest.mark.parametrize(
    ("conv", "expected"),
    [
        (Conv(kernel(8, 1, 5, 5, 7), (1, 9, 9)), 25 * 2),  # (8 * 7 + 10) / 64 = 1.03
        (Conv(kernel(6, 2, 1, 3, 7), (2, 1, 20), stride=(1, 2)), 6 * 1),  # one axis: (6 * 7 + 10) / 64 = 0.81
        (Conv(kernel(4, 1, 2, 2, 1), (4, 6, 6), stride=(2, 2), groups=4), 16 * 1),  # a sum pool: weights of one bit
        (Conv(kernel(8, 4, 3, 3, 8), (8, 5, 5), groups=2), 8 * 9 * 1),  # 4 of 8 channels: (4 * 8 + 10) / 64 = 0.66
        # Two channels of one row, padded by one: the kernel's first and last row lie beyond the border everywhere.
        (Conv(kernel(16, 2, 3, 3, 8), (2, 1, 9), (1, 2), (1, 1, 0, 0), (1, 2)), 2 * 3 * 3),  # (16 * 8 + 10) / 64 = 2.16
    ],
)
def test_other_kernels_by_hand(conv: Conv, expected: int) -> None:
    assert words(conv) == expected


def test_a_tap_of_zeros_has_no_list() -> None:
    weight = kernel(24, 3, 3, 3, 7)
    weight[:, 1, 2, 0] = 0
    assert words(Conv(weight, (3, 8, 8))) == 81 - 3


def test_a_map_is_cut_by_rows_with_its_halo() -> None:
    """Two channels of 4 x 4, eight neurons a core: a row of both, or two rows of one."""
    conv = Conv(kernel(2, 2, 3, 3, 8), (2, 4, 4), padding=(1, 1, 1, 1))
    graph = graph_of(conv, conv)
    placed = place(graph, chip(neuron_words=8, groups=1), effort=0)
    assert placed.placement is not None
    assert placed.placement.cuts == {"n0": MapCut("rows", 4, 4), "n1": MapCut("rows", 4, 4)}
    for core in placed.cores:
        row = core.first // 8
        assert (core.first, core.last, core.channels) == (8 * row, 8 * row + 7, 2)
        halo = 1 if row in (0, 3) else 2
        assert core.resources["axon_in_words"][0] == (1 + halo) * 2 * 4
        assert core.resources["synapse_words"][0] == 2 * 3 * (1 + halo)  # (2 * 8 + 10) / 64: a word a list
    sent = {(flow.source, flow.target): flow.neurons for flow in placed.flows}
    assert sent == {(row, 4 + to): 8 for row in range(4) for to in range(4) if abs(row - to) <= 1}


def test_a_map_is_cut_by_channels_where_its_kernels_fill_a_core() -> None:
    """Eight channels of 8 x 8, nine words of lists a core: nine taps of a word each hold six channels, 6 * 8 + 10."""
    conv = Conv(kernel(8, 1, 3, 3, 8), (1, 8, 8), padding=(1, 1, 1, 1))
    placed = place(graph_of(conv), chip(synapse_words=9, groups=1), effort=0)
    assert placed.placement is not None
    assert [(core.first, core.last, core.channels) for core in placed.cores] == [(0, 383, 1), (384, 511, 1)]
    cut = placed.placement.cuts["n0"]
    assert (cut.by, cut.parts, cut.more) == ("channels", 2, False)
    assert cut.other > 60  # a core holds six neurons or a few more, at the border
    assert placed.placement.list_words == {"input -> n0.i": 18}


def test_sparse_synapses_take_a_list_a_sender() -> None:
    dense = np.zeros((50, 10), np.int8)
    dense[:5, :9] = 100 * np.where(np.arange(9) % 2, 1, -1)  # five targets: ceil((5 * 20 + 10) / 64) = 2 words
    found = sparse_of(dense)
    sparse = replace(found, weight=found.weight.astype(np.int8))
    for synapse in (sparse, Dense(dense)):
        need = Footprint(graph_of(synapse), load_profile("loihi2")).need(Part("n0", 0, 49))
        assert (need.synapse_words, need.axons_in, need.encodings) == (9 * 2, 9, {"input -> n0.i": "sparse"})


@st.composite
def convs(draw: st.DrawFn, grid: tuple[int, int, int] | None = None) -> Conv:
    whole = lambda low, high: draw(st.integers(low, high))  # noqa: E731
    channels, rows, columns = grid or (2 * whole(1, 2), whole(1, 5), whole(1, 5))
    groups = draw(st.sampled_from([1, 2, channels])) if channels % 2 == 0 else 1
    size = whole(1, min(3, rows + 1)), whole(1, min(3, columns + 1))
    padding = (whole(0, 1), 1, 1, whole(0, 1))
    rng = np.random.default_rng(whole(0, 2**32 - 1))
    shape = (groups * whole(1, 2), channels // groups, *size)
    weight = np.where(rng.random(shape) < 0.7, rng.integers(-60, 61, shape), 0).astype(np.int8)
    return Conv(weight, (channels, rows, columns), (whole(1, 2), whole(1, 2)), padding, (1, 1), groups)


def listed(conv: Conv, held: Array) -> list[int]:
    """Return the entries of the lists that some neurons need, walked neuron by neuron and tap by tap."""
    channels, (_, rows, columns) = defaultdict(set), conv.out
    weighty, (outputs, inputs) = set(), (len(conv.weight) // conv.groups, conv.weight.shape[1])
    for neuron in held.tolist():
        o, y, x = neuron // (rows * columns), neuron // columns % rows, neuron % columns
        for c, i, j in np.ndindex(conv.weight.shape[1:]):
            row, column = conv.stride[0] * y + i - conv.padding[0], conv.stride[1] * x + j - conv.padding[2]
            if 0 <= row < conv.grid[1] and 0 <= column < conv.grid[2]:
                tap = (o // outputs * inputs + c, i, j)
                channels[tap].add(o)
                weighty |= {tap} if conv.weight[o, c, i, j] else set()
    return sorted(len(channels[tap]) for tap in weighty)


@settings(max_examples=60)
@given(convs(), st.data())
def test_a_part_reads_and_keeps_what_its_neurons_do(conv: Conv, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, conv.post - 1))
    part = Part("n0", first, data.draw(st.integers(first, conv.post - 1)), data.draw(st.sampled_from([1, conv.out[0]])))
    held = np.arange(conv.post)[part.of(conv.post)]
    lists = EdgeLists(graph_of(conv).edges[0], lif(conv.post), load_profile("loihi2"))
    entries, bits = listed(conv, held), lists.format.weight_bits
    reached = np.asarray((conv.unrolled().matrix()[held] != 0).sum(axis=0)).ravel()
    assert np.array_equal(lists.reach(part)[0], reached)
    found = lists.on(part)
    assert np.array_equal(found.senders, reached > 0)
    shared = sum(ceil((count * bits + 10) / 64) for count in entries)
    sparse = sum(ceil((count * (bits + 12) + 10) / 64) for count in reached if count)
    assert found.words == min(shared, sparse)


def differing(placed: PlacedGraph, whole: dict[str, Array], cut: dict[str, Array]) -> list[str]:
    """Name every message and state of a layer that its parts, put back, do not equal."""
    wrong = []
    for key, values in whole.items():
        layer, what = key.rsplit(".", 1)
        back = np.full_like(values, -1)
        for name, part in parts_of(placed, layer).items():
            back[:, :, part.of(values.shape[2])] = cut[f"{name}.{what}"]
        wrong += [] if np.array_equal(values, back) else [key]
    return wrong


def beside(neurons: int, seed: int) -> tuple[Edge, ...]:
    """Return edges of every other kind that lead back to the map n0 beside its convolution, and so close loops."""
    draw = np.random.default_rng(seed)
    weight = np.where(draw.random((neurons, neurons)) < 0.3, draw.integers(-60, 61, (neurons, neurons)), 0)
    found = sparse_of(weight)
    sparse = replace(found, weight=found.weight.astype(np.int8))
    synapses = (sparse, Dense(weight.T.astype(np.int8)), Diagonal(draw.integers(1, 9, neurons).astype(np.int8)))
    return tuple(Edge("n0", "n0", "i", synapse, delay) for delay, synapse in enumerate(synapses, 1))


def held_by(core: Core, graph: IntegerGraph) -> Array:
    neurons = graph.nodes[core.layer].neurons
    return np.arange(neurons)[Part(core.layer, core.first, core.last, core.channels).of(neurons)]


def senders(graph: IntegerGraph, placed: PlacedGraph, index: int) -> dict[str, set[int]]:
    """Return the neurons that send to a core, by layer, from the whole matrices."""
    found: dict[str, set[int]] = defaultdict(set)
    for core in (core for core in placed.cores if core.index == index):
        held = held_by(core, graph)
        for edge in graph.into(core.layer):
            matrix = edge.synapse.apply(np.eye(graph.nodes[edge.source].neurons, dtype=np.int64)).T
            found[edge.source] |= set(np.flatnonzero((matrix[held] != 0).any(axis=0)).tolist())
    return found


def check_axons(graph: IntegerGraph, placed: PlacedGraph) -> None:
    """Every core has an axon for each neuron that sends to it, and every flow is as many neurons as send."""
    expected: dict[tuple[str, int, int], int] = defaultdict(int)
    for target in {core.index: core for core in placed.cores}.values():
        sending = senders(graph, placed, target.index)
        assert target.resources["axon_in_words"][0] == sum(map(len, sending.values()))
        for core in placed.cores:
            both = sending.get(core.layer, set()) & set(held_by(core, graph).tolist())
            if both and core.index != target.index:
                expected[core.layer, core.index, target.index] += len(both)
    assert {(flow.layer, flow.source, flow.target): flow.neurons for flow in placed.flows} == expected


@settings(max_examples=25)
@given(st.data(), st.integers(4, 16))
def test_the_parts_of_a_cut_map_compute_the_same_integers(data: st.DataObject, room: int) -> None:
    first = data.draw(convs())
    second = data.draw(convs(grid=first.out))
    seed = data.draw(st.integers(0, 10**6))
    last = np.random.default_rng(seed).integers(-60, 61, (3, second.post)).astype(np.int8)
    graph = graph_of(first, second, Dense(last))
    graph = replace(graph, nodes={**graph.nodes, "n2": IntegerReadout(0, np.ones(3, int), 0, np.zeros(3, int))})
    graph = replace(graph, edges=(*graph.edges[:2], replace(graph.edges[2], port="a"), *beside(first.post, seed)))
    placed = place(graph, chip(neuron_words=room), effort=0)
    check_axons(graph, placed)
    x = (np.random.default_rng(seed).random((2, 4, first.pre)) < 0.4).astype(np.int64)
    whole, cut = simulate(graph, x, probe=True), simulate(split(placed), x, probe=True)
    assert differing(placed, whole.probes, cut.probes) == []
    np.testing.assert_array_equal(cut.output, whole.output)


def test_a_map_cut_by_rows_stays_so_where_a_search_spreads_it() -> None:
    conv = Conv(kernel(2, 2, 3, 3, 8), (2, 4, 4), padding=(1, 1, 1, 1))
    graph, profile = graph_of(conv, conv), chip(neuron_words=16)
    record = simulate(graph, np.ones((1, 3, 32), np.int64))
    spread = optimise(place(graph, profile, effort=0), record, profile, "latency")
    for layer in ("n0", "n1"):
        held = [held_by(core, graph).tolist() for core in spread.cores_of(layer)]
        assert {core.channels for core in spread.cores_of(layer)} == {2}
        assert sorted(neuron for neurons in held for neuron in neurons) == list(range(32))
    check_axons(graph, spread)


@given(st.integers(0, 40), st.integers(0, 50), st.integers(1, 40))
def test_a_search_from_any_guess_encloses_the_answer(answer: int, guess: int, most: int) -> None:
    answer = min(answer, most)
    low, high = around(lambda count: count > answer, guess, most)
    assert low <= answer < high <= most + 1

"""The integer simulator: aligned in time, faithful to the float law, and able to fail."""

from dataclasses import replace

import numpy as np
import pytest
import threadpoolctl  # type: ignore[import-untyped,unused-ignore]
from small_models import small_graphs, small_input

from bim_neuro.compilers.align import align
from bim_neuro.compilers.artefact import Artefact, check, expected_messages, load_artefact, save_artefact
from bim_neuro.compilers.quantise import quantise
from bim_neuro.errors import DoesNotFit, InputError, ThresholdMissed
from bim_neuro.graph import Edge, FloatGraph, IntegerGraph
from bim_neuro.nodes import LIF, Dense, Encoder, IntegerLIF, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.pack import equal, pack, unpack
from bim_neuro.simulation import reference, simulate, simulate_float


def encoded(graph: IntegerGraph, samples: int = 4, steps: int = 8) -> Array:
    return graph.encoder.encode(small_input(samples, steps))


def faulty_answers(graph: IntegerGraph, fault: IntegerGraph) -> int:
    """Return how many messages of the output differ between a graph and its faulty copy."""
    x = encoded(graph)
    key = f"{graph.output}.message"
    return int((simulate(graph, x, probe=True).probes[key] != simulate(fault, x, probe=True).probes[key]).sum())


def test_depths_and_delays_of_a_block() -> None:
    _, graph = small_graphs()
    assert graph.depth["block1.scan"] == graph.depth["block1.lif"] == 2
    assert graph.latency == 3
    assert graph.gap == 3
    delays = {edge.name.split("[")[0]: edge.delay for edge in graph.edges if edge.source == "input"}
    assert delays == {
        "input -> block1.u.a": 0,
        "input -> block1.B.a": 0,
        "input -> block1.C.a": 0,
        "input -> block1.scan.dt": 1,
    }


@pytest.mark.parametrize("port", ["dt", "u"])
def test_a_removed_delay_changes_the_answer(port: str) -> None:
    """One step less on the relay hop (dt), or on the last conv tap (u)."""
    _, graph = small_graphs()
    victim = max((e for e in graph.edges if e.port == port), key=lambda e: e.delay)
    edges = tuple(replace(e, delay=e.delay - 1) if e is victim else e for e in graph.edges)
    assert faulty_answers(graph, replace(graph, edges=edges)) > 0


def test_a_removed_conv_tap_changes_the_answer() -> None:
    _, graph = small_graphs()
    victim = max((e for e in graph.edges if e.port == "u"), key=lambda e: e.delay)
    assert faulty_answers(graph, replace(graph, edges=tuple(e for e in graph.edges if e is not victim))) > 0


def test_a_threshold_off_by_one_is_seen() -> None:
    """The sample is chosen so that one membrane lies exactly at the threshold."""
    node = IntegerLIF(1, 4095, 0, 100, np.zeros(1, int))
    encoder = Encoder("graded", np.ones(1), np.zeros(1))
    edge = Edge("input", "lif", "i", Dense(np.array([[1]], np.int8)))
    graph = align(IntegerGraph({"input": Source(1), "lif": node}, (edge,), 1e-3, encoder))
    x = np.array([[[100]], [[101]]])
    assert simulate(graph, x).output.tolist() == [[0], [1]]
    fault = replace(graph, nodes={**graph.nodes, "lif": replace(node, v_threshold=99)})
    assert simulate(fault, x).output.tolist() == [[1], [1]]


def test_samples_do_not_see_each_other() -> None:
    _, graph = small_graphs()
    x = encoded(graph, samples=5)
    together = simulate(graph, x, batch=5, probe=True)
    for index in range(5):
        alone = simulate(graph, x[index : index + 1], probe=True)
        for key, values in alone.probes.items():
            np.testing.assert_array_equal(together.probes[key][index], values[0])


def test_counts_do_not_depend_on_the_batch() -> None:
    _, graph = small_graphs()
    x = encoded(graph, samples=5)
    whole, parts = simulate(graph, x, batch=5), simulate(graph, x, batch=2)
    assert {n: c.totals() for n, c in whole.layers.items()} == {n: c.totals() for n, c in parts.layers.items()}


def test_synops_counted_by_hand() -> None:
    """Two inputs, three neurons; messages 1, 0 then 1, 1: three messages times three targets, one weight zero."""
    weight = np.array([[1, 0], [1, 1], [1, 1]], np.int8)
    encoder = Encoder("graded", np.ones(2), np.zeros(2))
    nodes = {"input": Source(2), "lif": IntegerLIF(3, 4095, 0, 1000, np.zeros(3, int))}
    graph = align(IntegerGraph(nodes, (Edge("input", "lif", "i", Dense(weight)),), 1e-3, encoder))
    totals = simulate(graph, np.array([[[1, 0], [1, 1]]])).layers["lif"].totals()
    assert (totals["synops_hardware"], totals["synops_effective"], totals["updates"]) == (9, 8, 6)


def test_integer_states_stay_close_to_float() -> None:
    """Small random nets, first soma: agreement is a number we report; here it must only be far from chance."""
    reference, graph = small_graphs(channels=32, states=8)
    x = encoded(graph, samples=16, steps=12)
    floats = simulate_float(reference, graph.encoder.to_float(x)).probes["block1.lif.message"]
    integers = simulate(graph, x, probe=True).probes["block1.lif.message"][:, :12]
    assert (floats == integers).mean() > 0.97


def test_strict_nets_do_not_saturate() -> None:
    _, graph = small_graphs(channels=32, states=8)
    record = simulate(graph, encoded(graph, samples=16))
    saturations = {name: count.totals()["saturations"] for name, count in record.layers.items()}
    assert saturations == dict.fromkeys(graph.nodes, 0)


def test_quantised_weights_use_the_whole_byte() -> None:
    _, graph = small_graphs()
    edge = next(e for e in graph.edges if e.target == "block1.u")
    assert isinstance(edge.synapse, Dense)
    assert edge.synapse.weight.dtype == np.int8
    assert (np.abs(edge.synapse.weight).max(axis=1) == 127).all()


def test_a_loop_is_refused_by_name() -> None:
    lif = LIF(2, 0.9, 1.0, np.zeros(2))
    weight = Dense(np.eye(2))
    edges = (Edge("input", "a", "i", weight), Edge("a", "b", "i", weight), Edge("b", "a", "i", weight))
    encoder = Encoder("graded", np.ones(2), np.zeros(2))
    with pytest.raises(InputError, match=r"loop, .*a.*b|b.*a"):
        quantise(FloatGraph({"input": Source(2), "a": lif, "b": lif}, edges, 1e-3, encoder))


def test_a_threshold_beyond_17_bits_is_refused_with_layer_amount_and_limit() -> None:
    lif = LIF(1, 0.9, 1e6, np.zeros(1))
    encoder = Encoder("graded", np.ones(1), np.zeros(1))
    edge = Edge("input", "lif", "i", Dense(np.ones((1, 1))))
    graph = FloatGraph({"input": Source(1), "lif": lif}, (edge,), 1e-3, encoder)
    with pytest.raises(DoesNotFit, match=r"layer 'lif' needs a threshold of \d+, a LIF holds 0 to 131071"):
        quantise(graph)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 3)), np.zeros((2, 3, 7)), np.zeros((0, 3, 5)), np.full((1, 2, 5), np.nan)]
)
def test_wrong_input_is_refused(bad: Array) -> None:
    with pytest.raises(InputError):
        simulate(small_graphs()[1], bad)


def test_pack_round_trip() -> None:
    for graph in small_graphs(blocks=2):
        header, arrays = pack(graph)
        assert equal(unpack(header, arrays), graph)
    assert not equal(small_graphs(0)[1], small_graphs(1)[1])


def test_artefact_round_trip_and_self_test(tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, graph = small_graphs()
    x = encoded(graph)
    artefact = Artefact(graph, "loihi2", x, expected_messages(graph, x))
    save_artefact(artefact, tmp_path / "model.bimn")
    loaded = load_artefact(tmp_path / "model.bimn")
    assert equal(loaded.graph, graph)
    assert check(loaded) == sum(value.size for value in artefact.expected.values())
    wrong = {**loaded.expected, "readout.message": loaded.expected["readout.message"] + 1}
    with pytest.raises(ThresholdMissed, match=r"readout\.message"):
        check(replace(loaded, expected=wrong))


def test_a_damaged_artefact_is_refused_at_every_length(tmp_path) -> None:  # type: ignore[no-untyped-def]
    _, graph = small_graphs()
    x = encoded(graph, samples=1)
    path = tmp_path / "model.bimn"
    save_artefact(Artefact(graph, "loihi2", x, {}), path)
    whole = path.read_bytes()
    for length in (0, 1, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"model\.bimn"):
            load_artefact(path)


@pytest.mark.parametrize(("large", "threads"), [(2**24, 1), (1, None)])
def test_small_products_take_one_thread(large: int, threads: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of BLAS that meet over a product of microseconds take ten times as long where others run."""
    seen: set[int] = set()
    graph, integer = small_graphs()
    monkeypatch.setattr(reference, "LARGE_PRODUCT", large)
    before = blas()

    def watch(*_: object) -> None:
        seen.add(blas())

    simulate_float(graph, np.ones((2, 4, 5)), probe=False, watch=watch)
    simulate(integer, np.ones((2, 4, 5), np.int64), watch=watch)
    assert seen == {threads or before}
    assert blas() == before


def blas() -> int:
    """Return how many threads BLAS may take."""
    return max(pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas")

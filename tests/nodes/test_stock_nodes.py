"""Graded and product neurons and synapses with exponents: integers by hand, files, cuts, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bim_neuro import pack
from bim_neuro.compilers.align import align
from bim_neuro.compilers.placement.split import split
from bim_neuro.compilers.quantise import quantise
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import Core, Edge, FloatGraph, IntegerGraph, PlacedGraph
from bim_neuro.nodes import Dense, Encoder, Graded, IntegerGraded, IntegerProd, Prod, Shifted, Source
from bim_neuro.nodes.synapses import shifted_of
from bim_neuro.simulation import simulate


def test_integers_by_hand() -> None:
    graded, rectified = IntegerGraded(3, v_threshold=2), IntegerGraded(3, rectify=True)
    sums = {"a": np.array([2, -3, 2**31 + 5])}
    assert graded.step({}, sums)[1:] == (pytest.approx([0, -3, 5 - 2**31]), 1)
    assert rectified.step({}, sums).message.tolist() == [2, 0, 0]
    product = IntegerProd(4, shift=2)
    inputs = {"a1": np.array([-5, 5, 2**16, 1]), "a2": np.array([1, 3, 2**15, 3])}
    message, wrapped = product.step({}, inputs)[1:]
    assert message.tolist() == [-2, 3, -(2**29), 0]  # -5 / 4 towards minus infinity; 2^31 wraps to -2^31
    assert wrapped == 1


def test_weights_of_one_exponent_are_summed_before_they_are_shifted() -> None:
    weight, power = np.array([3, 3, 3, 5]), np.array([-2, -2, -3, 1])
    places = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    synapse = shifted_of(weight, power, places, (2, 2))
    assert synapse.apply(np.array([1, -3])).tolist() == [-2, -30]  # (3 - 9) >> 2; (3 >> 3) + (-15 << 1)
    assert synapse.apply(np.array([1.0, -3.0])).tolist() == [-1.5, 3 / 8 - 30]
    assert synapse.fault() == ""
    assert "exponents are float64" in replace(synapse, exponent=np.zeros(4)).fault()
    assert "3 exponents of 4 weights" in replace(synapse, exponent=np.zeros(3, np.int8)).fault()
    assert "exponents run from 0 to 99" in replace(synapse, exponent=np.array([1, 1, 1, 99])).fault()


def float_graph() -> FloatGraph:
    """x -> relu(2 x) -> its product with x / 4."""
    nodes = {"input": Source(2), "r": Graded(2, rectify=True), "p": Prod(2, 3)}
    line, eye = (np.arange(2), np.arange(2)), (2, 2)
    double, quarter = (shifted_of(np.ones(2), np.full(2, power), line, eye) for power in (8, 5))
    edges = (
        Edge("input", "r", "a", double),
        Edge("r", "p", "a1", shifted_of(np.ones(2), np.zeros(2), line, eye)),
        Edge("input", "p", "a2", quarter),
    )
    return FloatGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(2), np.zeros(2)))


def test_a_float_graph_in_units_becomes_the_same_numbers_whole() -> None:
    """Graded input counts 2^-7: the synapses from it lose seven of their exponent."""
    integer = align(quantise(float_graph()))
    assert [int(edge.synapse.exponent[0]) for edge in integer.edges if isinstance(edge.synapse, Shifted)] == [1, 0, -2]
    message = simulate(integer, np.array([[[9, -9]]]), probe=True).probes["p.message"]
    assert message.tolist() == [[[(18 * 2) >> 3, 0]]]


def test_a_plain_synapse_beside_one_with_exponents_is_refused() -> None:
    graph = float_graph()
    beside = replace(graph, edges=(*graph.edges, Edge("input", "r", "a", Dense(np.ones((2, 2))), 1)))
    with pytest.raises(DoesNotFit, match="is dense and ends beside one whose weights have exponents"):
        quantise(beside)


def test_files_and_cuts_keep_the_integers() -> None:
    graph = align(quantise(float_graph()))
    assert pack.equal(graph, pack.unpack(*pack.pack(graph)))
    assert pack.equal(float_graph(), pack.unpack(*pack.pack(float_graph())))
    cores = tuple(Core(index, "r", index, index, {}) for index in (0, 1))
    parts = split(PlacedGraph(graph, "loihi2", cores))
    x = np.array([[[9, -9], [100, 77]]])
    assert simulate(parts, x).output.tolist() == simulate(graph, x).output.tolist()


@pytest.mark.parametrize(
    ("node", "says"),
    [(IntegerProd(1, 40), "shift is 40, allowed are 0 to 31"), (IntegerGraded(1, largest=-1), "largest is -1")],
)
def test_fields_out_of_range_are_refused_in_a_file(node: IntegerGraded | IntegerProd, says: str) -> None:
    graph = IntegerGraph({"input": Source(1), "n": node}, (), 1e-3, Encoder("graded", np.ones(1), np.zeros(1)))
    with pytest.raises(InputError, match=says):
        pack.unpack(*pack.pack(graph))

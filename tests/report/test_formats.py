"""Histograms of the report's page: weights, states and messages, counted by hand and by numpy's own histogram."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from small_models import small_checkpoint, small_input
from written_nets import NETS, inputs

import bim_neuro
from bim_neuro.compilers.two_lists import WIDE_MAX
from bim_neuro.excerpts import Excerpts
from bim_neuro.graph import IntegerGraph
from bim_neuro.model.export import export
from bim_neuro.nodes import Dense
from bim_neuro.record import RunRecord
from bim_neuro.report.formats import WEIGHT_BINS, formats


@pytest.fixture(scope="module")
def ran() -> tuple[IntegerGraph, RunRecord]:
    program = bim_neuro.compile(export(small_checkpoint()), target="loihi2")
    return program.graph, Excerpts(program, small_input(2, 8), "reference").whole(1, 8)[1]


def test_words_are_counted_by_their_bits(ran: tuple[IntegerGraph, RunRecord]) -> None:
    graph, record = ran
    made = np.zeros((1, record.period, 4), np.int64)
    made[0, :2] = [[0, 1, -2, 3], [-7, 8, 2**23 - 1, -(2**23 - 1)]]
    made[0, 8:] = 99  # after the sample: not looked at
    found = formats(
        graph, replace(record, probes={**record.probes, "readout.v": made}), ["readout"], {"readout.v": 0.5}
    )
    (word,) = found["readout"]["words"]
    assert (word["name"], word["limit"], word["unit"]) == ("v", 2**23 - 1, 0.5)
    assert (word["largest"], word["full"]) == (2**23 - 1, 2)
    counts = {bits: number for bits, number in enumerate(word["bits"]) if number}
    assert counts == {0: 6 * 4 + 1, 1: 1, 2: 2, 3: 1, 4: 1, 23: 2}


def test_weights_are_counted_as_numpy_counts_them(ran: tuple[IntegerGraph, RunRecord]) -> None:
    graph, record = ran
    found = formats(graph, record, list(graph.nodes), {})
    weight = next(edge.synapse.weight for edge in graph.edges if edge.target == "readout")  # type: ignore[attr-defined]
    counts, _ = np.histogram(weight.astype(int), bins=WEIGHT_BINS, range=(-127.5, 127.5))
    shown = found["readout"]["weights"]
    assert (shown["limit"], shown["counts"]) == (127, counts.tolist())
    assert (shown["total"], shown["zeros"]) == (weight.size, int(np.sum(weight == 0)))
    assert found["block1.lif"]["weights"] is None


def test_every_word_of_a_layer_is_in_its_histogram(ran: tuple[IntegerGraph, RunRecord]) -> None:
    graph, record = ran
    found = formats(graph, record, list(graph.nodes), {})
    assert {word["name"] for word in found["block1.lif"]["words"]} == {"u", "v"}
    assert [word["name"] for word in found["readout"]["words"]] == ["v"]  # which it sends
    assert [word["limit"] for word in found["block1.u"]["words"]] == [2**15 - 1]
    for name, layer in found.items():
        for word in layer["words"]:
            assert sum(word["bits"]) == record.probes[f"{name}.{word['name']}"][:, :8].size


def test_weights_of_two_lists_are_shown_as_the_16_bits_they_are() -> None:
    graph = NETS["per_neuron"]()
    program = bim_neuro.compile(graph, target="loihi2", input=inputs(graph), weight_bits=16)
    record = Excerpts(program, inputs(graph), "reference").whole(0, 8)[1]
    shown = formats(program.graph, record, ["hidden"], {})["hidden"]["weights"]
    assert shown["limit"] == WIDE_MAX
    assert 127 < shown["largest"] <= WIDE_MAX
    real = next(edge.synapse.weight for edge in graph.edges if edge.target == "hidden")  # type: ignore[attr-defined]
    assert shown["total"] == real.size


def test_plastic_weights_beyond_127_have_their_9_bits(ran: tuple[IntegerGraph, RunRecord]) -> None:
    graph, record = ran
    edges = tuple(
        replace(edge, synapse=Dense(np.full_like(edge.synapse.weight, 200, np.int16)))  # type: ignore[attr-defined]
        if edge.target == "readout" else edge for edge in graph.edges
    )  # fmt: skip
    shown = formats(replace(graph, edges=edges), record, ["readout"], {})["readout"]["weights"]
    assert (shown["limit"], shown["largest"]) == (255, 200)
    assert sum(shown["counts"]) == shown["total"]

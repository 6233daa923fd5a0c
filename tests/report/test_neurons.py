"""Neurons of the report's page, float beside integer: real values, thresholds, and the room they take."""

from __future__ import annotations

from base64 import b64decode
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from small_models import small_checkpoint, small_input
from written_nets import NETS, inputs

import bim_neuro
from bim_neuro.excerpts import Excerpts
from bim_neuro.model.export import export
from bim_neuro.nodes.arithmetic import WORD_MAX
from bim_neuro.program import Program
from bim_neuro.report import series
from bim_neuro.report.formats import formats
from bim_neuro.report.neurons import FEWEST_STEPS, NEURON_TEXT, WHOLE_WORDS, neurons, steps_to_keep
from bim_neuro.report.summary import Facts

LONG = 256


def facts_of(program: Program, x: np.ndarray, y: np.ndarray | None = None) -> Facts:
    return program.facts(program.play(x, backend="reference"), y)


@pytest.fixture(scope="module")
def block() -> tuple[Program, np.ndarray]:
    """A small block with its readout, and input for it."""
    return bim_neuro.compile(export(small_checkpoint()), target="loihi2"), small_input(6, 8)


def values(pair: dict[str, Any], side: str) -> np.ndarray:
    return np.frombuffer(b64decode(pair[side]), ">i2") * pair["step"]


@pytest.mark.parametrize("name", NETS)
def test_the_currents_of_a_first_layer_are_those_of_float_in_the_units_it_states(name: str) -> None:
    graph = NETS[name]()
    program = bim_neuro.compile(graph, target="loihi2", input=inputs(graph))
    floats, integers = Excerpts(program, inputs(graph), "reference").whole(0, 60)
    first = next(edge.target for edge in graph.edges if edge.source == "input")
    real = integers.probes[f"{first}.u"][0, :60] * program.state_units[first]["u"]
    alone = {edge.source for edge in graph.into(first)} == {"input"}  # a spike that comes back differs now and then
    until = 60 if alone else 2
    wanted = floats.probes[f"{first}.u"][0, :until]
    assert np.abs(wanted).max() > 0
    off = np.sqrt(np.mean((real[:until] - wanted) ** 2) / np.mean(wanted**2))
    assert off < 0.03  # of int8 weights and decays of 12 or 16 bits


def test_a_stock_soma_and_readout_are_those_of_float_in_the_units_they_state() -> None:
    """The somas of the lowering have the model's units; of what it made of the scan nothing stands beside float."""
    program, x = (
        bim_neuro.compile(export(small_checkpoint()), input=small_input(32), lowering="stock"),
        small_input(6, 12),
    )
    floats, integers = Excerpts(program, x, "reference").whole(0, 12)
    real = integers.probes["block1.lif.u"][0, :12] * program.state_units["block1.lif"]["u"]
    wanted = floats.probes["block1.lif.u"][0]
    assert np.sqrt(np.mean((real - wanted) ** 2) / np.mean(wanted**2)) < 0.03
    busiest = ["block1.kept", "block1.lif", "block1.u", "readout"]
    made = neurons(facts_of(program, x), 0, floats, integers, busiest)
    assert {name: [one["name"] for one in layer["signals"]] for name, layer in made["layers"].items()} == {
        "block1.lif": ["u", "v"], "readout": ["message"]
    }  # fmt: skip
    for shown in made["layers"]["block1.lif"]["shown"]:
        real_threshold, threshold = shown["threshold"]
        assert threshold == pytest.approx(real_threshold, rel=0.02)
    assert made["left_out"].endswith(": block1.kept, block1.u.")
    assert made["layers"]["readout"]["signals"][0]["bits"] == 32  # Lava's processes send words of 32 bits
    (word,) = formats(program.graph, integers, ["block1.u"], {})["block1.u"]["words"]
    assert (word["limit"], len(word["bits"])) == (2**31 - 1, 33)


def test_scan_states_and_readouts_are_those_of_float_in_the_units_they_state(block: tuple[Program, np.ndarray]) -> None:
    program, x = block
    floats, integers = Excerpts(program, x, "reference").whole(2, 8)
    for layer, state in (("block1.scan", "h"), ("readout", "v")):
        real = integers.probes[f"{layer}.{state}"][0, :8] * program.state_units[layer][state]
        wanted = floats.probes[f"{layer}.{state}"][0]
        assert np.corrcoef(real.ravel(), wanted.ravel())[0, 1] > 0.98
        assert np.sqrt(np.mean(real**2) / np.mean(wanted**2)) == pytest.approx(1, abs=0.1)


def test_a_neuron_is_shown_with_what_both_runs_held_its_threshold_and_its_spikes(
    block: tuple[Program, np.ndarray],
) -> None:
    program, x = block
    facts = facts_of(program, x)
    floats, integers = Excerpts(program, x, "reference").whole(3, 8)
    shown = neurons(facts, 3, floats, integers, list(program.graph.nodes))
    assert (shown["sample"], shown["steps"]) == (3, 8)
    soma = shown["layers"]["block1.lif"]
    assert [signal["name"] for signal in soma["signals"]] == ["h", "u", "v"]  # the scan is wired to it
    assert "block1.scan" not in shown["layers"]
    unit = program.state_units["block1.lif"]["v"]
    assert soma["signals"][2]["limit"] == WORD_MAX * unit
    lif, real = program.graph.nodes["block1.lif"], program.reference.nodes["block1.lif"]
    for one in soma["shown"]:
        v = one["signals"][2]
        held = integers.probes["block1.lif.v"][0, :8, one["neuron"]] * unit
        np.testing.assert_allclose(values(v, "integer"), held, atol=v["step"])
        np.testing.assert_allclose(
            values(v, "float"), floats.probes["block1.lif.v"][0, :, one["neuron"]], atol=v["step"]
        )
        assert one["threshold"] == [real.v_threshold, lif.v_threshold * 64 * unit]  # type: ignore[attr-defined]
        fired = np.unpackbits(np.frombuffer(b64decode(one["spikes"][1]), np.uint8))[:8]
        assert fired.tolist() == integers.probes["block1.lif.message"][0, :8, one["neuron"]].astype(int).tolist()
        state = one["signals"][0]
        largest = np.abs(floats.probes["block1.scan.h"][0, :, one["neuron"]]).max()
        assert np.abs(values(state, "float")).max() == pytest.approx(largest, abs=state["step"])


def test_neurons_are_the_furthest_off_the_nearest_and_some_between(block: tuple[Program, np.ndarray]) -> None:
    program, x = block
    floats, integers = Excerpts(program, x, "reference").whole(0, 8)
    shown = neurons(facts_of(program, x), 0, floats, integers, ["block1.lif"])["layers"]["block1.lif"]["shown"]
    unit = program.state_units["block1.lif"]["v"]
    gap = integers.probes["block1.lif.v"][0, :8] * unit - floats.probes["block1.lif.v"][0]
    off = np.sqrt(np.mean(gap**2, axis=0))
    chosen = [off[one["neuron"]] for one in shown]
    assert chosen == sorted(chosen, reverse=True)
    assert (chosen[0], chosen[-1]) == (off.max(), off.min())


def test_the_sample_is_one_with_two_answers_where_there_is_one(block: tuple[Program, np.ndarray]) -> None:
    program, x = block
    facts = facts_of(program, x, np.zeros(6, np.int64))
    other = facts.floats.output.copy()
    other[4] = np.roll(facts.record.output[4].astype(float), 1)  # float now prefers another class for it
    facts = replace(facts, floats=replace(facts.floats, output=other))
    assert facts.floats.predicted[4] != facts.record.predicted[4]
    made = series(facts, Excerpts(program, x, "reference"))
    assert made["neurons"]["sample"] in {one["sample"] for one in made["raster"]["samples"]}
    differ = {i for i in range(6) if facts.floats.predicted[i] != facts.record.predicted[i]}
    kept = {one["sample"] for one in made["raster"]["samples"]}
    assert made["neurons"]["sample"] in (differ & kept or kept)


def test_long_samples_of_many_layers_take_a_bounded_text() -> None:
    program = bim_neuro.compile(export(small_checkpoint(blocks=3)), target="loihi2")
    x = small_input(1, LONG)
    floats, integers = Excerpts(program, x, "reference").whole(0, LONG)
    shown = neurons(facts_of(program, x), 0, floats, integers, list(program.graph.nodes))
    text = sum(len(pair[side]) for layer in shown["layers"].values() for one in layer["shown"]
               for pair in one["signals"] for side in ("float", "integer"))  # fmt: skip
    assert 0 < text <= NEURON_TEXT
    assert all(layer["shown"] for layer in shown["layers"].values())


def test_a_network_too_large_to_keep_whole_shows_none() -> None:
    def placed(neurons: int) -> Any:
        node = SimpleNamespace(neurons=neurons, initial=lambda batch: {"v": np.zeros(neurons)})
        return SimpleNamespace(graph=SimpleNamespace(nodes={"x": node}))

    assert steps_to_keep(placed(10), 1000) == LONG
    assert steps_to_keep(placed(10), 3) == 3
    assert steps_to_keep(placed(WHOLE_WORDS // (2 * FEWEST_STEPS)), 1000) == FEWEST_STEPS
    assert steps_to_keep(placed(WHOLE_WORDS // (2 * FEWEST_STEPS - 1)), 1000) == 0

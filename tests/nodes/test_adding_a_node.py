"""docs/adding_a_node.md, followed: a doubler, r = 2 a, added from outside, passes the stations of the data path."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import nir
import numpy as np
import pytest

from bim_neuro import pack
from bim_neuro.compilers import fields
from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import bound, calibrated, magnitude
from bim_neuro.compilers.lost_weights import of_synapse
from bim_neuro.compilers.placement.lists import targets
from bim_neuro.compilers.placement.parts import Part
from bim_neuro.compilers.placement.place import place
from bim_neuro.compilers.quantise import quantise_with_units
from bim_neuro.compilers.quantise_nodes import Quantised, Scales, as_factor, exponent_for, quantise_node
from bim_neuro.compilers.quantise_weights import quantise_synapse, row_maximum
from bim_neuro.compilers.rounding import of_node, rounding
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.estimates.energy import price
from bim_neuro.graph import Edge, FloatGraph, IntegerGraph
from bim_neuro.hardware import load_profile
from bim_neuro.nir_bridge import check as nir_check
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nir_bridge.standard_neurons import write_node
from bim_neuro.nodes import LIF, Dense, Encoder, Source
from bim_neuro.nodes.arithmetic import Array, rescale, saturate
from bim_neuro.nodes.node import State, Step
from bim_neuro.nodes.ranges import Ranges, ranges_of, with_ranges
from bim_neuro.nodes.relay import MESSAGE_MAX
from bim_neuro.simulation import simulate, simulate_engine, simulate_float
from bim_neuro.simulation.forms import Form, form, message_bound
from bim_neuro.simulation.kernels import layout
from bim_neuro.simulation.shapes import shape_of

ROOT = Path(__file__).parents[2]

# ---- 1. the laws


@dataclass(frozen=True)
class Doubler:
    """Float law: r[t] = 2 a[t]."""

    size: int
    message_range: float = 0.0

    kind: ClassVar[str] = "doubler"

    @property
    def neurons(self) -> int:
        return self.size

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.size}

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        return Step(state, 2 * inputs["a"])


@dataclass(frozen=True)
class IntegerDoubler:
    """r = a multiplier / 2^(shift - 1), saturated to 16 bits."""

    multiplier: Array
    shift: int

    kind: ClassVar[str] = "doubler"
    lava_process: ClassVar[str] = ""
    gated: ClassVar[bool] = True
    message_bits: ClassVar[int] = 16

    @property
    def neurons(self) -> int:
        return len(self.multiplier)

    @property
    def ports(self) -> dict[str, int]:
        return {"a": self.neurons}

    @property
    def state_words(self) -> int:
        return 1

    def initial(self, batch: tuple[int, ...]) -> State:
        return {}

    def step(self, state: State, inputs: dict[str, Array]) -> Step:
        word, clipped = rescale(inputs["a"], self.multiplier, self.shift - 1, np.zeros_like(self.multiplier))
        message, cut = saturate(np.asarray(word), MESSAGE_MAX)
        return Step(state, message, clipped + cut)


def graph(node: Any) -> FloatGraph:
    rng = np.random.default_rng(3)
    nodes = {"input": Source(5), "double": node, "lif": LIF(4, 0.9, 1.0, np.zeros(4))}
    edges = (
        Edge("input", "double", "a", Dense(rng.normal(0, 0.5, (6, 5)))),
        Edge("double", "lif", "i", Dense(rng.normal(0, 0.5, (4, 6)))),
    )
    return FloatGraph(nodes, edges, 1e-3, Encoder("graded", np.full(5, 1 / 127), np.zeros(5)))


class Stranger:
    """A node, or a synapse, of which nothing is registered anywhere."""


STRANGER: Any = Stranger()
FORGOTTEN: dict[str, Callable[[], object]] = {
    "ranges_of": lambda: ranges_of(STRANGER),
    "with_ranges": lambda: with_ranges(STRANGER, {}),
    "bound": lambda: bound(STRANGER, {}),
    "of_node": lambda: of_node(STRANGER, STRANGER, STRANGER),
    "FIELDS": lambda: list(fields.out_of_field(IntegerGraph({"double": STRANGER}, (), 1e-3, STRANGER))),
    "message_bound": lambda: message_bound(STRANGER, "double"),
    "row_maximum": lambda: row_maximum(STRANGER, 1),
    "quantise_synapse": lambda: quantise_synapse(STRANGER, np.ones(1)),
    "of_synapse": lambda: of_synapse(STRANGER, STRANGER, STRANGER, STRANGER),
    "magnitude": lambda: magnitude(STRANGER, np.ones(1)),
    "gains": lambda: fields.gains(STRANGER),
}


@pytest.mark.parametrize("what", FORGOTTEN)
def test_what_was_forgotten_is_refused_with_the_file_where_it_belongs(what: str) -> None:
    with pytest.raises(InputError, match=rf"Stranger has no '{what}', see \S+py") as refusal:
        FORGOTTEN[what]()
    assert what in (ROOT / refusal.value.message.rpartition(" ")[2]).read_text()
    assert what in (ROOT / "docs/adding_a_node.md").read_text()


@pytest.mark.parametrize(
    "refused", [lambda: quantise_node(STRANGER, {}, "double", 0), lambda: targets(STRANGER, STRANGER, Part("", 0, 0))]
)
def test_what_a_chip_or_quantise_does_not_know_is_a_finding(refused: Callable[[], object]) -> None:
    with pytest.raises(DoesNotFit, match=r"for (the synapse )?Stranger"):
        refused()


@pytest.mark.parametrize(
    "refused", [lambda: form(STRANGER, {"a": 1}, "double"), lambda: shape_of(STRANGER, "double", 1, True)]
)
def test_what_the_engine_does_not_know_is_refused(refused: Callable[[], object]) -> None:
    with pytest.raises(InputError, match="the engine has no kernel for Stranger"):
        refused()


# ---- 2 to 5 and 7: one function each


EXTENDED = (
    ranges_of,
    with_ranges,
    bound,
    quantise_node,
    of_node,
    form,
    message_bound,
    nir_check._shapes,
    write_node,
)


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for cls in (Doubler, IntegerDoubler):
        monkeypatch.setitem(pack._CLASSES, cls.__name__, cls)
    monkeypatch.setattr(pack, "_NODES", (*pack._NODES, Doubler, IntegerDoubler))
    monkeypatch.setitem(fields.FIELDS, IntegerDoubler, (fields._factor("multiplier"),))

    @ranges_of.register
    def _(node: Doubler) -> Ranges:
        return {"message": node.message_range}

    @with_ranges.register
    def _(node: Doubler, ranges: Mapping[str, float]) -> Any:
        return replace(node, message_range=ranges.get("message", node.message_range))

    @bound.register
    def _(node: Doubler, inputs: Mapping[str, Array]) -> dict[str, float]:
        return {"message": 2 * float(inputs["a"].max())}

    @quantise_node.register
    def _(node: Doubler, scales: Scales, name: str, finest: int) -> Quantised:
        exponent = min(exponent_for(node.message_range, MESSAGE_MAX), finest)
        return Quantised(IntegerDoubler(*as_factor(scales["a"] * 2.0**exponent)), exponent)

    @of_node.register
    def _(node: Doubler, got: IntegerDoubler, place: Any) -> Iterator[Any]:
        yield from ()

    @form.register
    def _(node: IntegerDoubler, bounds: dict[str, int], name: str) -> Form:
        zeros = np.zeros(node.neurons, np.int64)
        return Form(layout.RELAY, np.concatenate([[node.shift - 1], node.multiplier, zeros]))

    @message_bound.register
    def _(node: IntegerDoubler, name: str) -> int:
        return MESSAGE_MAX

    @nir_check._shapes.register
    def _(node: Doubler) -> Any:
        return {"size": (node.size, max(node.size, 1))}

    @write_node.register
    def _(node: Doubler, name: str, layer: Any) -> None:
        layer.nodes[name] = nir.Scale(np.full(node.size, 2.0, np.float32))
        layer.synapses(name, "a", [name])

    yield
    for function in EXTENDED:
        forget(function, Doubler, IntegerDoubler)


def forget(function: Any, *classes: type) -> None:
    """Take classes out of a singledispatch, which has no call for it: its ``registry`` is a view of the dict."""
    (registry,) = gc.get_referents(function.registry)
    for cls in classes:
        registry.pop(cls, None)
    function._clear_cache()


@pytest.mark.usefixtures("registered")
def test_a_node_added_by_the_page_has_equal_integers_on_law_and_engine(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(-127, 128, (8, 12, 5))
    model = graph(Doubler(6))
    measured = calibrated(model, model.encoder.to_float(x))
    integer, units = quantise_with_units(measured)
    program = align(integer)
    assert isinstance(program.nodes["double"], IntegerDoubler)
    assert rounding(measured, integer, units)
    law, engine = simulate(program, x, probe=True), simulate_engine(program, x, probe=True)
    assert law.probes.keys() == engine.probes.keys()
    for name, values in law.probes.items():
        np.testing.assert_array_equal(engine.probes[name], values)
    floats = simulate_float(measured, program.encoder.to_float(x)).probes["double.message"]
    values = law.probes["double.message"][:, :12] * 2.0 ** -units.exponents["double"]
    assert np.abs(values - floats).max() < 0.02 * np.abs(floats).max()  # of int8 weights

    on_chip = place(program, load_profile("loihi2"))
    assert {core.layer for core in on_chip.cores} == {"double", "lif"}
    words = sum(node.state_words * node.neurons for name, node in program.nodes.items() if name != "input")
    assert on_chip.cores_of("double")[0].resources["neuron_words"][0] == words == 6 + 4  # both layers share the core
    for name, count in law.layers.items():
        assert engine.layers[name].totals() == count.totals(), name
    assert law.layers["double"].updates.sum() == 8 * 12 * 6

    loihi = load_profile("loihi2")
    assert [what for what in price(on_chip, engine, loihi).unpriced if "doubler" in what]  # its update has no price
    passes = {**loihi.passes_per_update, "doubler": loihi.passes_per_update["relay"]}
    cost = price(on_chip, engine, replace(loihi, passes_per_update=passes))
    assert not [what for what in cost.unpriced if "doubler" in what]
    updates = next(layer for layer in cost.layers if layer.layer == "double").events["updates"]
    each = passes["doubler"].number * loihi.energy.update_pass_pj.number
    assert updates.value == pytest.approx(12 * 6 * each)

    write_nir(measured, tmp_path / "doubler.nir")
    again = read_nir(tmp_path / "doubler.nir")
    assert again.nodes["double"] == measured.nodes["double"]


def test_what_the_toy_registers_can_be_taken_away_again() -> None:
    passing: Any = type("Passing", (), {})
    message_bound.register(passing, lambda node, name: 3)
    assert message_bound(passing(), "double") == 3
    forget(message_bound, passing)
    with pytest.raises(InputError, match="Passing has no 'message_bound'"):
        message_bound(passing(), "double")

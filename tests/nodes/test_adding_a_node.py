"""docs/adding_a_node.md, followed: a doubler, r = 2 a, added from outside, passes the stations of the data path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import nir
import numpy as np
import pytest

from bim_neuro import pack
from bim_neuro.compilers import fields
from bim_neuro.compilers.align import align
from bim_neuro.compilers.calibrate import bound, calibrated
from bim_neuro.compilers.quantise import Quantised, Scales, as_factor, exponent_for, quantise_node, quantise_with_units
from bim_neuro.compilers.rounding import of_node, rounding
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.nir_bridge import check as nir_check
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nir_bridge import standard as nir_standard
from bim_neuro.nodes import LIF, Dense, Encoder, Source
from bim_neuro.nodes.arithmetic import Array, rescale, saturate
from bim_neuro.nodes.node import State, Step
from bim_neuro.nodes.ranges import Ranges, ranges_of, with_ranges
from bim_neuro.nodes.relay import MESSAGE_MAX
from bim_neuro.simulation import simulate, simulate_engine, simulate_float
from bim_neuro.simulation.forms import Form, form, message_bound
from bim_neuro.simulation.kernels import layout

# ---- 1. the laws


@dataclass(frozen=True)
class Doubler:
    """Float law: r[t] = 2 a[t]."""

    size: int
    message_range: float = 0.0

    kind: ClassVar[str] = "relay"  # priced as one

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

    kind: ClassVar[str] = "relay"
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


def test_a_node_that_nobody_registered_is_refused_by_name() -> None:
    @dataclass(frozen=True)
    class Stranger(Doubler):
        pass

    with pytest.raises(DoesNotFit, match="no integer law for Stranger"):
        quantise_with_units(graph(Stranger(6)))
    with pytest.raises(InputError, match="no kernel for Stranger"):
        form(Stranger(6), {"a": 1}, "double")  # type: ignore[arg-type]


# ---- 2 to 5 and 7: one function each


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    for cls in (Doubler, IntegerDoubler):
        monkeypatch.setitem(pack._CLASSES, cls.__name__, cls)
    monkeypatch.setattr(pack, "_NODES", (*pack._NODES, Doubler, IntegerDoubler))
    monkeypatch.setitem(fields._FIELDS, IntegerDoubler, (fields._factor("multiplier"),))

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

    @nir_standard._write.register
    def _(node: Doubler, name: str, layer: Any) -> None:
        layer.nodes[name] = nir.Scale(np.full(node.size, 2.0, np.float32))
        layer.synapses(name, "a", [name])


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

    write_nir(measured, tmp_path / "doubler.nir")
    again = read_nir(tmp_path / "doubler.nir")
    assert again.nodes["double"] == measured.nodes["double"]

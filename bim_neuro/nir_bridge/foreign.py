"""A NIR graph of any framework becomes a float graph: linear nodes fold into synapses, neurons become ours.

`neurons` says what each neuron becomes, `wiring` how messages reach it, a `dialect` what the file does not say. All of
that is listed in ``extra['assumptions']``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import NamedTuple

import numpy as np

from ..errors import DoesNotFit, Finding, InputError
from ..graph import Extra, FloatGraph
from ..intake import HINT, Budget
from ..nodes import Dense, Encoder, Readout, Source
from ..nodes.arithmetic import Array
from .dialect import Dialect, hint_of
from .discretise import discretise
from .grids import ON_GRIDS, Shape, conv_of
from .hdf5 import NirGraph, NirNode
from .linear import LinearForm, bytes_of_sum, message_of, sum_of
from .loops import Order, Wire, sources_first
from .neurons import add_neuron, add_unfolded
from .structure import input_lines, misfits, shapes
from .support import FIELDS, NEURONS, SPIKING
from .units import StateUnits, units_of
from .wiring import Wiring

BYTES_A_LINE = 4096
"""Memory of all stages for an input line that no array of the file justifies."""


def to_float_graph(
    nir: NirGraph, dt: float, dialect: Dialect, encoder: Encoder | str = "spikes", budget: Budget | None = None
) -> FloatGraph:
    """Return the float graph of a flat NIR graph; `DoesNotFit` lists everything that a float graph cannot hold.

    ``encoder`` is the file's own, or the kind of one for a graph that brings none. Its memory is counted in ``budget``,
    in addition to the file's arrays.
    """
    return with_units(nir, dt, dialect, encoder, budget)[0]


def with_units(
    nir: NirGraph, dt: float, dialect: Dialect, encoder: Encoder | str = "spikes", budget: Budget | None = None
) -> tuple[FloatGraph, dict[str, StateUnits]]:
    """Return the float graph, and the units of each layer's states, as `to_float_graph` does."""
    budget = budget or Budget.of_file(0)
    budget.take("the file's arrays", sum(value.nbytes for node in nir.nodes.values() for value in node.fields.values()))
    with np.errstate(all="ignore"):  # `check` refuses by name what is no longer finite
        if found := misfits(nir, dt, dialect):
            raise DoesNotFit(found)
        conversion = _Conversion(nir, dt, dialect, encoder, budget)
        return conversion.run(sources_first(nir)), conversion.units


def field_of(node: NirNode, key: str, shape: Shape, width: int) -> Array:
    """Return a field as (width,) float64; a single value is repeated, a missing field gets its default."""
    value = node.fields.get(key, np.array(FIELDS[node.type][key])).astype(np.float64)
    wide = value.ravel() if value.size in (1, width) else np.broadcast_to(value, shape).ravel()
    return np.broadcast_to(wide, (width,)).copy()


class Unfolded(NamedTuple):
    """A float graph whose edges hold nothing of its neurons' laws, and the constants in the input of each layer."""

    graph: FloatGraph
    constants: dict[str, Array]
    late: set[str]
    """Layers whose lag is the step that their spikes take to come back."""


def unfolded(nir: NirGraph, dt: float, dialect: Dialect, encoder: str, budget: Budget) -> Unfolded:
    """Return the float graph of a sound NIR graph, for whoever tries many laws of its neurons."""
    with np.errstate(all="ignore"):
        conversion = _Conversion(nir, dt, dialect, encoder, budget, unfolded=True)
        graph = conversion.run(sources_first(nir))
    return Unfolded(graph, conversion.constants, conversion.late)


class _Conversion:
    """Two passes over a NIR graph, sources first: every output becomes a linear form, then every neuron a node.

    What comes back to its own layer (`loops`) is known when all forms are, and is a step old.
    """

    def __init__(
        self,
        nir: NirGraph,
        dt: float,
        dialect: Dialect,
        encoder: Encoder | str,
        budget: Budget,
        *,
        unfolded: bool = False,
    ) -> None:
        self.nir, self.dt, self.dialect, self.encoder = nir, dt, dialect, encoder
        self.forms: dict[str, LinearForm] = {}
        types = {name: node.type for name, node in nir.nodes.items()}
        voltages = {name for name, kind in types.items() if kind in NEURONS and kind not in SPIKING}
        self.wiring = Wiring({name for name, kind in types.items() if kind in (*NEURONS, "Input", "Output")}, voltages)
        self.before = nir.before()
        self.late: set[str] = set()
        self.closing: frozenset[Wire] = frozenset()
        self.shapes: dict[str, Shape] = {}
        self.budget = budget
        self.units: dict[str, StateUnits] = {}
        self.constants: dict[str, Array] = {}
        self.add = add_unfolded if unfolded else add_neuron

    def run(self, order: Order) -> FloatGraph:
        source, output = (
            next(name for name, node in self.nir.nodes.items() if node.type == kind) for kind in ("Input", "Output")
        )
        self.shapes = shapes(self.nir, order)
        width = self._input_width(source)
        encoder = Encoder.of_graph(self.encoder, width) if isinstance(self.encoder, str) else self.encoder
        self.wiring.nodes[source] = encoder.source
        self.wiring.graded = [source] if encoder.exponent else []
        # in a loop the lag is the step that the spikes take to come back
        self.late = {end for _, end in order.closing if self._dialect(end)["lag"] == "yes"}
        self.closing = frozenset(wire for wire in order.closing if self._dialect(wire[1])["rec_input"] == "late")
        for name in order.nodes:
            self.forms[name] = self._form(name)
        for name in order.nodes:
            if self.nir.nodes[name].type in NEURONS:
                self._add_neuron(name, order.closing)
        self._end(output)
        extra = Extra(assumptions=[*self._standing(bool(order.closing)), *self.wiring.assumptions])
        if maps := {name: self.shapes[name] for name in self.wiring.nodes if len(self.shapes.get(name, ())) in (2, 3)}:
            extra["shapes"] = maps
        return FloatGraph(self.wiring.nodes, tuple(self.wiring.edges), self.dt, encoder, extra=extra)

    def _form(self, name: str) -> LinearForm:
        """Return what a node sends, as a function of the messages of neurons; voltages count from v_leak."""
        kind = self.nir.nodes[name].type
        if kind not in (*NEURONS, "Input"):
            return self._linear(name, self._input_of(name))
        form = message_of(name, self.wiring.nodes[name].neurons if kind == "Input" else prod(self.shapes[name]))
        form = form.a_step_old(name) if name in self.late else form
        self._take(name, form.nbytes)
        return form.shifted(self._field(name, "v_leak", form.width)) if kind in ("LI", "CubaLI") else form

    def _input_width(self, source: str) -> int:
        """Return how many lines the input has, no more than memory justifies."""
        shape, said, more = input_lines(self.nir, source)
        width = prod(shape)
        if more:
            self.wiring.assumptions.append(f"the input's shape {said} counts batch or time: {width} lines")
        fields = (value for node in self.nir.nodes.values() for value in node.fields.values())
        widest = (max(value.shape, default=1) for value in fields)
        limit = max(self.budget.limit // BYTES_A_LINE, *widest)
        if width > limit:
            claim = f"the input '{source}' has {width:,} lines of {BYTES_A_LINE:,} bytes each"
            raise InputError(f"{claim}, this graph may have {limit:,}", HINT)
        return width

    def _input_of(self, name: str) -> LinearForm:
        """Return the sum of all wires into a node; what comes back to a neuron itself is a step old."""
        forms = [self._at(start, name) for start in self.before[name]]
        if len(forms) == 1:
            return forms[0]
        self._take(name, bytes_of_sum(forms))
        return sum_of(forms)

    def _at(self, start: str, name: str) -> LinearForm:
        """Return what a wire brings to a node."""
        form = self.forms[start]
        if (start, name) in self.closing:
            form = form.others_a_step_old(name)
        return form if name in self.late else form.a_step_old(name)

    def _take(self, name: str, size: int) -> None:
        """Count memory for a node before it is built; refuse it by name if the file does not justify so much."""
        self.budget.take(f"node '{name}' ({self.nir.nodes[name].type})", size)

    def _linear(self, name: str, form: LinearForm) -> LinearForm:
        """Fold a node without memory, or a delay, into the form it reads."""
        node = self.nir.nodes[name]
        if node.type in ("Linear", "Affine"):
            weight = Dense(node.fields["weight"].astype(np.float64))
            self._take(name, 8 * weight.count + form.bytes_through(weight, len(weight.weight)))
            form = form.through(weight)
            return form.shifted(self._field(name, "bias", form.width)) if node.type == "Affine" else form
        if node.type in ON_GRIDS:
            return self._on_grid(name, form)
        if node.type == "Scale":
            self._take(name, form.nbytes)
            return form.scaled(self._field(name, "scale", form.width))
        if node.type == "Delay":
            return self._delay(name, form)
        return form

    def _on_grid(self, name: str, form: LinearForm) -> LinearForm:
        """Pass through a convolution or pool; a bias is one a channel."""
        node = self.nir.nodes[name]
        conv = conv_of(node, self.shapes[self.before[name][0]])
        self._take(name, 8 * (conv.weight.size + 2 * conv.post) + form.bytes_through(conv, conv.post))
        said = tuple(int(size) for size in node.fields.get("input_shape", np.zeros(0)).ravel())
        if said and said not in (conv.grid[1:], conv.grid[2:]):
            self.wiring.assumptions.append(f"'{name}' says input_shape {said}, it reads a grid of {conv.grid[1:]}")
        bias = node.fields.get("bias", np.zeros(1)).astype(np.float64).ravel()
        return form.through(conv).shifted(np.repeat(np.broadcast_to(bias, len(conv.weight)), conv.out[1] * conv.out[2]))

    def _delay(self, name: str, form: LinearForm) -> LinearForm:
        steps = np.rint(self._field(name, "delay", form.width) / self.dt)
        if form.bias[steps > 0].any():
            self.wiring.assumptions.append(f"the constant that '{name}' delays is applied from the first step on")
        self._take(name, len(np.unique(steps)) * form.nbytes)
        return form.delayed(steps.astype(np.int64))

    def _add_neuron(self, name: str, closing: frozenset[Wire]) -> None:
        form, late = self._input_of(name), np.zeros(prod(self.shapes[name]))
        dialect = self._dialect(name)
        if dialect["rec_first"] == "no":  # the constants of what comes back are not there at the first step
            late = np.sum([self.forms[start].bias for start, end in closing if end == name] or [late], axis=0)
            form = form.shifted(-late)
        self._take(name, 2 * form.nbytes)
        field = partial(self._field, name, width=form.width)
        recurrent = any(end == name for _, end in closing)
        kind = self.nir.nodes[name].type
        law = discretise(kind, field, self.dt, dialect, recurrent=recurrent)
        if name in self.late:
            law = replace(law, lag=False)
        self.constants[name] = form.bias
        self.add(self.wiring, name, form, law, late)
        self.units[name] = units_of(self.wiring.nodes[name], law, kind, field, self.dt, dialect)

    def _dialect(self, name: str) -> Dialect:
        return self.dialect.of(name, self.nir.nodes[name].type)

    def _end(self, output: str) -> None:
        """Make the node that the Output reads the last one; drop nodes that do not lead to it."""
        form = self.forms[output]
        last = form.is_message_of()
        if last is None or isinstance(self.wiring.nodes[last], Source):
            last = output
            self.wiring.nodes[output] = Readout(0.0, form.bias)
            self.wiring.connect(form, output)
        edges = self.wiring.leading_to(last)
        kept = {last} | {edge.source for edge in edges}
        dropped = [name for name in self.wiring.nodes if name not in kept]
        if any(isinstance(self.wiring.nodes[name], Source) for name in dropped):
            message = f"the output '{output}' does not depend on the input"
            raise DoesNotFit([Finding("no-input", output, message)])
        if dropped:
            self.wiring.assumptions.append(f"dropped, since the output does not depend on them: {', '.join(dropped)}")
        self.wiring.nodes = {name: node for name, node in self.wiring.nodes.items() if name in kept}
        self.wiring.edges = edges

    def _field(self, name: str, key: str, width: int) -> Array:
        return field_of(self.nir.nodes[name], key, self.shapes[name], width)

    def _standing(self, loops: bool) -> list[str]:
        """Return what the dialect and dt make of this graph, a sentence each."""
        types = {node.type for node in self.nir.nodes.values()}
        steps = [f"a step takes dt = {self.dt:g} s"] if types & set(NEURONS) else []
        said = [*steps, *self.dialect.sentences(types, loops)]
        hint = None if self.dialect.given else hint_of(self.nir, self.dt)
        return [*said, hint] if hint else said

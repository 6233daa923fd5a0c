r"""A NIR graph of any framework becomes a float graph: linear nodes fold into synapses, neurons become ours.

    LIF       v[t] = d v[t-1] + (1 - d) (v_leak + r i[t])                     d from tau (see `integrator`)
    IF        v[t] = v[t-1] + dt r i[t]
    CubaLIF   c[t] = e c[t-1] + (1 - e) w_in i[t],  then LIF on c[t]          e from tau_syn, d from tau_mem
    LI, I     LIF and IF without spikes; v is the message, and an LI starts at rest, v[-1] = v_leak
    spike     v[t] > v_threshold, then v[t] = 0 in the same step;  v[-1] = c[-1] = 0

A LIF layer on the chip has one decay, one threshold and no resistance: r, w_in and the factors (1 - d) fold
into the rows of the weights, v_leak into the bias, unequal positive thresholds into the rows too (v / v_threshold
compared with 1). What a file does not state is assumed and listed in ``extra['assumptions']``.

The voltage of an LI or I leaves through a relay, whose message is short enough to sum many, and enters a LIF through a
second relay. Where voltages and spikes are added, each gets its own relay: int8 weights have one scale per sum, and the
scales of a spike and of a voltage differ widely.
"""

from __future__ import annotations

from functools import partial
from math import prod

import numpy as np

from ..errors import DoesNotFit, Finding, InputError
from ..graph import Edge, Extra, FloatGraph
from ..intake import HINT, Budget
from ..nodes import LIF, Dense, Diagonal, Encoder, Readout, Relay, SomaWire, Source
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .discretise import NeuronLaw, discretise
from .grids import ON_GRIDS, Shape, conv_of
from .hdf5 import NirGraph
from .integrator import Integrator
from .linear import LinearForm, Origin, bytes_of_sum, message_of, sum_of
from .loops import Order, sources_first
from .structure import input_lines, misfits, shapes
from .support import FIELDS, NEURONS, SPIKING

BYTES_A_LINE = 4096
"""Memory of all stages for an input line that no array of the file justifies."""


def to_float_graph(
    nir: NirGraph, dt: float, integrator: Integrator, encoder: Encoder | None = None, budget: Budget | None = None
) -> FloatGraph:
    """Return the float graph of a flat NIR graph; `DoesNotFit` lists everything that a float graph cannot hold.

    Its memory is counted in ``budget``, in addition to the file's arrays.
    """
    budget = budget or Budget.of_file(0)
    budget.take("the file's arrays", sum(value.nbytes for node in nir.nodes.values() for value in node.fields.values()))
    with np.errstate(all="ignore"):  # `check` refuses by name what is no longer finite
        if found := misfits(nir, dt, integrator):
            raise DoesNotFit(found)
        return _Conversion(nir, dt, integrator, encoder, budget).run(sources_first(nir))


class _Conversion:
    """Two passes over a NIR graph, sources first: every output becomes a linear form, then every neuron a node.

    What comes back to its own layer (`loops`) is known when all forms are, and is a step old.
    """

    def __init__(
        self, nir: NirGraph, dt: float, integrator: Integrator, encoder: Encoder | None, budget: Budget
    ) -> None:
        self.nir, self.dt, self.integrator, self.encoder = nir, dt, integrator, encoder
        self.forms: dict[str, LinearForm] = {}
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.assumptions: list[str] = []
        self.before = nir.before()
        self.shapes: dict[str, Shape] = {}
        self.budget = budget
        self.senders: dict[str, str] = {}

    def run(self, order: Order) -> FloatGraph:
        source, output = (
            next(name for name, node in self.nir.nodes.items() if node.type == kind) for kind in ("Input", "Output")
        )
        self.shapes = shapes(self.nir, order)
        width = self._input_width(source)
        self.nodes[source] = self.encoder.source if self.encoder else Source(width, graded=False)
        for name in order.nodes:
            self.forms[name] = self._form(name)
        for name in order.nodes:
            if self.nir.nodes[name].type in NEURONS:
                self._add_neuron(name, self._input_of(name))
        self._end(output)
        encoder = self.encoder or Encoder("spikes", np.ones(width), np.zeros(width))
        extra = Extra(assumptions=[*self._standing(), *self.assumptions])
        return FloatGraph(self.nodes, tuple(self.edges), self.dt, encoder, extra=extra)

    def _form(self, name: str) -> LinearForm:
        """Return what a node sends, as a function of the messages of neurons."""
        kind = self.nir.nodes[name].type
        if kind not in (*NEURONS, "Input"):
            return self._linear(name, self._input_of(name))
        form = message_of(name, self.nodes[name].neurons if kind == "Input" else prod(self.shapes[name]))
        self._take(name, form.nbytes)
        return form.shifted(self._field(name, "v_leak", form.width)) if kind == "LI" else form

    def _input_width(self, source: str) -> int:
        """Return how many lines the input has, no more than memory justifies."""
        shape, said, more = input_lines(self.nir, source)
        width = prod(shape)
        if more:
            self.assumptions.append(f"the input's shape {said} counts batch or time: {width} lines")
        fields = (value for node in self.nir.nodes.values() for value in node.fields.values())
        widest = (max(value.shape, default=1) for value in fields)
        limit = max(self.budget.limit // BYTES_A_LINE, *widest)
        if width > limit:
            claim = f"the input '{source}' has {width:,} lines of {BYTES_A_LINE:,} bytes each"
            raise InputError(f"{claim}, this graph may have {limit:,}", HINT)
        return width

    def _input_of(self, name: str) -> LinearForm:
        """Return the sum of all wires into a node; what comes back to a neuron itself is a step old."""
        forms = [self.forms[start].a_step_old(name) for start in self.before[name]]
        if len(forms) == 1:
            return forms[0]
        self._take(name, bytes_of_sum(forms))
        return sum_of(forms)

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
        self._take(name, 8 * conv.weight.size + form.bytes_through(conv, conv.post))
        bias = node.fields.get("bias", np.zeros(1)).astype(np.float64).ravel()
        return form.through(conv).shifted(np.repeat(np.broadcast_to(bias, len(conv.weight)), conv.out[1] * conv.out[2]))

    def _delay(self, name: str, form: LinearForm) -> LinearForm:
        steps = np.rint(self._field(name, "delay", form.width) / self.dt)
        if form.bias[steps > 0].any():
            self.assumptions.append(f"the constant that '{name}' delays is applied from the first step on")
        self._take(name, len(np.unique(steps)) * form.nbytes)
        return form.delayed(steps.astype(np.int64))

    def _add_neuron(self, name: str, form: LinearForm) -> None:
        self._take(name, 2 * form.nbytes)
        law = discretise(
            self.nir.nodes[name].type, partial(self._field, name, width=form.width), self.dt, self.integrator
        )
        if self.nir.nodes[name].type not in SPIKING:
            self._add_readout(name, form, law)
        elif self._voltages(form):
            self._add_relayed(name, form, law)
        else:
            self._add_lif(name, form, law)

    def _add_readout(self, name: str, form: LinearForm, law: NeuronLaw) -> None:
        self.nodes[name] = Readout(law.decay, law.gain * form.bias)
        self._connect(form.scaled(law.gain), name)

    def _add_lif(self, name: str, form: LinearForm, law: NeuronLaw) -> None:
        current: Array = law.gain * form.bias
        if law.current_decay and form.bias.any():
            self._add_constant(name, current)
            current = np.zeros(form.width)
        self.nodes[name] = LIF(form.width, law.decay, law.v_threshold, current + law.leak, law.current_decay)
        self._connect(form.scaled(law.gain), name, "i")

    def _add_relayed(self, name: str, form: LinearForm, law: NeuronLaw) -> None:
        """Add a LIF that reads voltages: a relay beside its soma adds them up, and whatever is constant."""
        current, leak = law.gain * form.bias, law.leak
        if not law.current_decay:
            current, leak = current + leak, np.zeros(form.width)
        relay = self._relay(f"{name}.input", current)
        self.nodes[name] = LIF(form.width, law.decay, law.v_threshold, leak, law.current_decay)
        self._connect(form.scaled(law.gain), relay)
        self.edges.append(Edge(relay, name, "i", SomaWire()))

    def _add_constant(self, name: str, current: Array) -> None:
        """Add a neuron that fires every step to apply a bias that is filtered by a synaptic current."""
        always = f"{name}.bias"
        while always in self.nir.nodes:
            always += "_"
        self.nodes[always] = LIF(1, decay=0.0, v_threshold=0.5, bias=np.ones(1))
        self.edges.append(Edge(always, name, "i", Dense(current[:, None])))

    def _connect(self, form: LinearForm, name: str, port: str = "a") -> None:
        """Connect messages to a node; where spikes and voltages are added, each goes through its own relay."""
        synapses, voltages = form.synapses(), self._voltages(form)
        parts = [voltages, synapses.keys() - voltages]
        for kind, origins in zip(("voltages", "spikes"), parts, strict=True):
            end = self._gathered(name, kind, form.width) if all(parts) else name
            for source, delay in sorted(origins):
                synapse = synapses[source, delay]
                many = origins is voltages and isinstance(synapse, Dense)
                self.edges.append(Edge(self._sender(source) if many else source, end, port, synapse, delay))

    def _voltages(self, form: LinearForm) -> set[Origin]:
        """Return the part of a form that is voltages, not spikes."""
        voltages = {name for name, node in self.nir.nodes.items() if node.type in NEURONS and node.type not in SPIKING}
        return {origin for origin in form.synapses() if origin[0] in voltages}

    def _sender(self, name: str) -> str:
        """Return the relay that sends the voltage of a non-spiking neuron to layers that sum many."""
        if name not in self.senders:
            width = self.nodes[name].neurons
            self.senders[name] = self._relay(f"{name}.out", np.zeros(width))
            self.edges.append(Edge(name, self.senders[name], "a", Diagonal(np.ones(width))))
            self.assumptions.append(f"the voltage of '{name}' goes to other layers as a message of 16 bits")
        return self.senders[name]

    def _gathered(self, name: str, kind: str, width: int) -> str:
        """Return a relay that adds up the messages of one kind for a node."""
        relay = self._relay(f"{name}.{kind}", np.zeros(width))
        self.edges.append(Edge(relay, name, "a", Diagonal(np.ones(width))))
        return relay

    def _relay(self, name: str, bias: Array) -> str:
        """Add a relay; it may take the name of a linear node, as in our own files, since those are folded away."""
        while name in self.nodes or self._stays(name):
            name += "_"
        self.nodes[name] = Relay(bias)
        return name

    def _stays(self, name: str) -> bool:
        return name in self.nir.nodes and self.nir.nodes[name].type in (*NEURONS, "Input", "Output")

    def _end(self, output: str) -> None:
        """Make the node that the Output reads the last one; drop nodes that do not lead to it."""
        form = self.forms[output]
        last = form.is_message_of()
        if last is None or isinstance(self.nodes[last], Source):
            last = output
            self.nodes[output] = Readout(0.0, form.bias)
            self._connect(form, output)
        edges = self._used(last)
        kept = {last} | {edge.source for edge in edges}
        dropped = [name for name in self.nodes if name not in kept]
        if any(isinstance(self.nodes[name], Source) for name in dropped):
            message = f"the output '{output}' does not depend on the input"
            raise DoesNotFit([Finding("no-input", output, message)])
        if dropped:
            self.assumptions.append(f"dropped, since the output does not depend on them: {', '.join(dropped)}")
        self.nodes = {name: node for name, node in self.nodes.items() if name in kept}
        self.edges = edges

    def _used(self, last: str) -> list[Edge]:
        """Return the edges from which ``last`` can be reached."""
        into: dict[str, list[str]] = {name: [] for name in self.nodes}
        for edge in self.edges:
            into[edge.target].append(edge.source)
        kept, left = {last}, [last]
        while left:
            fresh = set(into[left.pop()]) - kept
            kept |= fresh
            left += fresh
        return [edge for edge in self.edges if edge.target in kept]

    def _field(self, name: str, key: str, width: int) -> Array:
        """Return a field as (width,) float64; a single value is repeated, a missing field gets its default."""
        node = self.nir.nodes[name]
        value = node.fields.get(key, np.array(FIELDS[node.type][key])).astype(np.float64)
        shape = self.shapes[name]
        wide = value.ravel() if value.size in (1, width) else np.broadcast_to(value, shape).ravel()
        return np.broadcast_to(wide, (width,)).copy()

    def _standing(self) -> list[str]:
        types = {node.type for node in self.nir.nodes.values()}
        said = []
        if types & {"LIF", "LI", "CubaLIF"}:
            law = f"{self.integrator.name}, {self.integrator.law}"
            said.append(f"time constants are discretised by {law}, dt = {self.dt:g} s")
        if types & {"IF", "I"}:
            said.append(f"IF and I add dt * r * input a step, dt = {self.dt:g} s")
        if types & set(SPIKING):
            said.append("a neuron spikes where v > v_threshold and is set to 0 in the same step")
        if "CubaLIF" in types:
            said.append("the membrane of a CubaLIF reads the synaptic current of the same step")
        if types & set(NEURONS):
            said.append("voltages and currents start at 0, those of an LI at its v_leak")
        return said

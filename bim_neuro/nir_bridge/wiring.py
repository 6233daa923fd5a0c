"""Wiring: the nodes and edges of a float graph while a NIR graph is read, and how messages reach a neuron.

The voltage of a neuron that does not spike leaves through a relay, whose message is short enough to sum many, and
enters a LIF through a second relay. Where voltages and spikes are added, each gets its own relay: int8 weights have one
scale per sum, and the scales of a spike and of a voltage differ widely. Where spikes and real-valued input are added,
the weights have 16 bits: a relay would make a loop longer by a step.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from ..graph import Edge
from ..nodes import LIF, Dense, Diagonal, Relay
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .linear import LinearForm, Origin


@dataclass
class Wiring:
    """Grows node by node; ``taken`` are names that nodes of the file keep, ``integrators`` send their voltage, and
    ``graded`` lines real values."""

    taken: Collection[str]
    integrators: Collection[str] = ()
    graded: Collection[str] = ()
    nodes: dict[str, Node] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    assumptions: list[str] = field(default_factory=list)
    senders: dict[str, str] = field(default_factory=dict)

    def connect(self, form: LinearForm, name: str, port: str = "a") -> None:
        """Connect messages to a node; where spikes and voltages are added, each goes through its own relay."""
        synapses, voltages = form.synapses(), self.voltages(form)
        parts = [voltages, synapses.keys() - voltages]
        for kind, origins in zip(("voltages", "spikes"), parts, strict=True):
            end = self._gathered(name, kind, form.width) if all(parts) else name
            for source, delay in sorted(origins):
                synapse = synapses[source, delay]
                many = origins is voltages and not isinstance(synapse, Diagonal)
                self.edges.append(Edge(self._sender(source) if many else source, end, port, synapse, delay))

    def voltages(self, form: LinearForm) -> set[Origin]:
        """Return the part of a form that is voltages, not spikes."""
        return {origin for origin in form.synapses() if origin[0] in self.integrators}

    def mixes(self, form: LinearForm, *, beside: bool) -> bool:
        """Whether real-valued input is added to spikes: those of the form, or of a constant ``beside`` it."""
        graded = [source in self.graded for source, _ in form.synapses()]
        return any(graded) and (beside or not all(graded))

    def constant(self, name: str, port: str, current: Array, delay: int = 0) -> None:
        """Add a neuron that fires every step to apply a constant that a current filters, or that begins late."""
        if not current.any():
            return
        always = f"{name}.late" if delay else f"{name}.bias"
        while always in self.taken or always in self.nodes:
            always += "_"
        self.nodes[always] = LIF(1, decay=0.0, v_threshold=0.5, bias=np.ones(1))
        self.edges.append(Edge(always, name, port, Dense(current[:, None]), delay))

    def relay(self, name: str, bias: Array) -> str:
        """Add a relay; it may take the name of a linear node, as in our own files, since those are folded away."""
        while name in self.nodes or name in self.taken:
            name += "_"
        self.nodes[name] = Relay(bias)
        return name

    def _sender(self, name: str) -> str:
        """Return the relay that sends the voltage of a non-spiking neuron to layers that sum many."""
        if name not in self.senders:
            width = self.nodes[name].neurons
            self.senders[name] = self.relay(f"{name}.out", np.zeros(width))
            self.edges.append(Edge(name, self.senders[name], "a", Diagonal(np.ones(width))))
            self.assumptions.append(f"the voltage of '{name}' goes to other layers as a message of 16 bits")
        return self.senders[name]

    def _gathered(self, name: str, kind: str, width: int) -> str:
        """Return a relay that adds up the messages of one kind for a node."""
        relay = self.relay(f"{name}.{kind}", np.zeros(width))
        self.edges.append(Edge(relay, name, "a", Diagonal(np.ones(width))))
        return relay

    def leading_to(self, last: str) -> list[Edge]:
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

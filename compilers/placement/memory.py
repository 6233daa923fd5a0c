"""Memory: the resources that parts of layers need together on one core.

The incoming synapses of a neuron are stored on its core (lists.py). A message is sent once to every core that needs it,
however many edges read it there: an incoming axon is one source neuron on one core, and another tap of a convolution or
another layer on the same core needs no second one. The outgoing map takes the same words for one target core or many.
A state of a neuron and its constants take one word.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property, lru_cache, reduce
from math import inf
from operator import add
from typing import Any, cast

import numpy as np

from ...graph import Edge, IntegerGraph, hosts
from ...hardware import HardwareProfile
from ...hardware.schema import RESOURCES
from ...nodes import SomaWire
from ...nodes.arithmetic import Array, ceil_div
from ...nodes.node import IntegerNode
from .cuts import Cut, cut
from .lists import EdgeLists, number_or_zero
from .parts import Part

_CACHED_BYTES = 2**26
"""Memory of the senders of all needs that are kept."""


@dataclass(frozen=True)
class Need:
    """Resources that parts need on a core: words, neuron groups, and the neurons that send there, by layer.

    ``encodings`` is the encoding of each edge's lists, ``list_words`` what they take of ``synapse_words``.
    """

    neuron_words: int
    synapse_words: int
    axons_out: int
    groups: int
    senders: dict[str, Array]
    encodings: dict[str, str]
    list_words: Counter[str]

    @cached_property
    def axons_in(self) -> int:
        """The number of neurons that send there; cached, because the load of a core is asked for often."""
        return sum(int(np.count_nonzero(who)) for who in self.senders.values())

    def __add__(self, other: Need) -> Need:
        """Return what both need on one core: a source neuron that both read is one incoming axon."""
        senders = dict(self.senders)
        for layer, theirs in other.senders.items():
            senders[layer] = senders[layer] | theirs if layer in senders else theirs
        return Need(
            self.neuron_words + other.neuron_words,
            self.synapse_words + other.synapse_words,
            self.axons_out + other.axons_out,
            self.groups + other.groups,
            senders,
            self.encodings | other.encodings,
            self.list_words + other.list_words,
        )


def same_memory(one: IntegerGraph, other: IntegerGraph) -> bool:
    """Whether two graphs need the same memory on any core: they differ at most in constants of their neurons."""
    if list(one.nodes) != list(other.nodes) or len(one.edges) != len(other.edges):
        return False
    return all(_same_node(node, other.nodes[name]) for name, node in one.nodes.items()) and all(
        map(_same_edge, one.edges, other.edges)
    )


def _same_node(one: IntegerNode, other: IntegerNode) -> bool:
    facts = ("kind", "neurons", "ports", "state_words", "message_bits")
    return all(getattr(one, fact) == getattr(other, fact) for fact in facts)


def _same_edge(one: Edge, other: Edge) -> bool:
    if (one.name, type(one.synapse)) != (other.name, type(other.synapse)):
        return False
    names = [field.name for field in fields(cast(Any, one.synapse))]
    return all(np.array_equal(getattr(one.synapse, name), getattr(other.synapse, name)) for name in names)


def around(overflows: Callable[[int], bool], guess: int, most: int) -> tuple[int, int]:
    """Return counts near a guess, one that fits and a larger one that does not; 0 fits, ``most`` + 1 does not."""
    step, guess = 1, min(guess, most)
    if guess and overflows(guess):
        while guess > step and overflows(guess - step):
            guess, step = guess - step, 2 * step
        return max(0, guess - step), guess
    while guess + step <= most and not overflows(guess + step):
        guess, step = guess + step, 2 * step
    return guess, min(guess + step, most + 1)


class Footprint:
    """The memory model of one graph on one target.

    ``plastic`` names the edges that learn: {edge name: bits a synapse stores beside its weight, such as tags}.
    """

    def __init__(self, graph: IntegerGraph, profile: HardwareProfile, plastic: Mapping[str, int] | None = None) -> None:
        self.graph, self.profile, self.plastic = graph, profile, dict(plastic or {})
        self.limits = {name: getattr(profile.capacity, name).number for name in RESOURCES}
        host = hosts(graph)
        self.layers: dict[str, list[str]] = {name: [] for name, home in host.items() if name == home}
        self.into: dict[str, list[int]] = {layer: [] for layer in self.layers}
        for name, home in host.items():
            self.layers[home].append(name)
        for index, edge in enumerate(graph.edges):
            if not isinstance(edge.synapse, SomaWire):
                self.into[host[edge.target]].append(index)
        sending = {edge.source for edge in graph.edges if not isinstance(edge.synapse, SomaWire)}
        self.axons_out = {layer: max(1, len(sending & set(names))) for layer, names in self.layers.items()}
        self.neuron_words = {layer: self._neuron_words(layer) for layer in self.layers}
        self._cuts: dict[str, Cut] = {}
        self.parts: list[tuple[Part, ...]] | None = None  # on each core, set by `partition`
        self._alike: dict[tuple[object, ...], int] = {}
        self._count = lru_cache(maxsize=32)(self._count_lists)  # small: the counts need much memory
        widest = max(node.neurons for node in graph.nodes.values())
        self.need = lru_cache(maxsize=max(64, min(2**14, _CACHED_BYTES // widest)))(self._need)  # senders: a byte each

    def _need(self, part: Part) -> Need:
        """Return what a part needs."""
        senders: dict[str, Array] = {}
        encodings, words = {}, Counter[str]()  # edges of one name are side by side
        for index in self.into[part.layer]:
            edge, lists = self.graph.edges[index], self.edge_lists(index).on(part)
            words[edge.name] += lists.words
            encodings[edge.name] = lists.encoding
            before = senders.get(edge.source)
            senders[edge.source] = lists.senders if before is None else before | lists.senders
        state, sending = self.neuron_words[part.layer], self.axons_out[part.layer]
        return Need(part.neurons * state, words.total(), part.neurons * sending, 1, senders, encodings, words)

    def together(self, parts: Iterable[Part]) -> Need:
        """Return what parts need together on one core."""
        return reduce(add, map(self.need, parts))

    def used(self, need: Need) -> dict[str, float]:
        """Return the used amount of every resource of a core."""
        memory = self.profile.memory
        words = {
            "neuron_words": need.neuron_words,
            "synapse_words": need.synapse_words,
            "axon_in_words": need.axons_in * memory.axon_in_words.number,
            "axon_map_words": need.axons_out * memory.axon_map_words.number,
            "axon_mem_words": need.axons_out * memory.axon_mem_words.number,
        }
        return {**words, "core_words": sum(words.values()), "groups": need.groups}

    def usage(self, need: Need) -> dict[str, tuple[float, float]]:
        """Return every resource that has a limit as (used, limit)."""
        used = self.used(need)
        return {name: (used[name], limit) for name, limit in self.limits.items() if limit < inf}

    def fits(self, need: Need) -> bool:
        used = self.used(need)
        return all(used[name] <= limit for name, limit in self.limits.items())

    def fitting(self, start: Part, beside: Need | None = None, unit: int = 1, guess: int = 0) -> int:
        """Return how many neurons, from the first of ``start`` on, fit on a core that already holds ``beside``.

        They are counted in whole units, the last one perhaps shorter; a ``guess`` near the answer saves most of the
        search.
        """
        left = self.graph.nodes[start.layer].neurons - start.first
        words = self.neuron_words[start.layer]

        def overflows(units: int) -> bool:
            count = min(units * unit, left)
            if count * words > self.limits["neuron_words"]:  # without a look at the lists
                return True
            need = self.need(start._replace(last=start.first + count - 1))
            return not self.fits(need if beside is None else need + beside)

        low, high = around(overflows, guess // unit, ceil_div(left, unit)) if guess else (0, ceil_div(left, unit) + 1)
        return min(left, unit * (low + bisect_left(range(low + 1, high), True, key=overflows)))

    def cut(self, layer: str) -> list[Part]:
        """Cut a layer into parts as large as a core can hold; a neuron too large for any core is one part."""
        if layer not in self._cuts:
            self._cuts[layer] = cut(self, layer)
        return self._cuts[layer].parts

    def channels_of(self, layer: str) -> int:
        """Return how many channels a layer's neurons are counted through at each place, as `Part` has it."""
        return self.cut(layer)[0].channels

    def way_of(self, layer: str) -> Cut:
        """Return how a layer is cut."""
        self.cut(layer)
        return self._cuts[layer]

    def _neuron_words(self, layer: str) -> int:
        """Return the words of one neuron: its states, those of its soma, and its traces if it learns."""
        states = sum(self.graph.nodes[name].state_words for name in self.layers[layer])
        if not any(self.graph.edges[index].name in self.plastic for index in self.into[layer]):
            return states
        learning, memory = self.profile.learning, self.profile.memory
        return states - (
            -number_or_zero(learning.post_traces)
            * number_or_zero(learning.trace_bits)
            // number_or_zero(memory.word_bits)
        )

    def edge_lists(self, index: int) -> EdgeLists:
        """Return the lists of an edge; edges that share one synapse object, as repeated blocks do, are counted once."""
        edge = self.graph.edges[index]
        alike = (id(edge.synapse), self.graph.nodes[edge.target].kind, edge.port, self.plastic.get(edge.name))
        return self._count(self._alike.setdefault(alike, index))

    def _count_lists(self, index: int) -> EdgeLists:
        edge = self.graph.edges[index]
        return EdgeLists(edge, self.graph.nodes[edge.target], self.profile, self.plastic.get(edge.name))

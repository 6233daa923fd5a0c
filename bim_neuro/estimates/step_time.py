r"""The time of a step: the longest of what a chip does side by side, as low, likely and high.

    neurons(core)  = updates of hard-wired LIFs * lif_update_ns + passes of microcode * update_pass_ns
    synapses(core) = synaptic operations * synop_ns
    memory(core)   = words read of the lists * read_ns
    link           = messages over it * hop_ns, or chip_hop_ns where it leads to another chip
    step           = max(step_us, barrier_us, neurons, synapses and memory of every core, every link)

The form is Intel's (Timcheck, Pierro and Shrestha, arXiv 2601.10035): a maximum of terms, a lower bound that follows
silicon with a correlation of .97 and more. Their rates are not used here: a profile has its own, with their sources.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from ..compilers.placement.lists import list_format
from ..graph import Edge, IntegerGraph, PlacedGraph, hosts
from ..hardware import HardwareProfile, Quantity
from ..nodes import Conv, SomaWire
from ..nodes.arithmetic import Array
from ..record import RunRecord
from .executed import executed
from .terms import ENDS, Range, Term, update_term

EVENTS = ("lif", "microcode", "synops", "reads")
"""The work of a core; the first two are done by the same unit, one after the other."""
TERMS = ("neurons", "synapses", "memory", "link", "barrier", "floor")
UNIT_OF = {"lif": "neurons", "microcode": "neurons", "synops": "synapses", "reads": "memory"}
"""{event: the unit of a core that does it}."""
HARD_WIRED = "lif"
"""The kind of node that has a circuit of its own; the soma of a scan is part of that scan's microcode."""
NS_PER_US = 1000


class LayerWork(NamedTuple):
    """The work of a whole layer on one core: its ``terms`` and ``ns`` (EVENTS, ends, steps of the chip) a sample."""

    terms: tuple[Term, ...]
    ns: Array


def layer_work(placed: PlacedGraph, record: RunRecord, profile: HardwareProfile) -> dict[str, LayerWork]:
    """Return {layer: its work} for every layer with cores."""
    graph, found = placed.graph, {}
    for layer, host in hosts(graph).items():
        counts, sums = record.layers[layer], record.layers[layer].totals()
        synops = executed(placed, record, layer)
        done = synops.sum().item()
        updates = neuron_term(graph, layer, host, sums["updates"], profile)
        words = done * words_per_synop(placed, layer, profile)
        growing = {
            updates.event: (updates, counts.updates),
            "synops": (Term("synops", "synaptic operations", done, (profile.timing.synop_ns,)), synops),
            "reads": (Term("reads", "reading synapse memory", words, (profile.timing.read_ns,)), synops),
        }
        ns = np.zeros((len(EVENTS), len(ENDS), chip_steps(graph, record)))
        for event, (term, steps) in growing.items():
            ns[EVENTS.index(event)] = np.outer(ends_of(term.each), spread(term, steps, record, layer, graph))
        found[layer] = LayerWork(tuple(term for term, _ in growing.values()), ns)
    return found


def neuron_term(graph: IntegerGraph, layer: str, host: str, updates: int, profile: HardwareProfile) -> Term:
    """Return the term of a layer's updates: of a hard-wired LIF where the profile has its time, else of microcode."""
    node, timing = graph.nodes[layer], profile.timing
    if node.kind == HARD_WIRED and host == layer and timing.lif_update_ns.published:
        return Term("lif", "neuron updates", updates, (timing.lif_update_ns,))
    term = update_term(node, updates, profile, timing.update_pass_ns)
    return Term("microcode", term.name, term.count, term.prices)


def words_per_synop(placed: PlacedGraph, layer: str, profile: HardwareProfile) -> float:
    """Return the words read for a synaptic operation of a layer, a mean over its edges; 0 where nothing is placed."""
    if not placed.cores:
        return 0.0
    kept = placed.placement.encodings if placed.placement else {}
    parts = max(1, len({core.index for core in placed.cores_of(layer)}))
    counts, words = 0, 0.0
    for edge in placed.graph.into(layer):
        if not isinstance(edge.synapse, SomaWire) and edge.synapse.count:
            encoding = Counter(kept.get(edge.name, {"dense": 1})).most_common(1)[0][0]
            words += edge.synapse.count * _words_per_entry(edge, encoding, placed.graph, parts, profile)
            counts += edge.synapse.count
    return words / counts if counts else 0.0


def _words_per_entry(edge: Edge, encoding: str, graph: IntegerGraph, parts: int, profile: HardwareProfile) -> float:
    """Return the words of an edge's list of middle length on one of ``parts`` cores, over its entries."""
    written = list_format(edge.synapse, profile)
    senders = graph.nodes[edge.source].neurons
    if encoding == "dense":
        entries = graph.nodes[edge.target].neurons / parts
    elif encoding == "shared" and isinstance(edge.synapse, Conv):
        entries = edge.synapse.weight.shape[0]
    else:
        entries = edge.synapse.nonzero / senders / parts
    length = max(1, round(entries))
    known = encoding if encoding in written.index_bits else next(iter(written.index_bits))
    return float(written.words(length, known)) / length


def chip_steps(graph: IntegerGraph, record: RunRecord) -> int:
    """Return the steps from one sample to the next: those of a recurrent graph each start from rest."""
    return record.period + (max(graph.depth.values()) if graph.recurrent else 0)


def at_chip_steps(counts: Array, layer: str, graph: IntegerGraph) -> Array:
    """Return a sample's counts (period,) at the steps of the chip, where a layer is ``depth`` steps late."""
    if not graph.recurrent:
        return np.roll(counts, graph.depth[layer])
    return np.pad(counts, (graph.depth[layer], max(graph.depth.values()) - graph.depth[layer]))


def spread(term: Term, counts: Array, record: RunRecord, layer: str, graph: IntegerGraph) -> Array:
    """Spread a term's count over the steps of the chip as its counts (period,) are, for one sample."""
    share = counts * (term.count / (counts.sum().item() or 1) / record.samples)
    return at_chip_steps(share, layer, graph)


def units(ns: Array) -> dict[str, Array]:
    """Return what each unit of a core works, from its work (EVENTS, ...)."""
    return {"neurons": ns[0] + ns[1], "synapses": ns[2], "memory": ns[3]}


def ends_of(price: Range) -> Array:
    """Return low, value and high; 0 if unpublished."""
    return np.array([price.low or 0.0, price.value or 0.0, price.high or 0.0])


def counted(counts: Mapping[str, float], profile: HardwareProfile) -> dict[str, Range]:
    """Return the terms of one step in us, from the counts of the fullest core and of the busiest link.

    ``counts`` has any of: lif, passes, synops, reads, link (messages), chip_link; the others are 0. A LIF without a
    time of its own takes its passes.
    """
    timing, a_pass = profile.timing, _ends(profile.timing.update_pass_ns)
    lif = _ends(timing.lif_update_ns)
    if not timing.lif_update_ns.published and HARD_WIRED in profile.passes_per_update:
        lif = _ends(profile.passes_per_update[HARD_WIRED]) * a_pass

    def us(**each: Array) -> Range:
        sums = np.sum([counts.get(name, 0.0) * ns for name, ns in each.items()], axis=0)
        return Range(*(sums / NS_PER_US).tolist())

    links = np.maximum(
        counts.get("link", 0.0) * _ends(timing.hop_ns), counts.get("chip_link", 0.0) * _ends(timing.chip_hop_ns)
    )
    return {
        "neurons": us(lif=lif, passes=a_pass),
        "synapses": us(synops=_ends(timing.synop_ns)),
        "memory": us(reads=_ends(timing.read_ns)),
        "link": Range(*(links / NS_PER_US).tolist()),
        "barrier": Range(*_ends(timing.barrier_us).tolist()),
        "floor": Range(*_ends(timing.step_us).tolist()),
    }


def longest(terms: Mapping[str, Range]) -> Range:
    """Return the longest of terms, end by end."""
    return Range(*np.max([ends_of(term) for term in terms.values()], axis=0).tolist())


def _ends(price: Quantity) -> Array:
    return np.array([getattr(price, end) or 0.0 for end in ENDS])

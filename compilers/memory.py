"""Memory: what neurons of a layer take on one core, and so how a layer is cut.

    synapse words of a list = ceil((targets * (weight bits + index bits) + header bits) / word bits)

The incoming synapses of a neuron live on its core: one list a source neuron and edge. A state of a neuron
takes one word, its constants included. The numbers are the profile's; for Loihi 2 they are derived from the
tables that Intel's compiler prints (hardware_profiles/loihi2.toml).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from functools import singledispatch
from math import ceil, inf

from ..errors import DoesNotFit, Finding
from ..graph import Edge, IntegerGraph
from ..hardware import HardwareProfile
from ..nodes import Broadcast, Dense, Diagonal, Soma, Synapse

WEIGHT_BITS = 8  # what `quantise` makes


def hosts(graph: IntegerGraph) -> dict[str, str]:
    """Return {layer: layer whose cores hold it}, itself or the scan whose soma it is; the source has none."""
    scan_of = {edge.target: edge.source for edge in graph.edges if isinstance(edge.synapse, Soma)}
    return {name: scan_of.get(name, name) for name in graph.order if name != graph.source}


def layers_on_cores(graph: IntegerGraph) -> tuple[str, ...]:
    """Return the layers that have cores of their own, sources first."""
    return tuple(name for name, host in hosts(graph).items() if name == host)


def members(graph: IntegerGraph, layer: str) -> tuple[str, ...]:
    """Return the layers on a layer's cores: the layer, and its soma if it is a scan."""
    return tuple(name for name, host in hosts(graph).items() if host == layer)


def usage(graph: IntegerGraph, profile: HardwareProfile, layer: str, count: int) -> dict[str, tuple[float, float]]:
    """Return every limited resource of a core as (used, limit) if it holds ``count`` neurons of a layer."""
    layers = members(graph, layer)
    lists = [lists_of(edge.synapse, count) for name in layers for edge in graph.into(name)]
    axons_out = count * max(1, len(axons(graph, layers)))  # the output sends to the host
    memory = profile.memory
    words = {
        "neuron_words": count * sum(graph.nodes[name].state_words for name in layers),
        "synapse_words": sum(number * list_words(profile, targets) for number, targets in lists),
        "axon_in_words": sum(number for number, _ in lists) * memory.axon_in_words.number,
        "axon_map_words": axons_out * memory.axon_map_words.number,
        "axon_mem_words": axons_out * memory.axon_mem_words.number,
    }
    used = {**words, "core_words": sum(words.values()), "groups": 1}
    limits = {name: getattr(profile.capacity, name).number for name in used}
    return {name: (used[name], limit) for name, limit in limits.items() if limit < inf}


def axons(graph: IntegerGraph, layers: Collection[str]) -> list[Edge]:
    """Return the edges on which layers send messages: all but the wire inside a microcode neuron."""
    return [edge for edge in graph.edges if edge.source in layers and not isinstance(edge.synapse, Soma)]


def list_words(profile: HardwareProfile, targets: int) -> int:
    """Return the words of one synapse list with ``targets`` entries."""
    memory = profile.memory
    bits = targets * (WEIGHT_BITS + memory.list_index_bits.number) + memory.list_header_bits.number
    return ceil(bits / memory.word_bits.number)


@singledispatch
def lists_of(synapse: Synapse, count: int) -> tuple[int, int]:
    """Return (lists, targets a list) on a core with ``count`` target neurons; zeros in a dense list stay."""
    kind = type(synapse).__name__
    raise DoesNotFit([Finding("supported-synapse", kind, f"no memory model for the synapse {kind}")])


@lists_of.register
def _(synapse: Dense, count: int) -> tuple[int, int]:
    return synapse.weight.shape[1], count


@lists_of.register
def _(synapse: Diagonal, count: int) -> tuple[int, int]:
    return count, 1


@lists_of.register
def _(synapse: Broadcast, count: int) -> tuple[int, int]:
    return synapse.size, count


@lists_of.register
def _(synapse: Soma, count: int) -> tuple[int, int]:
    return 0, 0


def fitting(graph: IntegerGraph, profile: HardwareProfile, layer: str) -> int:
    """Return how many neurons of a layer fit on one core, 0 if not even one does."""

    def overflows(count: int) -> bool:
        return any(used > limit for used, limit in usage(graph, profile, layer, count).values())

    return bisect_left(range(1, graph.nodes[layer].neurons + 1), True, key=overflows)


def cores_needed(graph: IntegerGraph, profile: HardwareProfile, layer: str) -> int:
    """Return the cores of a layer (a neuron that is too large counts as one core)."""
    return ceil(graph.nodes[layer].neurons / max(1, fitting(graph, profile, layer)))


def binding_resource(graph: IntegerGraph, profile: HardwareProfile, layer: str) -> str:
    """Return the resource that keeps one more neuron of a layer off a core."""
    needs = usage(graph, profile, layer, fitting(graph, profile, layer) + 1)
    return max(needs, key=lambda name: needs[name][0] / max(needs[name][1], 1e-9))

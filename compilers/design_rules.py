"""Design rules: what a chip cannot hold, one rule a function; every violation is listed, not the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..errors import Finding
from ..graph import IntegerGraph
from ..hardware import HardwareProfile, weakest_basis
from ..nodes import Dense, Diagonal, IntegerLIF, IntegerScan
from ..nodes.arithmetic import WORD_BITS
from .memory import axons, binding_resource, cores_needed, hosts, layers_on_cores, members, usage

Rule = Callable[[IntegerGraph, HardwareProfile], Iterator[Finding]]


def check(graph: IntegerGraph, profile: HardwareProfile) -> tuple[Finding, ...]:
    """Return every violation of every rule, in the order of RULES."""
    return tuple(finding for rule in RULES for finding in rule(graph, profile))


def weight_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A weight fits the chip's weight, sign included."""
    limit = profile.numeric.weight_bits.number
    for edge in graph.edges:
        if isinstance(edge.synapse, (Dense, Diagonal)):
            bits = 1 + int(np.abs(edge.synapse.weight.astype(np.int64)).max(initial=0)).bit_length()
            if bits > limit:
                message = f"synapse '{edge.name}' has weights of {bits} bits, {profile.name} holds {limit:g}"
                yield Finding("weight-bits", edge.name, message, bits, limit, "train with fewer bits in the loop")


def state_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A state word fits the chip's."""
    limit = profile.numeric.state_bits.number
    for layer in hosts(graph) if limit < WORD_BITS else ():
        message = f"layer '{layer}' computes in words of {WORD_BITS} bits, {profile.name} holds {limit:g}"
        yield Finding("state-bits", layer, message, WORD_BITS, limit, "choose a chip with wider states")


def message_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A message fits the payload of a spike."""
    limit = profile.numeric.message_bits.number
    for layer, node in graph.nodes.items():
        if node.message_bits > limit and (layer == graph.output or axons(graph, [layer])):
            message = f"layer '{layer}' sends messages of {node.message_bits} bits, {profile.name} sends {limit:g}"
            yield Finding("message-bits", layer, message, node.message_bits, limit, "choose a chip with graded spikes")


def delay(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A delay, of a conv tap or from `align`, fits its field."""
    limit = profile.numeric.delay_steps.number
    for edge in graph.edges:
        if edge.delay > limit:
            message = f"synapse '{edge.name}' needs a delay of {edge.delay} steps, {profile.name} allows {limit:g}"
            yield Finding("delay", edge.name, message, edge.delay, limit, "use fewer conv taps, or split the path")


def lif_threshold(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A LIF's threshold fits its field."""
    limit = 2.0**profile.numeric.v_threshold_bits.number - 1
    for layer, node in graph.nodes.items():
        if isinstance(node, IntegerLIF) and node.v_threshold > limit:
            message = f"layer '{layer}' needs a threshold of {node.v_threshold:,}, {profile.name} holds {limit:,.0f}"
            hint = "rescale the weights into this layer: threshold / largest weight is what overflows"
            yield Finding("lif-threshold", layer, message, node.v_threshold, limit, hint)


def microcode(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A node of our own runs only where neurons are programmable."""
    for layer in hosts(graph):
        node = graph.nodes[layer]
        if not node.lava_process and not profile.capabilities.microcode:
            message = f"layer '{layer}' is a {node.kind} and needs a microcode neuron, {profile.name} has none"
            yield Finding("microcode", layer, message, None, None, "choose a chip with programmable neurons")


def neuron_state(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """The state of one neuron, its soma included, fits what a neuron may hold."""
    limit = profile.capacity.neuron_state_words.number
    for layer in layers_on_cores(graph):
        words = sum(graph.nodes[name].state_words for name in members(graph, layer))
        if words > limit:
            message = f"a neuron of layer '{layer}' has {words:,} state words, {profile.name} allows {limit:,.0f}"
            yield Finding("neuron-state", layer, message, words, limit, "use fewer states a channel")


def neuron_on_core(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """One neuron with its synapses fits on one core: a layer can be cut, a neuron cannot."""
    for layer in layers_on_cores(graph) if profile.usable_cores is not None else ():
        for resource, (used, limit) in usage(graph, profile, layer, 1).items():
            if used > limit:
                name = resource.replace("_", " ")
                message = f"one neuron of layer '{layer}' needs {used:,.0f} {name}, a core of {profile.name} has {limit:,.0f}"
                yield Finding("neuron-on-core", layer, message, used, limit, _HINTS.get(resource, _SMALLER))


def cores(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """All layers together fit on the chip's cores."""
    limit = profile.usable_cores
    if limit is None:
        return
    needed = {layer: cores_needed(graph, profile, layer) for layer in layers_on_cores(graph)}
    total = sum(needed.values())
    if total > limit:
        largest = max(needed, key=needed.__getitem__)
        message = f"the model needs {total:,} cores, {profile.name} has {limit:,}; layer '{largest}' needs the most"
        if needed[largest] > 1:
            binds = binding_resource(graph, profile, largest).replace("_", " ")
            message += f", {needed[largest]:,}, for its {binds}"
        yield Finding("cores", largest, message, total, limit, f"make layer '{largest}' smaller: {_SMALLER}")


_SMALLER = "fewer channels, or fewer inputs into it"
_HINTS = {
    "neuron_words": "use fewer states a channel",
    "synapse_words": "give the layer fewer inputs",
    "axon_in_words": "give the layer fewer inputs",
}

RULES: tuple[Rule, ...] = (
    weight_bits,
    state_bits,
    message_bits,
    delay,
    lif_threshold,
    microcode,
    neuron_state,
    neuron_on_core,
    cores,
)


def assumptions(graph: IntegerGraph, profile: HardwareProfile) -> tuple[str, ...]:
    """Return, as sentences, what a reader must grant for the result to hold; only what applies here."""
    if profile.usable_cores is None:
        return (f"{profile.title} has no cores and no prices: fit and energy are not answered.",)
    return (*_program_assumptions(graph), *_profile_assumptions(graph, profile))


def _program_assumptions(graph: IntegerGraph) -> Iterator[str]:
    for layer, node in graph.nodes.items():
        if isinstance(node, IntegerScan):
            accumulators = 2 * node.state_words + 2
            yield (
                f"{layer}: the scan and its soma are one microcode neuron with {accumulators} accumulators and products "
                "of 24 x 16 bits; the limits of a microcode program are not published, so whether it fits is not known."
            )
    ours = sorted({graph.nodes[layer].kind for layer in hosts(graph) if not graph.nodes[layer].lava_process} - {"scan"})
    if ours:
        yield f"{' and '.join(ours)} neurons are short microcode programs of our own; the toolchain for them is not public."
    if any(graph.nodes[layer].gated for layer in hosts(graph)):
        yield "Gated neurons count steps themselves: they are silent, and cleared, between the samples."
    yield "A state takes one 64-bit word with its constants beside it, and every edge keeps its own lists and axons."


def _profile_assumptions(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[str]:
    kinds = {graph.nodes[layer].kind for layer in hosts(graph)}
    memory = [profile.memory.word_bits, profile.memory.list_header_bits, profile.memory.list_index_bits]
    if weakest_basis(memory) in ("derived", "assumed"):
        yield f"The sizes of synapse lists are {weakest_basis(memory)}: {profile.memory.word_bits.source}."
    prices = {key: quantity for key, quantity in profile.quantities().items() if key.startswith("energy.")}
    passes = {f"passes_per_update.{k}": q for k, q in profile.passes_per_update.items() if k in kinds}
    for basis in ("derived", "assumed"):
        names = [key.partition(".")[2] for key, q in prices.items() if q.basis == basis]
        names += [f"passes of a {key.partition('.')[2]}" for key, q in passes.items() if q.basis == basis]
        if names:
            yield f"Of the energy, {', '.join(names)} are {basis}, not measured on this chip; ranges are printed."
    if profile.timing.step_us.published:
        step = profile.timing.step_us
        yield f"A sample's time counts the least a step takes, {step.low:g} to {step.high:g} us; busy cores are slower."

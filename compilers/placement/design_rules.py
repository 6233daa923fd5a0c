"""Design rules: the limits of a chip, one function per rule; all violations are listed, not only the first."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from ...errors import Finding
from ...graph import IntegerGraph, axons, hosts
from ...hardware import HardwareProfile
from ...nodes import IntegerLIF, IntegerScan
from ...nodes.arithmetic import WORD_BITS
from ...nodes.lif import V_THRESHOLD_MAX
from ...nodes.synapses import WEIGHTED
from ..fields import out_of_field
from .memory import Footprint
from .partition import partition
from .parts import Part

Rule = Callable[[IntegerGraph, HardwareProfile], Iterator[Finding]]
MemoryRule = Callable[[Footprint], Iterator[Finding]]


def check(
    graph: IntegerGraph, profile: HardwareProfile, plastic: Mapping[str, int] | None = None
) -> tuple[Finding, ...]:
    """Return every violation of every rule; ``plastic`` is as in `memory.Footprint`."""
    return violations(Footprint(graph, profile, plastic))


def violations(footprint: Footprint) -> tuple[Finding, ...]:
    """Return every violation of every rule, in the order of RULES and MEMORY_RULES."""
    plain = rule_violations(footprint.graph, footprint.profile)
    return (*plain, *(finding for rule in MEMORY_RULES for finding in rule(footprint)))


def rule_violations(graph: IntegerGraph, profile: HardwareProfile) -> tuple[Finding, ...]:
    """Return every violation of the rules that do not depend on the memory of a core."""
    return tuple(finding for rule in RULES for finding in rule(graph, profile))


def weight_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every weight, sign included, fits the chip's weight bits."""
    limit = profile.numeric.weight_bits.number
    for edge in graph.edges:
        if isinstance(edge.synapse, WEIGHTED):
            weight = edge.synapse.weight
            bits = 1 + max(int(weight.max(initial=0)), -int(weight.min(initial=0))).bit_length()
            if bits > limit:
                message = f"synapse '{edge.name}' has weights of {bits} bits, {profile.name} holds {limit:g}"
                hint = "choose a chip with wider weights"
                yield Finding("weight-bits", edge.name, message, bits, limit, hint)


def state_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every state fits the chip's state bits."""
    limit = profile.numeric.state_bits.number
    for layer in hosts(graph) if limit < WORD_BITS else ():
        message = f"layer '{layer}' computes in words of {WORD_BITS} bits, {profile.name} holds {limit:g}"
        yield Finding("state-bits", layer, message, WORD_BITS, limit, "choose a chip with wider states")


def message_bits(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every message fits the payload of a spike."""
    limit = profile.numeric.message_bits.number
    for layer, node in graph.nodes.items():
        bits = node.message_bits
        if bits > limit and (layer == graph.output or axons(graph, [layer])):
            message = f"layer '{layer}' sends messages of {bits} bits, {profile.name} carries {limit:g}"
            yield Finding("message-bits", layer, message, bits, limit, "choose a chip with graded spikes")


def delay(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every delay, of a conv tap or from `align`, fits its field."""
    limit = profile.numeric.delay_steps.number
    for edge in graph.edges:
        if edge.delay > limit:
            needs = f"synapse '{edge.name}' needs a delay of {edge.delay} steps"
            hint = "use fewer conv taps, or split the path"
            message = f"{needs}, {profile.name} allows {limit:g}"
            yield Finding("delay", edge.name, message, edge.delay, limit, hint)


def node_fields(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every constant of a node fits its field in Lava or in our microcode."""
    yield from out_of_field(graph)


def lif_threshold(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """Every LIF threshold fits the chip's field, where that is narrower than Lava's."""
    limit = 2.0**profile.numeric.v_threshold_bits.number - 1
    for layer, node in graph.nodes.items():
        if isinstance(node, IntegerLIF) and limit < node.v_threshold <= V_THRESHOLD_MAX:
            needs = f"layer '{layer}' needs a threshold of {node.v_threshold:,}"
            hint = "rescale the weights into this layer: threshold / largest weight must become smaller"
            message = f"{needs}, {profile.name} holds {limit:,.0f}"
            yield Finding("lif-threshold", layer, message, node.v_threshold, limit, hint)


def microcode(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[Finding]:
    """A node that Lava does not ship needs a chip with programmable neurons."""
    for layer in hosts(graph):
        node = graph.nodes[layer]
        if not node.lava_process and not profile.capabilities.microcode:
            needs = f"layer '{layer}' is a {node.kind} and needs a microcode neuron"
            hint = "choose a chip with programmable neurons"
            yield Finding("microcode", layer, f"{needs}, {profile.name} has none", hint=hint)


def neuron_state(footprint: Footprint) -> Iterator[Finding]:
    """The states of one neuron, including its soma and its traces, fit the chip's state words per neuron."""
    profile, limit = footprint.profile, footprint.profile.capacity.neuron_state_words.number
    for layer, words in footprint.neuron_words.items():
        if words > limit:
            needs = f"one neuron of layer '{layer}' needs {words:,} state words"
            message = f"{needs}, {profile.name} allows {limit:,.0f}"
            yield Finding("neuron-state", layer, message, words, limit, _HINTS["neuron_words"])


def neuron_on_core(footprint: Footprint) -> Iterator[Finding]:
    """One neuron with its synapses fits on one core: a layer can be cut into parts, a neuron cannot."""
    if footprint.profile.usable_cores is None:
        return
    for layer in footprint.layers:
        single = next((part for part in footprint.cut(layer) if not footprint.fits(footprint.need(part))), None)
        usage = footprint.usage(footprint.need(single)) if single else {}
        for resource, (used, limit) in usage.items():
            if used > limit:
                needs = f"one neuron of layer '{layer}' needs {used:,.0f} {_words(resource)}"
                message = f"{needs}, a core of {footprint.profile.name} has {limit:,.0f}"
                yield Finding("neuron-on-core", layer, message, used, limit, _HINTS.get(resource, _SMALLER))


def cores(footprint: Footprint) -> Iterator[Finding]:
    """All layers together fit on the chip's cores."""
    limit = footprint.profile.usable_cores
    alone = {layer: len(footprint.cut(layer)) for layer in footprint.layers} if limit else {}
    if limit is None or sum(alone.values()) <= limit:
        return
    total, largest = len(partition(footprint)), max(alone, key=alone.__getitem__)
    if total > limit:
        message = f"the model needs {total:,} cores, {footprint.profile.name} has {limit:,}"
        message += f"; layer '{largest}' needs the most, {alone[largest]:,}"
        if alone[largest] > 1:
            message += f", because of its {_words(_binding(footprint, footprint.cut(largest)[0]))}"
        yield Finding("cores", largest, message, total, limit, f"give '{largest}' {_SMALLER}")


def _binding(footprint: Footprint, part: Part) -> str:
    """Return the resource that one more neuron on a core would exceed."""
    usage = footprint.usage(footprint.need(part._replace(last=part.last + 1)))
    return max(usage, key=lambda name: usage[name][0] / max(usage[name][1], 1e-9))


def _words(resource: str) -> str:
    return resource.replace("_", " ")


_SMALLER = "fewer channels, or fewer inputs"
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
    node_fields,
    lif_threshold,
    microcode,
)
MEMORY_RULES: tuple[MemoryRule, ...] = (neuron_state, neuron_on_core, cores)


def assumptions(graph: IntegerGraph, profile: HardwareProfile) -> tuple[str, ...]:
    """Return, as sentences, the assumptions behind the result; only those that apply here."""
    if profile.usable_cores is None:
        return (f"{profile.title} has no cores: whether the model fits on a chip is not checked.",)
    return (*_program_assumptions(graph), *_profile_assumptions(graph, profile))


def _program_assumptions(graph: IntegerGraph) -> Iterator[str]:
    nodes = {layer: graph.nodes[layer] for layer in hosts(graph)}
    for layer, node in nodes.items():
        if isinstance(node, IntegerScan):
            yield (
                f"{layer}: scan and soma are one microcode neuron of {2 * node.state_words + 2} accumulators "
                "and products of 24 x 16 bits; nothing published says that a program of this size fits."
            )
    if ours := sorted({node.kind for node in nodes.values() if not node.lava_process} - {"scan"}):
        yield f"The {' and '.join(ours)} neurons are short microcode programs of our own."
    if any(node.gated for node in nodes.values()):
        yield "Microcode neurons count steps, and so are silent and reset between two samples."
    yield (
        "A state and its constants take one neuron word. A message is sent once to each core that needs it; there "
        "every edge has its own lists and delays."
    )


def _profile_assumptions(graph: IntegerGraph, profile: HardwareProfile) -> Iterator[str]:
    words, step = profile.memory.word_bits, profile.timing.step_us
    if words.basis in ("derived", "assumed"):
        yield f"The size of a synapse list is {words.basis}: {words.source}."
    kinds = {graph.nodes[layer].kind for layer in hosts(graph)}
    passes = {f"passes of a {kind}": p for kind, p in profile.passes_per_update.items() if kind in kinds}
    every = profile.quantities().items()
    prices = {key.removeprefix("energy."): q for key, q in every if key.startswith("energy.")}
    for basis in ("derived", "assumed"):
        if names := [name for name, quantity in {**prices, **passes}.items() if quantity.basis == basis]:
            yield f"Energy: {', '.join(names)} are {basis}, not measured; the range is part of the answer."
    if step.published:
        yield f"A step takes at least {step.low:g} to {step.high:g} us; any longer time is not modelled."

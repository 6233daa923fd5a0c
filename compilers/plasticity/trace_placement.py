"""Trace placement: traces are stored in the learning engine's tags, in neurons (a trace process), or on the host.

    tags      a tag holds one state and multiplies 7-bit traces of its two neurons: one state a channel, no conv, spikes
    neurons   D N M words and more in microcode neurons of our own, packed into the free memory words of the chip
    host      every signal of every step is sent to the host, every weight is sent back

`choose` returns the placement that was asked for, or refuses it with the limits it breaks. For `auto` it takes the
first that fits. The order for a learning rule of the readout alone is tags, neurons, host: the learning engine's own
traces suffice. For any other rule it is neurons, tags, host: tags leave out the membrane, the skip D u and the
readout's memory, and three groups of weights do not learn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from ...errors import DoesNotFit, Finding
from ...graph import PlacedGraph
from ...hardware import HardwareProfile
from ...plasticity.learning_engine.rule import WIDTHS
from ...plasticity.request import GROUPS, Plasticity
from ...plasticity.trace_process.block import PlasticBlock
from .circuit import INPUT_RULES, TAG_RULES

READOUT_RULES = ("three-factor",)
"""Learning rules that need only the readout's presynaptic trace."""
_SHARED = "W_B and W_C act on every channel, W_dt needs the state, but a tag has one spike and one gate"


@dataclass(frozen=True)
class LearningPlacement:
    """``where`` traces are stored, as ``words`` of ``bits`` on additional ``cores``; ``reasons`` against the others."""

    where: str
    words: int
    bits: int
    cores: int
    reasons: tuple[Finding, ...]


def choose(
    block: PlasticBlock, placed: PlacedGraph, plasticity: Plasticity, profile: HardwareProfile
) -> LearningPlacement:
    """Return where the block's traces are stored; raises DoesNotFit if the placement asked for breaks a limit."""
    breaks = {
        "tags": tuple(_engine(block, plasticity, profile)),
        "neurons": tuple(_process(block, placed, plasticity, profile)),
        "host": (),
    }
    asked, order = plasticity.placement, _order(plasticity)
    if asked != "auto" and breaks[asked]:
        raise DoesNotFit(breaks[asked])
    where = asked if asked != "auto" else next(name for name in order if not breaks[name])
    reasons = [finding for name in order[:-1] if name != where for finding in breaks[name]] if asked == "auto" else []
    if where == "tags":
        reasons += _left_out(block, plasticity)
        return LearningPlacement(where, *_engine_words(block, plasticity), 0, tuple(reasons))
    words, cores = trace_words(block, plasticity), _cores(block, plasticity, profile) if where == "neurons" else 0
    return LearningPlacement(where, words, plasticity.trace_bits, cores, tuple(reasons))


def _order(plasticity: Plasticity) -> tuple[str, ...]:
    return ("tags", "neurons", "host") if plasticity.rule in READOUT_RULES else ("neurons", "tags", "host")


def trace_words(block: PlasticBlock, plasticity: Plasticity) -> int:
    """Return how many words the traces of the plastic groups need."""
    inputs = block.weights()["w_u"].shape[1]
    if plasticity.rule in READOUT_RULES:
        return block.process.channels
    return block.process.words(inputs)


def _engine(block: PlasticBlock, plasticity: Plasticity, profile: HardwareProfile) -> Iterator[Finding]:
    """A synapse of the learning engine has a tag for one state, and reads only its own two neurons."""
    if not profile.capabilities.learning:
        hint = "--set learn.placement=host"
        yield Finding("learning-engine", block.readout, f"{profile.name} has no learning engine", hint=hint)
        return
    if plasticity.sparsity:
        message = "the learning engine cannot prune: no product of its rules compares a weight with a threshold"
        yield Finding("learning-prune", block.readout, message, hint="--set learn.placement=neurons")
    if (plasticity.rounding, plasticity.weight_bits) != ("stochastic", 8):
        asked = f"{plasticity.rounding} rounding of {plasticity.weight_bits}-bit weights"
        message = f"the learning engine has stochastic rounding of 8-bit weights in half units, not {asked}"
        yield Finding("learning-rounding", block.readout, message, hint="--set learn.placement=neurons")
    if plasticity.rule not in READOUT_RULES and set(plasticity.synapses) != {"w_o"}:
        yield from _channel(block, plasticity)


def _channel(block: PlasticBlock, plasticity: Plasticity) -> Iterator[Finding]:
    """Below the readout only w_u can learn, with spikes as input, one tap and one state."""
    scan = block.process.scan
    layer, states, taps = _layer(block), scan.alpha.shape[1], block.process.conv.shape[1]
    hint = "--set learn.placement=neurons, or a model with one state a channel and one conv tap"
    if plasticity.rule not in INPUT_RULES:
        message = f"layer '{layer}': {plasticity.rule} needs psi, a selective channel sends gate and decay instead"
        yield Finding("learning-rule", layer, message, hint="--set learn.placement=neurons, or --learn rtrl")
    if states > 1:
        message = f"layer '{layer}' has {states} states a channel, a tag of the learning engine holds 1"
        yield Finding("learning-states", layer, message, states, 1, hint)
    if taps > 1:
        message = f"layer '{layer}' has {taps} conv taps, a tag of the learning engine reads the spike of 1 step"
        yield Finding("learning-taps", layer, message, taps, 1, hint)
    if (shared := _shared(plasticity)) and set(plasticity.synapses) != set(GROUPS):
        message = f"the learning engine has no rule for {', '.join(shared)} of layer '{layer}': {_SHARED}"
        yield Finding("learning-shared", layer, message, hint="leave them out of learn.synapses")
    if (bits := block.graph.nodes[block.x].message_bits) > 1:
        message = f"layer '{layer}' reads messages of {bits} bits, the learning engine needs spikes"
        yield Finding("learning-spikes", layer, message, bits, 1, "train with --encoder delta")


def _shared(plasticity: Plasticity) -> list[str]:
    return [group for group in ("w_dt", "w_b", "w_c") if group in plasticity.synapses]


def _left_out(block: PlasticBlock, plasticity: Plasticity) -> list[Finding]:
    """Say which synapses and which parts of the gradient the learning engine leaves out."""
    layer, shared = _layer(block), _shared(plasticity)
    found: list[Finding] = []
    if plasticity.rule in READOUT_RULES:
        return found
    if shared:
        message = f"{', '.join(shared)} of layer '{layer}' do not learn: {_SHARED}"
        found.append(Finding("learning-shared", layer, message))
    if plasticity.rule in TAG_RULES and "w_u" in plasticity.synapses:
        message = f"the tags of layer '{layer}' leave out the membrane, the readout's memory and the skip D u: "
        message += "where the skip is larger than C h, w_u may move against the gradient"
        found.append(Finding("learning-levels", layer, message))
    return found


def _engine_words(block: PlasticBlock, plasticity: Plasticity) -> tuple[int, int]:
    """Return the number of the engine's trace words and their bits: tags, or traces where the rule has no tag."""
    channels, inputs = block.weights()["w_u"].shape
    if "w_u" not in plasticity.synapses or plasticity.rule in READOUT_RULES:
        return channels, WIDTHS["x1"]
    return (channels * inputs, WIDTHS["t"]) if plasticity.rule in TAG_RULES else (2 * channels + inputs, WIDTHS["x1"])


def _process(
    block: PlasticBlock, placed: PlacedGraph, plasticity: Plasticity, profile: HardwareProfile
) -> Iterator[Finding]:
    """The trace words fit on the cores that the program does not use."""
    if not profile.capabilities.microcode:
        message = f"{profile.name} has no programmable neurons, a trace process needs them"
        yield Finding("learning-microcode", _layer(block), message, hint="learn on the host")
        return
    limit = profile.usable_cores
    if limit is None:
        return
    free = limit - len({core.index for core in placed.cores})
    needed = _cores(block, plasticity, profile)
    if needed > free:
        words = trace_words(block, plasticity)
        needs = f"{words:,} trace words of layer '{_layer(block)}' need {needed:,} cores"
        message = f"{needs}, {profile.name} has {free:,} left"
        yield Finding("learning-words", _layer(block), message, needed, free, "a smaller learn.bits, or fewer channels")


def _cores(block: PlasticBlock, plasticity: Plasticity, profile: HardwareProfile) -> int:
    """Return the cores of the trace words; several are packed into one memory word."""
    if profile.usable_cores is None:
        return 0
    packed = max(1, int(profile.memory.word_bits.number // plasticity.trace_bits))
    words = ceil(trace_words(block, plasticity) / packed)
    return ceil(words / profile.capacity.neuron_words.number)


def _layer(block: PlasticBlock) -> str:
    return next(e.target for e in block.graph.edges if e.name == block.edges["w_dt"])

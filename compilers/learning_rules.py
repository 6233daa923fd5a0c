"""Where a trace may live: the learning engine's tags, a trace process of neuron words, or the host; one rule each.

    engine    a tag holds one state and meets 7-bit traces of its own two neurons: one state a channel, no conv, spikes
    process   D N M words and more in neurons of our own program, packed into the memory words that are left on the chip
    host      every signal of every step leaves the chip, every weight comes back

`choose` takes the first that fits, or the one that was asked for and says what it breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from ..errors import DoesNotFit, Finding
from ..graph import PlacedGraph
from ..hardware import HardwareProfile
from ..nodes import IntegerScan
from ..plasticity.description import Plasticity
from ..plasticity.learner import PlasticBlock

READOUT_RULES = ("three-factor",)
"""Rules that need no trace but the readout's own presynaptic one."""


@dataclass(frozen=True)
class LearningPlacement:
    """``where`` the traces live, in how many ``words`` of ``bits``, on how many ``cores`` more; why not elsewhere."""

    where: str
    words: int
    bits: int
    cores: int
    reasons: tuple[Finding, ...]


def choose(
    block: PlasticBlock, placed: PlacedGraph, plasticity: Plasticity, profile: HardwareProfile
) -> LearningPlacement:
    """Return where the block's traces live; raises DoesNotFit if the placement asked for breaks a rule."""
    breaks = {
        "engine": tuple(_engine(block, plasticity, profile)),
        "process": tuple(_process(block, placed, plasticity, profile)),
        "host": (),
    }
    asked = plasticity.placement
    if asked != "auto" and breaks[asked]:
        raise DoesNotFit(breaks[asked])
    where = asked if asked != "auto" else next(name for name in ("engine", "process", "host") if not breaks[name])
    words, cores = trace_words(block, plasticity), _cores(block, plasticity, profile)
    reasons = tuple(finding for name in ("engine", "process") if name != where for finding in breaks[name])
    more = cores if where == "process" else 0
    return LearningPlacement(where, words, plasticity.trace_bits, more, reasons if asked == "auto" else ())


def trace_words(block: PlasticBlock, plasticity: Plasticity) -> int:
    """Return how many words the traces of the plastic groups take."""
    inputs = block.weights()["w_u"].shape[1]
    if plasticity.rule in READOUT_RULES:
        return block.process.channels
    return block.process.words(inputs)


def _engine(block: PlasticBlock, plasticity: Plasticity, profile: HardwareProfile) -> Iterator[Finding]:
    """A synapse of the learning engine has tags for one state, and knows its own two neurons only."""
    if not profile.capabilities.learning:
        hint = "--learn-placement host"
        yield Finding("learning-engine", block.readout, f"{profile.name} has no learning engine", hint=hint)
        return
    if plasticity.rule in READOUT_RULES:
        return
    scan = block.process.scan
    assert isinstance(scan, IntegerScan)
    layer, states, taps = _layer(block), scan.alpha.shape[1], block.process.conv.shape[1]
    hint = "--learn-placement process, or a model with one state a channel and one conv tap"
    if states > 1:
        message = f"layer '{layer}' has {states} states a channel, a tag of the learning engine follows 1"
        yield Finding("learning-states", layer, message, states, 1, hint)
    if taps > 1:
        message = f"layer '{layer}' has {taps} conv taps, a tag follows the spike of 1 step"
        yield Finding("learning-taps", layer, message, taps, 1, hint)
    if shared := [group for group in ("w_b", "w_c") if group in plasticity.synapses]:
        message = f"the weights {', '.join(shared)} of layer '{layer}' reach every channel, a tag knows one neuron"
        yield Finding("learning-shared", layer, message, hint="leave them out of --learn-synapses")
    if block.graph.nodes[block.x].message_bits > 1:
        bits = block.graph.nodes[block.x].message_bits
        message = f"layer '{layer}' reads messages of {bits} bits, the learning engine learns from spikes"
        yield Finding("learning-spikes", layer, message, bits, 1, "train with --encoder delta")
    else:
        message = f"layer '{layer}': the engine's tag rule has no membrane and readout level, and no run of whole tasks"
        yield Finding("learning-levels", layer, message, hint="python -m benchmarks.onchip tags shows what it keeps")


def _process(
    block: PlasticBlock, placed: PlacedGraph, plasticity: Plasticity, profile: HardwareProfile
) -> Iterator[Finding]:
    """The trace words fit into the cores that the program leaves free."""
    if not profile.capabilities.microcode:
        message = f"{profile.name} runs no neuron programs of our own, which a trace process is"
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
        yield Finding("learning-words", _layer(block), message, needed, free, "fewer --learn-bits, or fewer channels")


def _cores(block: PlasticBlock, plasticity: Plasticity, profile: HardwareProfile) -> int:
    """Return the cores of the trace words: as many to a memory word as fit in its bits."""
    if profile.usable_cores is None:
        return 0
    packed = max(1, int(profile.memory.word_bits.number // plasticity.trace_bits))
    words = ceil(trace_words(block, plasticity) / packed)
    return ceil(words / profile.capacity.neuron_words.number)


def _layer(block: PlasticBlock) -> str:
    return next(e.target for e in block.graph.edges if e.name == block.edges["w_dt"])

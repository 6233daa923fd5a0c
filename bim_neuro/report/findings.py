"""Findings of a run: warnings that follow from its numbers, in addition to those of the compiler."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..errors import Finding
from ..graph import IntegerGraph
from ..nodes import Encoder, InputSeen
from ..nodes.arithmetic import Array
from ..nodes.source import LATE
from ..printable import counted
from ..record import RunRecord
from .models import Agreement, Learning, Verification

SATURATED_ERROR = 0.1  # share of saturated readout values from which the answers are not the model's
CLIPPED_WARNING = 0.01  # of a channel's values
SMALL_INPUT = 1 / 16  # of what the encoder can say
OTHER_SCALE = 1.5  # times the range of the encoder: more than outliers explain
CLASS_SAMPLES = 3  # samples of a class; with fewer, no prediction of it is no finding
NAMED = 5  # channels or classes in one sentence


def saturated_output(graph: IntegerGraph, record: RunRecord) -> Iterator[Finding]:
    """Report saturated values of the output layer; if they are many, the answers are not the model's."""
    name = graph.output
    saturated = record.layers[name].totals()["saturations"]
    words = record.samples * record.period * graph.nodes[name].neurons
    if saturated:
        share = min(1.0, saturated / words)
        message = f"output layer '{name}' saturated in {saturated:,} of {words:,} values ({share:.2%})"
        hint = "its range was measured on other input: train or calibrate on input like this"
        severity = "error" if share >= SATURATED_ERROR else "warning"
        yield Finding("saturated-output", name, message, saturated, 0, hint, severity)


def silent_layers(graph: IntegerGraph, rows: Sequence[Agreement]) -> Iterator[Finding]:
    """Report layers without information: dead, dying, firing only in integers, or always firing.

    A layer without input is left out: one that supplies a bias through a synaptic current fires all the time.
    """
    for row in rows:
        if not graph.into(row.layer):
            continue
        if row.rate_float is not None and row.rate_integer is not None:
            yield from _spiking(row.layer, row.rate_float, row.rate_integer)
        elif row.share is None:
            message = f"layer '{row.layer}' has the same value for every sample, in float and in integers"
            yield _warning("constant-output", row.layer, message, hint="it gets no input: is a layer before it dead?")


def _spiking(layer: str, floats: float, integers: float) -> Iterator[Finding]:
    if floats == integers == 0:
        message = f"layer '{layer}' is dead: it fires neither in float nor in integers"
        yield _warning("dead-layer", layer, message, 0, hint="is the input on the scale it was trained on?")
    elif integers == 0:
        message = f"layer '{layer}' is dying: silent in integers, it fires in {floats:.2%} of its slots in float"
        hint = "rounding silenced it: look for an outlier among its weights, or a threshold that is too high"
        yield _warning("dying-layer", layer, message, integers, floats, hint)
    elif floats == 0:
        message = f"layer '{layer}' fires in {integers:.2%} of its slots in integers, never in float"
        yield _warning("spurious-layer", layer, message, integers, floats, "rounding makes it fire: look at its decays")
    if integers == 1:
        message = f"layer '{layer}' fires in every slot" + ("" if floats == 1 else f", in {floats:.2%} in float")
        yield _warning(
            "always-on-layer", layer, message, integers, floats, "its spikes carry no information: is a bias too large?"
        )


def unused_classes(graph: IntegerGraph, floats: Array, integers: Array, y: Array | None) -> Iterator[Finding]:
    """Report classes that the integers never predict though samples have them or the float model predicts them."""
    classes = graph.nodes[graph.output].neurons
    said, meant = (np.bincount(one, minlength=classes) for one in (integers, floats))
    asked = meant if y is None else np.maximum(meant, np.bincount(y, minlength=classes))
    unused = np.flatnonzero((said == 0) & (asked >= CLASS_SAMPLES))
    if classes > 1 and len(unused):
        names = _listed([f"'{graph.labels[index] if graph.labels else index}'" for index in unused])
        counts = _predicts(int(meant[unused].sum()), "it" if len(unused) == 1 else "them")
        if y is not None:
            held = int(np.bincount(y, minlength=classes)[unused].sum())
            counts = f"{counted(held, 'sample')}, {counts}"
        message = f"never predicted in integers: {'class' if len(unused) == 1 else 'classes'} {names} ({counts})"
        hint = "rounding lost them: check the agreement of the layers with float, and the changed constants"
        if not meant[unused].any():
            hint = "the float model never predicts them either: train it longer, or on more samples of them"
        yield _warning("unused-class", graph.output, message, len(unused), 0, hint)


def costly_learning(learning: Learning | None) -> Iterator[Finding]:
    """Report learning that lowered the accuracy on its own task, or lost more on the old task than it gained."""
    if not learning:
        return
    before, after, forgotten = learning.accuracy_before, learning.accuracy_after, learning.forgotten
    hint = f"lower learn.rate (it was {learning.plasticity['rate']:g}), or let the readout learn alone: "
    hint += "--set learn.synapses=w_o"
    if after < before:
        message = f"learning lowered accuracy from {before:.3f} to {after:.3f} on {learning.measured_on}"
        yield _warning("learning-lowered", "", message, after, before, hint)
    if forgotten is not None and forgotten > max(0.0, after - before):
        old = next(iter(learning.others))
        message = f"learning lost more accuracy than it gained: {old} fell from {learning.old_before:.3f} to "
        message += f"{learning.old_after:.3f}, {learning.measured_on} went from {before:.3f} to {after:.3f}"
        yield _warning("learning-forgot", "", message, forgotten, max(0.0, after - before), hint)


def clipped_input(encoder: Encoder, seen: InputSeen | None, layer: str, what: str = "input") -> Iterator[Finding]:
    """Report clipped input, or input that hardly uses the encoder's range: it was fitted to data on another scale."""
    if seen is None or encoder.kind in ("spikes", "token", "table"):
        return
    shares = seen.clipped / seen.values
    worst = np.argsort(-shares, kind="stable")
    allowed = 0.0 if encoder.kind == "counts" else CLIPPED_WARNING
    over = [int(channel) for channel in worst if shares[channel] > allowed]
    if over:
        named = _listed([f"{channel} ({shares[channel]:.1%})" for channel in over])
        verb = "changing too fast for their events" if encoder.kind == "delta" else "clipped"
        message = f"{what}: {shares.mean():.1%} of the values {verb}; channel {named}"
        yield _warning("clipped-input", layer, message, float(shares[over[0]]), allowed, _scale(encoder, seen))
    elif encoder.kind == "graded" and not encoder.reads_raw and 0 < _used(encoder, seen) < SMALL_INPUT:
        message = f"{what}: no value reaches {SMALL_INPUT:.1%} of the encoder's range"
        yield _warning("small-input", layer, message, _used(encoder, seen), SMALL_INPUT, _scale(encoder, seen))


def silent_verification(check: Verification | None) -> Iterator[Finding]:
    """Report a verification without any message."""
    if check and not check.messages:
        message = f"no message was sent, so the comparison with {check.backend} says little"
        yield _warning("silent-verification", "", message, 0, hint="give input that makes the model fire")


def _used(encoder: Encoder, seen: InputSeen) -> float:
    """Return the share of its range that the encoder used on its widest channel; 0 if no channel ever changed."""
    low, high = encoder.reach
    farthest = np.maximum(np.abs(seen.low - encoder.offset), np.abs(seen.high - encoder.offset))
    moving = (seen.high > seen.low) & (high > low)  # a silent channel has no range
    return float((2 * farthest[moving] / (high - low)[moving]).max(initial=0.0))


def _scale(encoder: Encoder, seen: InputSeen) -> str:
    """Say the actual and expected range of values and, if they differ by a factor, which."""
    speaks = encoder.gain != 0
    if encoder.kind == "delta":
        far = _span(encoder.raw(LATE)[speaks])
        return f"x is {far} or more away from the sum of its events: is it on the scale of the training data?"
    low, high = (ends[speaks] for ends in encoder.reach)
    smallest, largest = seen.low[speaks], seen.high[speaks]
    came, wanted = (max(np.abs(ends).max() for ends in pair) for pair in ((smallest, largest), (low, high)))
    given = f"x runs from {smallest.min():.3g} to {largest.max():.3g}"
    hint = f"{given}, the model expects {low.min():.3g} to {high.max():.3g}"
    if came > OTHER_SCALE * wanted:
        return f"{hint}: divide by {came / wanted:.3g}?"
    if 0 < came < SMALL_INPUT * wanted:
        return f"{hint}: multiply by {wanted / came:.3g}?"
    return f"{hint}: is it on the scale of the training data?"


def _span(values: Array) -> str:
    low, high = f"{values.min():.3g}", f"{values.max():.3g}"
    return low if low == high else f"{low} to {high}"


def _predicts(count: int, what: str) -> str:
    if not count:
        return f"float never predicts {what} either"
    return f"float predicts {what} {'once' if count == 1 else f'{count:,} times'}"


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _warning(
    rule: str, layer: str, message: str, used: float | None = None, limit: float | None = None, hint: str = ""
) -> Finding:
    return Finding(rule, layer, message, used, limit, hint, "warning")

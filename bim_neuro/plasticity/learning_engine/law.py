r"""Plastic synapses: the learning engine of one dense projection, in integers (N15 to N19 of docs/numerics.md).

    every step      accumulate the weights of the presynaptic spikes, note both sides' spike times         N15
    every epoch     run the traces through the epoch's steps                                               N17
                    acc = word 2^7 + sum of products, saturating after each                                N16
                    word = acc 2^-7 rounded stochastically, saturated                                      N18

A plastic weight has 9 bits, -256 to 255, in half units of an int8 weight: the accumulated input is floor(sum / 2), so a
static int8 weight w is stored as 2 w. A tag has 9 bits, -257 to 255 (Lava's lower bound, one below what 9 bits hold).
Shapes are (post, pre), as Lava's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from ...errors import InputError, ThresholdMissed
from ...nodes.arithmetic import Array
from .randoms import Randoms
from .rule import (
    ACCUMULATOR_HIGH,
    ACCUMULATOR_LOW,
    FRACTION_BITS,
    POST_TRACES,
    PRE_TRACES,
    TRACE_MAX,
    LearningRule,
    Product,
    Trace,
)

WEIGHT_BOUNDS = (-256, 255)
TAG_BOUNDS = (-257, 255)
WORDS_A_WEIGHT = 2  # a plastic weight is in half units of an int8 weight
_EXTERNAL = Trace(0, 65535.0)  # decay of a neuron's trace within the epoch in Lava


@dataclass
class Counts:
    """Counts of learning: ``updates`` are synapses visited, once per epoch each; ``changed`` are changed weights."""

    epochs: int = 0
    updates: int = 0
    changed: int = 0
    saturated_weights: int = 0
    saturated_tags: int = 0
    saturated_traces: int = 0

    def __iadd__(self, other: Counts) -> Counts:
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))
        return self


class PlasticSynapses:
    """State and law. With ``strict`` a tag that saturates is an error that names ``layer``."""

    def __init__(
        self, rule: LearningRule, weights: Array, randoms: Randoms, *, tags: Array | None = None,
        strict: bool = False, layer: str = "plastic",
    ) -> None:  # fmt: skip
        self.rule, self.randoms, self.strict, self.layer = rule, randoms, strict, layer
        self.weights = checked(weights, WEIGHT_BOUNDS, f"layer '{layer}': weights")
        self.tags = np.zeros_like(self.weights) if tags is None else checked(tags, TAG_BOUNDS, f"layer '{layer}': tags")
        post, pre = self.weights.shape
        self.x, self.y = np.zeros((len(PRE_TRACES), pre), np.int64), np.zeros((len(POST_TRACES), post), np.int64)
        self.tx, self.ty = np.zeros(pre, np.int64), np.zeros(post, np.int64)  # step of the epoch, 0: no spike yet
        self.kept = {name: rule.trace(name) for name in PRE_TRACES + POST_TRACES}
        if rule.external:
            self.kept |= dict.fromkeys(POST_TRACES, _EXTERNAL)
        self.elapsed, self.counts = 0, Counts()

    def step(self, pre: Array, post: Array, y: Array | None = None) -> Array:
        """Take one step's spikes (pre,), (post,) and external traces y (3, post); return the sums (post,) for the next.

        The sums use the weights before this step's learning.
        """
        pre, post = np.asarray(pre, dtype=bool), np.asarray(post, dtype=bool)
        sums = self.accumulate(pre)
        self.elapsed += 1
        self.observe(pre, post, y)
        if self.elapsed % self.rule.epoch == 0:
            self.learn()
        return sums

    def accumulate(self, pre: Array) -> Array:
        """N15. Half the sum of the weights of the lines that spiked, rounded down."""
        return np.asarray(self.weights[:, pre].sum(axis=1) >> 1)

    def observe(self, pre: Array, post: Array, y: Array | None) -> None:
        """N15. A line's first spike of an epoch is applied at the epoch's end; traces add each later one at once."""
        self._impulse(self.x, PRE_TRACES, pre & (self.tx > 0))
        self._impulse(self.y, POST_TRACES, post & (self.ty > 0))
        within = (self.elapsed - 1) % self.rule.epoch + 1
        self.tx[pre], self.ty[post] = within, within
        if self.rule.external:
            self.y = external(y, self.y.shape, self.layer)

    def learn(self) -> None:
        """N16 to N18. Run the traces through the epoch, update tags and weights, clear the spike times."""
        x, y = self._histories()
        self.x = x[-1]
        if not self.rule.external:
            self.y = y[-1]
        new_weights = self._updated("w", self.weights, self.rule.dw, x, y, WEIGHT_BOUNDS)
        new_tags = self._updated("t", self.tags, self.rule.dt, x, y, TAG_BOUNDS)
        (weights, lost_weights), (tags, lost_tags) = new_weights, new_tags
        changed = int(np.count_nonzero(weights != self.weights))
        self.counts += Counts(1, self.weights.size, changed, lost_weights, lost_tags)
        refuse_overflow(self, lost_tags)
        self.weights, self.tags = weights, tags
        self.tx, self.ty = np.zeros_like(self.tx), np.zeros_like(self.ty)

    def _impulse(self, values: Array, names: Iterable[str], spiked: Array) -> None:
        for row, name in zip(values, names, strict=True):
            if kept := self.kept[name]:
                raised = row[spiked] + kept.impulse
                row[spiked] = np.clip(raised, 0, TRACE_MAX)
                self.counts.saturated_traces += int(np.count_nonzero(raised > TRACE_MAX))

    def _histories(self) -> tuple[Array, Array]:
        """N17. Every trace at every step of the epoch: x (epoch + 1, 2, pre), y (epoch + 1, 3, post); row 0: before."""
        first = self.elapsed - self.rule.epoch
        x, y = [self.x], [self.y]
        for t in range(1, self.rule.epoch + 1):
            x.append(self._decayed(x[-1], "x", PRE_TRACES, first + t))
            y.append(self._decayed(y[-1], "y", POST_TRACES, first + t))
            self._impulse(x[-1], PRE_TRACES, self.tx == t)
            self._impulse(y[-1], POST_TRACES, self.ty == t)
        return np.stack(x), np.stack(y)

    def _decayed(self, values: Array, side: str, names: tuple[str, ...], step: int) -> Array:
        """N17. exp(-1 / tau) v, rounded stochastically."""
        taus = np.array([kept.tau if (kept := self.kept[name]) else np.inf for name in names])
        decayed = np.exp(-1 / taus)[:, None] * values
        whole = np.floor(decayed)
        random = self.randoms.trace(side, step, self.elapsed, decayed.shape)
        return np.asarray((whole + (random < decayed - whole)).astype(np.int64))

    def _updated(
        self, target: str, words: Array, products: tuple[Product, ...], x: Array, y: Array, bounds: tuple[int, int]
    ) -> tuple[Array, int]:
        """Return the new words and how many saturated."""
        if not products:
            return words, 0
        accumulator = words << FRACTION_BITS
        lost = np.zeros(words.shape, dtype=bool)
        for product in products:
            total = accumulator + product.fixed(*self._read(product.dependency, x, y))
            accumulator = np.clip(total, ACCUMULATOR_LOW, ACCUMULATOR_HIGH)
            lost |= accumulator != total
        random = self.randoms.round(target, self.elapsed // self.rule.epoch, words.shape)
        rounded = (accumulator >> FRACTION_BITS) + (random < (accumulator & (2**FRACTION_BITS - 1)))
        clipped = np.clip(rounded, *bounds)
        return clipped, int(np.count_nonzero(lost | (clipped != rounded)))

    def _read(self, dependency: str, x: Array, y: Array) -> tuple[Array | int, dict[str, Array]]:
        """N17. Whether the dependency holds, and the factors at its step: that of the spike, or the last."""
        post, pre = np.arange(len(self.ty)), np.arange(len(self.tx))
        if dependency == "x0":
            holds: Array | int = (self.tx > 0)[None, :]
            at_x, at_y = x[self.tx, :, pre].T[:, None, :], y[self.tx].transpose(1, 2, 0)
        elif dependency == "y0":
            holds = (self.ty > 0)[:, None]
            at_x, at_y = x[self.ty].transpose(1, 0, 2), y[self.ty, :, post].T[:, :, None]
        else:
            holds = int((self.elapsed // self.rule.epoch) % 2**self.rule.decimation == 0)
            at_x, at_y = x[-1][:, None, :], y[-1][:, :, None]
        values = dict(zip(PRE_TRACES + POST_TRACES, (*at_x, *at_y), strict=True))
        return holds, {**values, "w": self.weights, "t": self.tags}


def checked(words: Array, bounds: tuple[int, int], name: str) -> Array:
    """Return whole numbers within their bounds as int64, or refuse them by name."""
    words = np.asarray(words)
    if words.ndim != 2 or words.dtype.kind not in "iu":
        raise InputError(f"{name} are {words.dtype} {words.shape}, whole numbers (post, pre) are needed")
    if words.size and not (bounds[0] <= words.min() and words.max() <= bounds[1]):
        low, high = bounds
        raise InputError(f"{name} range from {words.min()} to {words.max()}, the learning engine holds {low} to {high}")
    return words.astype(np.int64)


def external(y: Array | None, shape: tuple[int, ...], layer: str) -> Array:
    """Return the traces a postsynaptic neuron sent, (3, post), or refuse what a trace cannot hold."""
    if y is None or y.shape != shape:
        got = "none" if y is None else y.shape
        raise InputError(f"layer '{layer}': the rule reads traces {shape} of the postsynaptic neuron, got {got}")
    y = np.array(y, dtype=np.int64)
    if y.min() < 0 or y.max() > TRACE_MAX:
        hint = "a signed value is sent with the offset 64"
        raise InputError(f"layer '{layer}': a trace of {y.min()} to {y.max()}, it holds 0 to {TRACE_MAX}", hint)
    return y


def refuse_overflow(synapses: PlasticSynapses, lost: int) -> None:
    """In strict mode refuse tags that saturated."""
    if synapses.strict and lost:
        low, high = TAG_BOUNDS
        message = f"strict: layer '{synapses.layer}': {lost} tags left {low} to {high} at step {synapses.elapsed}"
        raise ThresholdMissed(message, "use a larger unit for one tag step, or leave out --strict")

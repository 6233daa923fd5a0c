"""Plastic synapses on compiled kernels: the same state and integers, for long runs."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nodes.arithmetic import Array
from . import kernels
from .law import TAG_BOUNDS, Counts, PlasticSynapses, external, refuse_overflow
from .randoms import first_counter
from .rule import FRACTION_BITS, POST_TRACES, PRE_TRACES, WIDTHS, LearningRule

_CODES = {name: code for code, name in enumerate(WIDTHS)}
_DEPENDENCIES = {"x0": kernels.X0, "y0": kernels.Y0}
_MOST_FACTORS = 4


class FastSynapses(PlasticSynapses):
    """As `law.PlasticSynapses`; ``weights`` and ``tags`` are int32 and change in place."""

    def __init__(self, rule: LearningRule, weights: Array, *arguments: Any, **options: Any) -> None:
        super().__init__(rule, weights, *arguments, **options)
        self.weights, self.tags = (np.asfortranarray(words.astype(np.int32)) for words in (self.weights, self.tags))
        self._products, self._factors = _encode(rule)
        self._impulses = [_each(self.kept, names, "impulse", 0) for names in (PRE_TRACES, POST_TRACES)]
        self._keep = [np.exp(-1 / _each(self.kept, names, "tau", np.inf)) for names in (PRE_TRACES, POST_TRACES)]
        self._deep = np.array([np.count_nonzero(self.tags == TAG_BOUNDS[0])])

    def accumulate(self, pre: Array) -> Array:
        return kernels.accumulate(self.weights.T, pre)

    def observe(self, pre: Array, post: Array, y: Array | None) -> None:
        within = (self.elapsed - 1) % self.rule.epoch + 1
        lost = kernels.observe(pre, self.tx, within, self.x, self._impulses[0])
        lost += kernels.observe(post, self.ty, within, self.y, self._impulses[1])
        self.counts.saturated_traces += lost
        if self.rule.external:
            self.y = external(y, self.y.shape, self.layer)

    def learn(self) -> None:
        epoch, now, seed = self.rule.epoch, self.elapsed // self.rule.epoch, np.uint64(self.randoms.seed)
        x = self._history(0, "x", self.x, self.tx)
        y = self._history(1, "y", self.y, self.ty)
        self.x = x[-1]
        if not self.rule.external:
            self.y = y[-1]
        shape = self.weights.shape
        shared = int(self.randoms.round("w", now, shape)[0, 0]) if self.randoms.mode == "lava" else -1
        counters = np.array([first_counter(target, now, shape) for target in ("w", "t")])
        moved, lost_weights, lost_tags = kernels.learn(
            self.weights.T, self.tags.T, x, y, self.tx, self.ty, self._products, self._factors,
            self.elapsed // epoch % 2**self.rule.decimation == 0, shared, seed, counters, self._deep,
        )  # fmt: skip
        self.counts += Counts(1, self.weights.size, moved, lost_weights, lost_tags)
        refuse_overflow(self, lost_tags)
        self.tx[:], self.ty[:] = 0, 0

    def _history(self, side: int, name: str, traces: Array, times: Array) -> Array:
        first = self.elapsed - self.rule.epoch + 1
        lava = self.randoms.mode == "lava"
        shared = float(self.randoms.trace(name, first, self.elapsed, (1, 1))[0, 0]) if lava else -1.0
        rows, lost = kernels.history(
            traces, times, self._keep[side], self._impulses[side], self.rule.epoch, shared,
            np.uint64(self.randoms.seed), first_counter(name, first, traces.shape),
        )  # fmt: skip
        self.counts.saturated_traces += lost
        return rows


def _encode(rule: LearningRule) -> tuple[Array, Array]:
    """Write the products as numbers: (products, 5), and their factors' codes and offsets, (products, 4, 2)."""
    products, factors = [], np.full((len(rule.products), _MOST_FACTORS, 2), -1, np.int64)
    for place, product in enumerate(rule.products):
        target = kernels.WEIGHT if place < len(rule.dw) else kernels.TAG
        dependency = _DEPENDENCIES.get(product.dependency, kernels.U)
        shifts = product.hidden_shift, product.exponent + FRACTION_BITS
        products.append((target, dependency, product.mantissa, *shifts))
        for row, factor in zip(factors[place], product.factors, strict=False):
            row[:] = _CODES[factor.name], factor.offset
    return np.array(products, np.int64), factors


def _each(kept: dict[str, Any], names: tuple[str, ...], field: str, absent: float) -> Array:
    return np.array([getattr(kept[name], field) if kept[name] else absent for name in names])

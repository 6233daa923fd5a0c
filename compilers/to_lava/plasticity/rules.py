"""Convert a learning rule to Lava's, and check Lava's parse result in two ways.

Lava's parser accepts texts that it misparses, without an error. So every parsed rule is compared with ours product by
product, and both are evaluated on random integers, Lava's by its own fixed-point applier.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from lava.magma.core.learning.learning_rule import Loihi2FLearningRule, Loihi3FLearningRule, LoihiLearningRule
from lava.magma.core.learning.learning_rule_applier import LearningRuleApplierBitApprox

from bim_neuro.errors import BackendFailed
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learning_engine.grammar import write
from bim_neuro.plasticity.learning_engine.rule import (
    ACCUMULATOR_HIGH,
    ACCUMULATOR_LOW,
    POST_TRACES,
    PRE_TRACES,
    LearningRule,
    Product,
)

_EXPONENT_OFFSET = 7  # Lava stores e + 7
_SHAPE = (37, 41)


def to_lava_rule(rule: LearningRule, seed: int) -> LoihiLearningRule:
    """Return Lava's rule; raise `BackendFailed` if Lava parsed a different rule."""
    names = PRE_TRACES if rule.external else PRE_TRACES + POST_TRACES
    traces = {name: trace for name in names if (trace := rule.trace(name))}
    settings: dict[str, Any] = {f"{name}_impulse": trace.impulse for name, trace in traces.items()}
    settings |= {f"{name}_tau": trace.tau for name, trace in traces.items()}
    texts = {name: write(products) for name, products in (("dw", rule.dw), ("dt", rule.dt)) if products}
    kind = Loihi3FLearningRule if rule.external else Loihi2FLearningRule
    theirs = kind(**texts, **settings, t_epoch=rule.epoch, rng_seed=seed)
    check_understood(rule, theirs, texts)
    return theirs


def check_understood(rule: LearningRule, theirs: LoihiLearningRule, texts: dict[str, str]) -> None:
    """Compare what Lava parsed from ``texts`` with the rule, symbol by symbol and number by number."""
    if any(p.dependency[0] == "u" for p in rule.products) and theirs.decimate_exponent != rule.decimation:
        raise _misread("rule", str(texts), f"u{theirs.decimate_exponent}", f"u{rule.decimation}")
    for name, products in (("dw", rule.dw), ("dt", rule.dt)):
        series = theirs.active_product_series.get(name)
        understood = [_symbols(product) for product in series.products] if series else []
        meant = [_our_symbols(product) for product in products]
        if understood != meant:
            raise _misread(name, texts.get(name, ""), str(understood), str(meant))
        if series:
            _check_numbers(name, texts[name], products, LearningRuleApplierBitApprox(series))


def _symbols(product: Any) -> tuple[Any, ...]:
    factors = tuple((factor.state_var, factor.const or 0, factor.is_sgn) for factor in product.factors)
    return product.s_mantissa, product.s_exp - _EXPONENT_OFFSET, product.dependency, product.decimate_exponent, factors


def _our_symbols(product: Product) -> tuple[Any, ...]:
    dependency, k = product.dependency, None
    if dependency[0] == "u":
        dependency, k = "u", int(dependency[1:])
    return product.mantissa, product.exponent, dependency, k, tuple((f.name, f.offset, False) for f in product.factors)


def _check_numbers(name: str, text: str, products: Sequence[Product], applier: LearningRuleApplierBitApprox) -> None:
    values = _random_values(np.random.default_rng(0))
    start = values["tag_1" if name == "dt" else "weights"] << _EXPONENT_OFFSET
    theirs = applier.apply(start.copy(), shape=_SHAPE, **values)
    ours = start
    for product in products:
        dependency = product.dependency[0] if product.dependency[0] == "u" else product.dependency
        factors = {name: values[f"{name}_{dependency}"] for name in PRE_TRACES + POST_TRACES}
        addend = product.fixed(values[dependency], factors | {"w": values["weights"], "t": values["tag_1"]})
        ours = np.clip(ours + addend, ACCUMULATOR_LOW, ACCUMULATOR_HIGH)
    if not np.array_equal(theirs, ours):
        at = tuple(int(i) for i in np.argwhere(theirs != ours)[0])
        raise _misread(name, text, f"{theirs[at]} at {at}", f"{ours[at]}")


def _random_values(rng: np.random.Generator) -> dict[str, Array]:
    """Return random traces over their whole range, weights and tags beyond theirs."""
    post, pre = _SHAPE
    traces = {
        f"{trace}_{dependency}": rng.integers(0, 128, _SHAPE).astype(np.int64)
        for trace in PRE_TRACES + POST_TRACES
        for dependency in ("x0", "y0", "u")
    }
    words = {name: rng.integers(-300, 300, _SHAPE).astype(np.int64) for name in ("weights", "tag_1", "tag_2")}
    return {
        **traces, **words, "u": np.ones((1, 1), np.int64),
        "x0": rng.integers(0, 2, (1, pre)), "y0": rng.integers(0, 2, (post, 1)),
    }  # fmt: skip


def _misread(name: str, text: str, understood: str, meant: str) -> BackendFailed:
    return BackendFailed(f"Lava misreads {name} = '{text}': it parsed {understood}, the rule is {meant}")

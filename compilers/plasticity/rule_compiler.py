r"""Rule compiler: a plasticity request becomes a learning rule with integer scales, and the error of every rate.

    stdp          dw = a y0 x1 - b x0 y1
    three-factor  dw = a u0 x1 (y3-64)
    rtrl          dw = a u0 (y3-64) t                            dt = g x0 (y1-64) - 2^-7 u0 y2 t
    hybrid        rtrl, and dw also + b y0 x1                    (no depression: y1 is used for the tag)
    s-tllr        dw = a u0 x1 y1 (y3-64) - b x0 y2 (y3-64)

A scale is mantissa * 2^exponent. On products of many factors the learning engine divides by 2^``hidden_shift``, which
is compensated here. Where a trace's impulse multiplies the scale, impulse, mantissa and exponent are chosen together.
Among scales with equal error the smallest exponent is chosen: the engine truncates a shifted product to multiples of
2^exponent, so a large mantissa loses least. ``uk`` terms act once an epoch, so their rates are multiplied by its steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from math import ceil, exp, log

from ...errors import DoesNotFit, Finding, InputError
from ...hardware import HardwareProfile
from ...plasticity.learning_engine.rule import (
    ACCUMULATOR_BITS,
    POST_TRACES,
    PRE_TRACES,
    SIGN_OFFSET,
    TRACE_MAX,
    WIDTHS,
    Factor,
    LearningRule,
    Product,
    Trace,
)
from ...plasticity.record import Rate
from ...plasticity.request import Plasticity

TOLERANCE = 0.25  # a rate is refused if the relative error of the nearest scale is larger
IMPULSES = range(16, 32)  # large for a fine trace, small enough that a sum of four fits 7 bits
_NEAR = 0.01  # errors within the same 1 % count as equal
_SIGNAL = Factor("y3", -SIGN_OFFSET)


@dataclass(frozen=True)
class RuleUnits:
    """The real value of one unit of each integer: a plastic weight, the tag, y1 - 64 (rtrl, hybrid) and y3 - 64.

    For s-tllr psi is y1 / 127, and its trace is y2 / 127.
    """

    weight: float = 1.0
    tag: float = 1.0
    immediate: float = 1.0
    signal: float = 1.0


@dataclass(frozen=True)
class CompiledRule:
    """The rule for the learning engine, and each rate as wanted and as written."""

    rule: LearningRule
    rates: tuple[Rate, ...]

    def table(self) -> str:
        """Return the rates as text: wanted, got, error."""
        rows = [f"{r.name:<28}{r.wanted:>12.5g}{r.got:>12.5g}{100 * r.error:>9.2f} %" for r in self.rates]
        return "\n".join([f"{'rate':<28}{'wanted':>12}{'got':>12}{'error':>11}", *rows])


@dataclass(frozen=True)
class _Term:
    """A product whose scale is not chosen yet; ``impulse`` names the trace whose impulse multiplies it."""

    name: str
    wanted: float
    dependency: str
    factors: tuple[Factor, ...]
    impulse: str = ""
    tau: float = 0.0


def compile_rule(
    request: Plasticity, profile: HardwareProfile, units: RuleUnits | None = None, layer: str = "plastic"
) -> CompiledRule:
    """Compile a request for a chip's learning engine; `DoesNotFit` lists every limit that is exceeded."""
    dw, dt, external = _RULES[request.rule](request, units or RuleUnits())
    refused = [*_check_engine(request, profile, external, (*dw, *dt), layer)]
    if refused:
        raise DoesNotFit(refused)
    written, rates, traces = [], [], {}
    for term in (*dw, *dt):
        try:
            product, impulse = _write(term, profile)
        except _CannotWrite as reason:
            refused.append(_refusal(term, layer, reason))
            continue
        written.append(product)
        rates.append(Rate(term.name, term.wanted, product.fixed_scale * impulse))
        if term.impulse:
            traces[term.impulse] = Trace(impulse, term.tau)
    if refused:
        raise DoesNotFit(refused)
    split = len(dw)
    rule = LearningRule(
        tuple(written[:split]), tuple(written[split:]), tuple(traces.items()), external, request.epoch
    )  # fmt: skip
    return CompiledRule(rule, tuple(rates))


_Terms = tuple[list[_Term], list[_Term], bool]


def _stdp(request: Plasticity, units: RuleUnits) -> _Terms:
    plus, minus = (request.stdp_rate * a / units.weight for a in (request.a_plus, request.a_minus))
    both = [
        _Term("potentiation (stdp a_plus)", plus, "y0", (Factor("x1"),), "x1", request.tau_plus),
        _Term("depression (stdp a_minus)", -minus, "x0", (Factor("y1"),), "y1", request.tau_minus),
    ]
    return [term for term in both if term.wanted], [], False


def _three_factor(request: Plasticity, units: RuleUnits) -> _Terms:
    rate = request.rate * units.signal * request.epoch / units.weight
    return [_Term("three-factor rate", rate, "u0", (Factor("x1"), _SIGNAL), "x1", request.tau_plus)], [], True


def _rtrl(request: Plasticity, units: RuleUnits, mix: float = 1.0) -> _Terms:
    rate = request.rate * mix * units.signal * units.tag * request.epoch / units.weight
    tag = [
        _Term("tag's immediate term", units.immediate / units.tag, "x0", (Factor("y1", -SIGN_OFFSET),)),
        _Term("tag's decay (of y2)", -(2.0**-7) * request.epoch, "u0", (Factor("y2"), Factor("t"))),
    ]
    return [_Term("rtrl rate", rate, "u0", (_SIGNAL, Factor("t")))], tag, True


def _hybrid(request: Plasticity, units: RuleUnits) -> _Terms:
    dw, dt, external = _rtrl(request, units, request.mix) if request.mix else ([], [], True)
    plus = request.stdp_rate * (1 - request.mix) * request.a_plus / units.weight
    if plus:
        dw.append(_Term("potentiation (stdp a_plus)", plus, "y0", (Factor("x1"),), "x1", request.tau_plus))
    return dw, dt, external


def _s_tllr(request: Plasticity, units: RuleUnits) -> _Terms:
    rate = request.rate * units.signal / units.weight / TRACE_MAX
    causal = rate * request.a_plus * request.epoch
    other = -rate * request.a_minus / (1 - exp(-1 / request.tau_minus))  # y2 holds psi's mean, Omega counts its sum
    both = [
        _Term("causal rate (s-tllr)", causal, "u0", (Factor("x1"), Factor("y1"), _SIGNAL), "x1", request.tau_plus),
        _Term("non-causal rate (s-tllr)", other, "x0", (Factor("y2"), _SIGNAL)),
    ]
    return [term for term in both if term.wanted], [], True


_RULES: dict[str, Callable[[Plasticity, RuleUnits], _Terms]] = {
    "stdp": _stdp, "three-factor": _three_factor, "rtrl": _rtrl, "hybrid": _hybrid, "s-tllr": _s_tllr,
}  # fmt: skip


class _CannotWrite(Exception):
    """No scale is near enough: the nearest one, and the smallest and largest."""

    def __init__(self, nearest: float, low: float, high: float) -> None:
        self.nearest, self.low, self.high = nearest, low, high


def _write(term: _Term, profile: HardwareProfile) -> tuple[Product, int]:
    """Return the product whose scale times impulse is nearest to the wanted rate, and that impulse."""
    low, high = (int(q.number) for q in (profile.learning.scale_exponent_low, profile.learning.scale_exponent_high))
    top = 2 ** (int(profile.learning.scale_mantissa_bits.number) - 1) - 1
    sign = -1 if term.wanted < 0 else 1
    shape = Product(1, 0, term.dependency, term.factors)
    best, best_rank, reach = (shape, 1), (float("inf"), 0), (float("inf"), 0.0)
    for impulse in IMPULSES if term.impulse else (1,):
        for exponent in range(low, high + 1):
            for mantissa in range(1, top + 1):
                got = mantissa * 2.0 ** (exponent - shape.hidden_shift) * impulse
                reach = min(reach[0], got), max(reach[1], got)
                rank = (ceil(abs(log(got / abs(term.wanted))) / _NEAR), exponent)
                if rank < best_rank:
                    best_rank = rank
                    best = Product(sign * mantissa, exponent, term.dependency, term.factors), impulse
    got = best[0].fixed_scale * best[1]
    if abs(got / term.wanted - 1) > TOLERANCE:
        raise _CannotWrite(abs(got), *reach)
    return best


def _refusal(term: _Term, layer: str, reason: _CannotWrite) -> Finding:
    wanted = abs(term.wanted)
    message = (
        f"layer '{layer}': the {term.name} of {wanted:.3g} units cannot be written within {TOLERANCE:.0%}: "
        f"the nearest scale is {reason.nearest:.3g}, the range is {reason.low:.3g} to {reason.high:.3g}"
    )
    small = wanted < 4 * reason.low  # there the scales are 1, 2, 3 times the smallest
    hint = f"use a {'larger' if small else 'smaller'} rate, or a {'smaller' if small else 'larger'} unit of the weight"
    return Finding("learning-rate", layer, message, wanted, reason.low if small else reason.high, hint)


def _check_engine(
    request: Plasticity, profile: HardwareProfile, external: bool, terms: Sequence[_Term], layer: str
) -> Iterable[Finding]:
    """Compare what the rule needs with what the chip's learning engine has."""
    learning, chip = profile.learning, profile.name
    if not terms:
        raise InputError(f"layer '{layer}': with these rates the learning rule {request.rule} changes no weight")
    if not profile.capabilities.learning:
        yield Finding("learning-engine", layer, f"layer '{layer}': {chip} has no learning engine")
        return
    if external and not profile.capabilities.microcode:
        message = f"layer '{layer}': the rule {request.rule} needs traces sent by a neuron program, {chip} runs none"
        yield Finding("learning-traces", layer, message)
    for field in fields(learning):
        if not getattr(learning, field.name).published:
            message = f"layer '{layer}': {chip} does not publish its learning engine's {field.name}"
            yield Finding("learning-engine", layer, message)
    read = {factor.name for term in terms for factor in term.factors}
    for what, used, limit, hint in (
        ("learning-epoch", request.epoch, learning.epoch_steps, "a shorter epoch"),
        ("learning-traces", len(read.intersection(PRE_TRACES)), learning.pre_traces, "fewer presynaptic traces"),
        ("learning-traces", len(read.intersection(POST_TRACES)), learning.post_traces, "another rule"),
        ("learning-tags", len(read.intersection({"t"})), learning.tags, "a rule without tag, or the trace process"),
    ):
        if used > limit.number:
            message = (
                f"layer '{layer}': the rule {request.rule} needs {used} {limit.unit}, {chip} allows {limit.number:g}"
            )
            yield Finding(what, layer, message, used, limit.number, hint)
    for name, have, need in (
        ("a trace", learning.trace_bits, WIDTHS["x1"]),
        ("a tag", learning.tag_bits, WIDTHS["t"]),
        ("a plastic weight", learning.weight_bits, WIDTHS["w"]),
        ("the accumulator", learning.accumulator_bits, ACCUMULATOR_BITS + 1),
    ):
        if have.number < need:
            message = f"layer '{layer}': {name} needs {need} bits, {chip} has {have.number:g}"
            yield Finding("learning-widths", layer, message, need, have.number)

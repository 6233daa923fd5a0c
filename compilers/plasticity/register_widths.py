"""Register widths: the largest bit widths of products in on-chip learning, and a refusal where a register would wrap.

Widths are those of magnitudes, in bits, for the largest values of the formats, independent of data: of each trace
(N21), of the products of an update (N22), and of the pair rules.
"""

from __future__ import annotations

from math import ceil, log2

from ...errors import DoesNotFit, Finding
from ...nodes.arithmetic import FACTOR_BITS, WORD_BITS, Array
from ...plasticity.trace_process.block import PlasticBlock
from ...plasticity.trace_process.pairs import AMPLITUDE_BITS, IMPULSE_BITS, KEPT_BITS
from ...plasticity.trace_process.rate import MANTISSA_BITS

REGISTER_BITS = 61  # of 63: rounding noise and a second term are added
_WORD = WORD_BITS - 1
_MESSAGE, _WEIGHT = 15, 7


def check_products(block: PlasticBlock, layer: str) -> None:
    """Raise DoesNotFit with every product of learning that can exceed its register."""
    hint = "fewer trace bits, calibration on input that spikes, smaller STDP amplitudes or time constants"
    findings = [
        Finding(
            "learning-products", layer,
            f"layer '{layer}': {what} may need {width} bits, a register holds {REGISTER_BITS}",
            width, REGISTER_BITS, hint,
        )
        for what, width in (_trace_widths(block) | _update_widths(block)).items()
        if width > REGISTER_BITS
    ]  # fmt: skip
    if findings:
        raise DoesNotFit(findings)


def _trace_widths(block: PlasticBlock) -> dict[str, int]:
    """N21: trace times its factor, and each term in units of 2^-16 of the trace's last bit, in the worst channel."""
    process = block.process
    word, unit, x = block.plasticity.trace_bits - 1, process.units, _input_bits(block)
    reach = _WEIGHT + x + ceil(log2(process.conv.shape[1]))
    seen = _MESSAGE + word + ceil(log2(process.scan.alpha.shape[1]))
    terms: dict[str, list[Array | int]] = {
        "S.dt": [_WORD + x],
        "S.u": [_WORD + reach],
        "S.b": [_WORD + x],
        "V.dt": [seen + unit["S.dt"]],
        "V.u": [seen + unit["S.u"], _WORD + reach + process.skip_shift],
        "V.b": [_MESSAGE + word + unit["S.b"]],
        "V.c": [_WORD + x],
        "R.o": [0],
    }
    for family in ("dt", "u", "b", "c"):
        terms[f"R.{family}"] = [word + unit[f"V.{family}"]]
    return {
        f"the trace {name}": max(word + FACTOR_BITS, *(int((width + 16 - unit[name]).max()) for width in widths))
        for name, widths in terms.items()
    }


def _update_widths(block: PlasticBlock) -> dict[str, int]:
    """N22: signal times trace summed over channels, Omega, signal times eligibility; each times the rate's mantissa."""
    p, steps, x = block.plasticity, len(block.omega), _input_bits(block)
    channels = ceil(log2(block.process.channels))
    widths = {"the gradient": _WORD + p.trace_bits - 1 + channels + MANTISSA_BITS}
    if p.rule in ("stdp", "hybrid", "s-tllr"):
        branches = ((p.a_plus, p.tau_plus), (p.a_minus, p.tau_minus))
        pairs = max(_bits(amplitude * steps * min(steps, tau + 1)) for amplitude, tau in branches)
        omega = pairs + AMPLITUDE_BITS + IMPULSE_BITS + x + 1
        if p.rule == "s-tllr":
            kept = omega + KEPT_BITS - AMPLITUDE_BITS - IMPULSE_BITS
            widths["the eligibilities"] = omega + FACTOR_BITS
            widths["the three-factor update"] = kept + _WORD + MANTISSA_BITS
        else:
            widths["the STDP update"] = omega + MANTISSA_BITS
    return widths


def _input_bits(block: PlasticBlock) -> int:
    """Return the bits of the block's input messages, without the sign."""
    return max(block.graph.nodes[block.x].message_bits - 1, 1)


def _bits(number: float) -> int:
    return ceil(log2(max(number, 1)))

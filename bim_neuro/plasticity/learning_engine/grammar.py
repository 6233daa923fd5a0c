r"""The written form of a learning rule: the part of Lava's grammar that has one meaning only.

    rule    = product { (" + " | " - ") product }          the first product may begin with "-"
    product = mantissa "*2^" exponent "*" dependency { "*" factor }
    factor  = name | "(" name ("+" | "-") number ")"

Lava accepts more, and misreads some of it without a warning: ``u10*w`` as u1 times 0, ``y0*x1**2`` as 2*y0*x1. `write`
produces only the grammar above, `read` accepts only it, and `compilers.to_lava.plasticity.rules` checks what Lava
parsed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...errors import InputError
from .rule import Factor, Product

_FACTOR = r"(?:[xywt]\d?|\([xywt]\d?[+-]\d+\))"
_PRODUCT = re.compile(rf"(\d)\*2\^(-?\d)\*(x0|y0|u\d)((?:\*{_FACTOR})*)")
_OFFSET = re.compile(r"\(?([a-z]\d?)([+-]\d+)?\)?")


def write(products: Sequence[Product]) -> str:
    """Return the rule's text, which `read` and Lava both understand."""
    signed = [("-" if product.mantissa < 0 else "+", _write_product(product)) for product in products]
    text = " ".join(f"{sign} {product}" for sign, product in signed)
    return text[2:] if text.startswith("+") else text.replace("- ", "-", 1)


def _write_product(product: Product) -> str:
    factors = (f"({f.name}{f.offset:+d})" if f.offset else f.name for f in product.factors)
    return "*".join([f"{abs(product.mantissa)}*2^{product.exponent}", product.dependency, *factors])


def read(text: str) -> tuple[Product, ...]:
    """Return the products of a text that `write` could have made; any other text is refused with the position."""
    products: list[Product] = []
    at = 0
    while at < len(text) or not products:
        sign, at = _sign(text, at)
        match = _PRODUCT.match(text, at)
        if match is None:
            raise _refusal(text, at)
        mantissa, exponent, dependency, factors = match.groups()
        parts = [_OFFSET.fullmatch(part) for part in factors.split("*")[1:]]
        named = tuple(Factor(part[1], int(part[2] or 0)) for part in parts if part)
        products.append(Product(sign * int(mantissa), int(exponent), dependency, named))
        at = match.end()
    return tuple(products)


def _sign(text: str, at: int) -> tuple[int, int]:
    """Return the sign before a product and where the product begins."""
    if at == 0:
        return (-1, 1) if text.startswith("-") else (1, 0)
    if text[at : at + 3] not in (" + ", " - "):
        raise _refusal(text, at)
    return (-1 if text[at + 1] == "-" else 1), at + 3


def _refusal(text: str, at: int) -> InputError:
    hint = "a product is written as 4*2^-4*x0*(y1-64)"
    return InputError(f"learning rule '{text}': cannot read '{text[at : at + 20]}' at place {at}", hint)

r"""A learnt table of vectors, one a token, as the host sends its rows: signed 8-bit values.

    x[t] = round_8(E[token[t]])        round_8(e) = clip(round(2^7 e), -127, 127) / 2^7

The forward pass reads the rounded rows, so that nothing is lost at export; the gradient passes as if it had not rounded
(straight through: Bengio, Leonard and Courville 2013, arXiv 1308.3432).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..nodes.table import TABLE_BITS, TABLE_MAX

SPREAD = 0.5
"""Standard deviation of the first values, half of the range."""


def new_table(tokens: int, lines: int) -> nn.Parameter:
    """Return a table E (tokens, lines) drawn from torch's generator."""
    return nn.Parameter(SPREAD * torch.randn(tokens, lines))


def rows(table: Tensor, tokens: Tensor) -> Tensor:
    """Return the rounded rows (T, batch, lines) of tokens (T, batch, 1), whole numbers of any type."""
    chosen = F.embedding(tokens[..., 0].long(), table)
    rounded = (chosen.detach() * 2**TABLE_BITS).round().clamp(-TABLE_MAX, TABLE_MAX) * 2.0**-TABLE_BITS
    straight: Tensor = chosen + (rounded - chosen).detach()
    return straight

r"""The adaptive softmax: probabilities of many tokens from a readout of which only some rows are needed a token.

    p(w) = p_head(w)                                 of the frequent tokens, w < c_1
    p(w) = p_head(cluster k) p_k(w)                  of the others, c_k <= w < c_{k+1}

The readout's rows are the V tokens, the most frequent first, and one of each cluster behind them. p_head is the softmax
of the c_1 frequent tokens and the clusters, p_k that of a cluster's own rows: with both, all p(w) add up to 1.

Two clusters begin at V / 15 and 3 V / 15, rounded, as in the example of torch.nn.AdaptiveLogSoftmaxWithLoss.

Grave, Joulin, Cisse, Grangier and Jegou, Efficient softmax approximation for GPUs, ICML 2017, arXiv 1609.04309; without
their smaller projections of rare words, so that the chip keeps one matrix.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError

Array = NDArray[np.float64]
CLUSTERS = 2
PARTS, BEGIN = 15, (1, 3)
"""The clusters begin at these fifteenths of the tokens."""
LEAST_TOKENS = 30
MANY = 4096
"""Tokens from which on the softmax is adaptive unless another is asked for."""


def cutoffs(tokens: int) -> tuple[int, ...]:
    """Return where the clusters begin, and the end: c_1, c_2 and V.

    >>> cutoffs(33_278)
    (2219, 6656, 33278)
    """
    if tokens < LEAST_TOKENS:
        raise InputError(f"{tokens:,} tokens are too few for an adaptive softmax", "leave train.softmax at full")
    return (*(round(tokens * begin / PARTS) for begin in BEGIN), tokens)


def row_names(tokens: tuple[str, ...], *, adaptive: bool) -> tuple[str, ...]:
    """Return the names of a readout's rows: the tokens, and the clusters of an adaptive softmax."""
    return (*tokens, *(f"cluster {k + 1}" for k in range(CLUSTERS))) if adaptive else tokens


def log_probabilities(r: Array, y: NDArray[np.int64]) -> Array:
    """Return log p(y) (asked,) of readings r (asked, V + clusters); the rows of a cluster are read where y is in it."""
    tokens = r.shape[1] - CLUSTERS
    cuts = cutoffs(tokens)
    head = np.concatenate([r[:, : cuts[0]], r[:, tokens:]], 1)
    at = np.where(y < cuts[0], y, cuts[0] + np.searchsorted(cuts[1:], y, "right"))
    told = _log_softmax(head)[np.arange(len(y)), at]
    for first, last, rows in _tails(cuts, y):
        told[rows] += _log_softmax(r[rows, first:last])[np.arange(len(rows)), y[rows] - first]
    return told


def most_probable(r: Array) -> NDArray[np.int64]:
    """Return the likeliest token (asked,) of readings r (asked, V + clusters).

    No token of a cluster is likelier than the cluster: its rows are read where it is likelier than each frequent token.
    """
    tokens = r.shape[1] - CLUSTERS
    cuts = cutoffs(tokens)
    said = r[:, : cuts[0]].argmax(1)
    best = np.asarray(r[np.arange(len(r)), said], np.float64)
    for k, (first, last) in enumerate(pairwise(cuts)):
        rows = np.flatnonzero(r[:, tokens + k] > best)
        own = _log_softmax(r[rows, first:last])
        place = own.argmax(1)
        value = r[rows, tokens + k] + own[np.arange(len(rows)), place]
        over = value > best[rows]
        said[rows[over]], best[rows[over]] = first + place[over], value[over]
    return np.asarray(said, np.int64)


def _tails(cuts: tuple[int, ...], y: NDArray[np.int64]) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    for first, last in pairwise(cuts):
        rows = np.flatnonzero((y >= first) & (y < last))
        if len(rows):
            yield first, last, rows


def _log_softmax(r: Array) -> Array:
    r = r.astype(np.float64)
    r -= r.max(1, keepdims=True, initial=-np.inf)
    return np.asarray(r - np.log(np.exp(r).sum(1, keepdims=True)))

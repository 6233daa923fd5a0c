"""The law of plastic synapses compiled: the integers of `law`, line by line, skipping what cannot change.

Written from N15 to N18 of docs/numerics.md, apart from the numpy law; tests/plasticity/test_learning_engine.py holds
one against the other on random rules. A product is skipped for a line that did not spike (x0), on rows that did not
(y0), and altogether where one of its trace factors is 0 for all neurons. Words lie line by line, (pre, post).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import compiled, inlined
from ...nodes.arithmetic import Array
from ..noise import random_bits

WEIGHT, TAG = 0, 1
X0, Y0, U = 0, 1, 2
W_FACTOR = 5  # factors 0 to 4 are x1, x2, y1, y2, y3; then w and t
_LOW, _HIGH = np.int32(-(2**15) - 1), np.int32(2**15 - 1)
_DEEPEST = -257  # a tag that the next update clips, whatever the products say
_TRACE_MAX = 127
_S57, _S11 = np.uint64(57), np.uint64(11)  # the highest 7 bits of 64, and the 53 of a float
_i32 = np.int32  # at every step, or numba widens a product to 64 bits and a vector holds half as many


@compiled
def impulse(traces: Array, line: int, impulses: Array) -> int:
    """Add the impulses to a line's traces; return how many saturated."""
    lost = 0
    for k in range(len(impulses)):
        raised = traces[k, line] + impulses[k]
        lost += raised > _TRACE_MAX
        traces[k, line] = min(raised, _TRACE_MAX)
    return lost


@compiled
def observe(spiked: Array, times: Array, within: int, traces: Array, impulses: Array) -> int:
    """N15. Note the spikes of one side; return how many traces saturated."""
    lost = 0
    for line in range(len(spiked)):
        if spiked[line]:
            if times[line] > 0:
                lost += impulse(traces, line, impulses)
            times[line] = within
    return lost


@compiled
def accumulate(words: Array, spiked: Array) -> Array:
    """N15. Half the sum of the words of the lines that spiked."""
    sums = np.zeros(words.shape[1], np.int64)
    for line in range(len(spiked)):
        if spiked[line]:
            for i in range(len(sums)):
                sums[i] += words[line, i]
    for i in range(len(sums)):
        sums[i] >>= 1
    return sums


@compiled
def history(
    traces: Array, times: Array, keep: Array, impulses: Array, epoch: int, shared: float, seed: Any, counter: int
) -> tuple[Array, int]:
    """N17. Traces (kinds, lines) at every step, (epoch + 1, kinds, lines); ``shared`` below 0: numbers of their own."""
    kinds, lines = traces.shape
    rows = np.zeros((epoch + 1, kinds, lines), np.int64)
    rows[0] = traces
    lost = 0
    for t in range(1, epoch + 1):
        for k in range(kinds):
            for line in range(lines):
                value = rows[t - 1, k, line]
                if value != 0:
                    decayed = keep[k] * value
                    whole = np.floor(decayed)
                    random = shared
                    if shared < 0.0:
                        random = (random_bits(seed, np.uint64(counter + k * lines + line)) >> _S11) * 2.0**-53
                    rows[t, k, line] = int(whole) + (random < decayed - whole)
        for line in range(lines):
            if times[line] == t:
                lost += impulse(rows[t], line, impulses)
        counter += kinds * lines
    return rows, lost


@compiled
def of_traces(rows: Array, factors: Array, first: int) -> Array:
    """Multiply a product's factors that are traces first, first + 1, ... of ``rows``: (epoch + 1, lines)."""
    values = np.ones((rows.shape[0], rows.shape[2]), np.int32)
    for code, offset in factors:
        k = code - first
        if 0 <= k < rows.shape[1]:
            for t in range(rows.shape[0]):
                for line in range(rows.shape[2]):
                    factor = _i32(min(max(rows[t, k, line] + offset, -128), _TRACE_MAX))
                    values[t, line] = _i32(values[t, line] * factor)
    return values


@compiled
def of_words(weights: Array, tags: Array, factors: Array, into: Array) -> None:
    """Multiply a product's factors that are the weight or the tag of one line's synapses, (post,)."""
    into[:] = 1
    for code, offset in factors:
        if code >= W_FACTOR:
            words = weights if code == W_FACTOR else tags
            for i in range(len(into)):
                factor = _i32(min(max(_i32(words[i] + _i32(offset)), _i32(-512)), _i32(511)))
                into[i] = _i32(into[i] * factor)


@compiled
def add_row(sums: Array, lost: Array, line: Any, post: Array, words: Array, right: Any, left: Any) -> None:
    """N16. Add line * post * words, shifted right and left, to the accumulators of one line; all 32 bits wide."""
    for i in range(len(sums)):
        product = _i32(_i32(line * post[i]) * words[i])
        product = _i32(_i32(product >> right) << left)
        product = min(max(product, _LOW), _HIGH)
        total = _i32(sums[i] + product)
        clipped = min(max(total, _LOW), _HIGH)
        lost[i] |= clipped != total
        sums[i] = clipped


@inlined
def widen(words: Array, sums: Array, lost: Array) -> None:
    """N16. Begin the accumulators of one line from its words, with 7 bits below the last."""
    for i in range(len(words)):
        sums[i] = _i32(words[i] << 7)
        lost[i] = False


@inlined
def meet(lines: Array, j: int, rows: Array, words: Array, fired: Array, times: Array, into: Array) -> None:
    """Multiply a y0 product's factors where a row spiked, each at its own step, (post,); elsewhere 0."""
    into[:] = 0
    for i in fired:
        into[i] = _i32(_i32(lines[times[i], j] * rows[times[i], i]) * words[i])


@compiled
def round_row(
    sums: Array, lost: Array, words: Array, low: int, high: int, shared: int, seed: Any, counter: int, stride: int
) -> tuple[int, int, int]:
    """N18. Round the accumulators of one line into its words; return how many moved, saturated, and stand deepest."""
    moved, saturated, deepest = 0, 0, 0
    for i in range(len(sums)):
        word = sums[i] >> 7
        fraction = sums[i] & 127  # with >> 7, which rounds down: never negative, so that one draw serves both signs
        if fraction:
            random = shared if shared >= 0 else int(random_bits(seed, np.uint64(counter + i * stride)) >> _S57)
            word += random < fraction
        clipped = min(max(word, low), high)
        saturated += bool(lost[i]) | (clipped != word)
        moved += clipped != words[i]
        deepest += int(clipped == _DEEPEST) - int(words[i] == _DEEPEST)
        words[i] = clipped
    return moved, saturated, deepest


@compiled
def learn(
    weights: Array, tags: Array, x: Array, y: Array, tx: Array, ty: Array,
    products: Array, factors: Array, holds: bool, shared: int, seed: Any, counters: Array, deep: Array,
) -> tuple[int, int, int]:  # fmt: skip
    """N16 and N18 for every synapse. ``products``: rows of target, dependency, mantissa, right and left shift.

    x (epoch + 1, 2, pre) and y (epoch + 1, 3, post) are the histories; ``holds`` says whether uk terms count. Returns
    how many weights moved, and how many weights and tags saturated. ``deep`` (1,) counts tags at -257, kept up to date.
    """
    pre, post = weights.shape
    last, count = len(x) - 1, len(products)
    lines = [of_traces(x, factors[p], 0) for p in range(count)]
    rows = [of_traces(y, factors[p], 2) for p in range(count)]
    some = np.array([np.any(lines[p]) and np.any(rows[p]) for p in range(count)])
    fired = np.nonzero(ty)[0]
    sums, lost = np.zeros((2, post), np.int32), np.zeros((2, post), np.bool_)
    words, met, ones = np.zeros(post, np.int32), np.zeros(post, np.int32), np.ones(post, np.int32)
    moved, saturated = 0, np.zeros(2, np.int64)
    careful = deep[0] > 0  # a tag at -257 is clipped by any product, so that none of them may be skipped
    for j in range(pre):
        begun = np.zeros(2, np.bool_)
        for p in range(count):
            target, dependency, mantissa, right, left = products[p]
            t: Any = last
            idle: Any = not some[p]
            if dependency == X0:
                t = tx[j]
                idle |= t == 0
            elif dependency == Y0:
                idle |= len(fired) == 0
            else:
                idle |= not holds
            line = _i32(mantissa * lines[p][t, j])
            idle |= dependency != Y0 and line == 0
            if idle and not (careful and target == TAG):
                continue
            if not begun[target]:
                begun[target] = True
                own = weights[j] if target == WEIGHT else tags[j]
                widen(own, sums[target], lost[target])
            of_words(weights[j], tags[j], factors[p], words)
            if dependency == Y0:
                meet(lines[p], j, rows[p], words, fired, ty, met)
                add_row(sums[target], lost[target], _i32(mantissa), met, ones, _i32(right), _i32(left))
            else:
                line = _i32(0) if idle else line
                add_row(sums[target], lost[target], line, rows[p][t], words, _i32(right), _i32(left))
        if begun[WEIGHT]:
            m, s, _ = round_row(sums[0], lost[0], weights[j], -256, 255, shared, seed, counters[0] + j, pre)
            moved += m
            saturated[WEIGHT] += s
        if begun[TAG]:
            _, s, d = round_row(sums[1], lost[1], tags[j], _DEEPEST, 255, shared, seed, counters[1] + j, pre)
            saturated[TAG] += s
            deep[0] += d
    return moved, saturated[WEIGHT], saturated[TAG]

"""Cuba: one step of switch neurons (N24), each with parameters of its own, in 64 bits."""

from __future__ import annotations

from ...jit import kernel
from ...nodes.arithmetic import Array
from .words import WORD_MAX, clip, rescale, shift_towards_zero

COUNT_MAX = 2**15 - 1
CUBA_WORDS = 7  # shift and switches, before the rows of a word a neuron
ROWS = 8
START = 6  # the row of voltages at which a sample begins
VALUE, SUBTRACT = range(2)
SAME, NEXT, AFTER = range(3)
ONE, MANY, NONE = range(3)


@kernel
def reset(v: int, n: int, subtracts: bool, threshold: int, to: int) -> int:
    """Return the voltage after n spikes."""
    return v - n * threshold if subtracts else (to if n > 0 else v)


@kernel
def cuba(
    words: Array, sums: Array, high: Array, u: Array, v: Array, n: Array, flags: Array, message: Array, width: int,
    first: int,
) -> int:  # fmt: skip
    """N24. ``words``: shift, reset, when, >=, counts, lag, two sums; then rows of a word a neuron.

    The rows are decay, current decay, multiplier, bias, threshold, v_reset, v_start, floor. Of a neuron that sends at
    most one spike ``flags`` are written, of any other ``message``. Returned is how many words saturated.
    """
    shift, subtracts, when, inclusive = words[0], words[1] == SUBTRACT, words[2], words[3] != 0
    counts, lag, wide = words[4], words[5] != 0, words[6] != 0
    row = words[CUBA_WORDS + first :]
    saturated = 0
    for j in range(len(sums)):
        threshold, to = row[4 * width + j], row[5 * width + j]
        total = sums[j] + (high[j] << 8) if wide else sums[j]
        current = shift_towards_zero(u[j] * row[width + j], 16) + rescale(total, row[2 * width + j], shift, 0)
        held = clip(current, WORD_MAX)
        saturated += (abs(total) > WORD_MAX) + (held != current)
        before, volt = n[j], v[j]
        if when == NEXT and counts != NONE:
            after = reset(volt, before, subtracts, threshold, to)
            volt = clip(after, WORD_MAX)
            saturated += volt != after
        volt = shift_towards_zero(volt * row[j], 16) + held + row[3 * width + j]
        if when == AFTER and counts != NONE:
            volt = reset(volt, before, subtracts, threshold, to)
        x = clip(volt, WORD_MAX)
        saturated += x != volt
        fires = counts != NONE and (x > threshold or (inclusive and x == threshold))
        fired = 1 if fires else 0
        if fires and counts == MANY:
            many = x // threshold
            fired = min(many, COUNT_MAX)
            saturated += fired != many
        if when == SAME and counts != NONE:
            x = reset(x, fired, subtracts, threshold, to)
        x = max(x, row[7 * width + j])
        u[j], v[j], n[j] = held, x, fired
        sent = before if lag else fired
        if counts == ONE:
            flags[j] = sent
        else:
            message[j] = x if counts == NONE else sent
    return saturated


@kernel
def begin(words: Array, v: Array, width: int, first: int) -> None:
    """Set the voltages to those at which a sample begins."""
    row = words[CUBA_WORDS + START * width + first :]
    for j in range(len(v)):
        v[j] = row[j]

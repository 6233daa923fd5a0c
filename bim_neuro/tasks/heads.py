"""What a task asks of a sequence, its head, and the labels that answer it.

head     y                                     asked
class    (samples,)                            one class a sequence
step     (samples, steps), -1: not asked       a class at each step
next     (samples, steps), -1: not asked       the token after each step
labels   (samples, classes) of 0 and 1         which of the classes hold
ctc      (samples, longest), -1: padding       a string of classes, shorter than the sequence; class 0 is the blank
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import EVERY_STEP, NOT_ASKED
from ..errors import InputError

AT_ONCE = 2**20
"""Labels that are checked at a time: they may be a file larger than memory."""

Int64Array = NDArray[np.int64]


def check_lengths(lengths: Int64Array, steps: int) -> None:
    """Refuse a number of valid steps outside 1 to ``steps``, naming the first sample."""
    wrong = np.flatnonzero((lengths < 1) | (lengths > steps))
    if len(wrong):
        first = int(wrong[0])
        raise InputError(
            f"lengths holds {lengths[first]} at sample {first}, x has {steps:,} steps",
            f"a sample has from 1 to {steps:,} steps that count",
        )


def check_targets(head: str, y: Int64Array, lengths: Int64Array, steps: int, classes: int) -> None:
    """Refuse labels that do not answer the head: another shape, no such class, or an answer where none is asked.

    ``y`` of the shape above, ``lengths`` (samples,). Raises InputError.
    """
    wide: tuple[Any, ...] = {"class": (), "labels": (classes,), "ctc": ("longest",)}.get(head, (steps,))
    if y.ndim != 1 + len(wide) or (head != "ctc" and y.shape[1:] != wide):
        shape = ", ".join(("samples", *map(str, wide)))
        raise InputError(f"y has shape {y.shape}, head '{head}' asks for ({shape}{'' if wide else ','})")
    if not y.size:
        return
    lowest, highest = {"labels": (0, 1), "class": (0, classes - 1)}.get(head, (NOT_ASKED, classes - 1))
    if y.min() < lowest or y.max() > highest:
        if head == "labels":
            raise InputError(f"y runs from {y.min()} to {y.max()}, head 'labels' asks for 0 and 1")
        raise InputError(
            f"labels run from {y.min()} to {y.max()}, {classes} classes are named",
            "labels count from 0: subtract their lowest, y - y.min(), or name every class",
        )
    check = _check_steps if head in EVERY_STEP else _check_strings if head == "ctc" else None
    rows = max(1, AT_ONCE // y[0].size)
    for first in range(0, len(y) if check else 0, rows):
        assert check is not None
        check(y[first : first + rows], lengths[first : first + rows], first)


def _check_steps(y: Int64Array, lengths: Int64Array, offset: int) -> None:
    late = (y != NOT_ASKED) & (np.arange(y.shape[1]) >= lengths[:, None])
    if late.any():
        sample, step = np.argwhere(late)[0].tolist()
        message = f"y asks for class {y[sample, step]} at sample {offset + sample}, step {step}"
        raise InputError(f"{message}, which has {lengths[sample]:,} steps", f"{NOT_ASKED} where nothing is asked")
    silent = (y == NOT_ASKED).all(1)
    if silent.any():
        raise InputError(f"y asks nothing of sample {offset + int(silent.argmax())}", "leave the sample out")


def _check_strings(y: Int64Array, lengths: Int64Array, offset: int) -> None:
    asked = y != NOT_ASKED
    twins = ((y[:, 1:] == y[:, :-1]) & asked[:, 1:]).sum(1)  # a blank must stand between equal neighbours
    needs = asked.sum(1) + twins
    for wrong, words, hint in (
        ((y == 0).any(1), "holds class 0, which is the blank of head 'ctc'", "count from 1"),
        ((asked[:, 1:] & ~asked[:, :-1]).any(1), "goes on after its padding", f"pad with {NOT_ASKED} at the end only"),
        (~asked.any(1), "is empty", "leave the sample out"),
        (needs > lengths, "needs at least {needs} steps, it has {steps}", "give longer sequences"),
    ):
        if wrong.any():
            first = int(wrong.argmax())
            said = words.format(needs=needs[first], steps=lengths[first])
            raise InputError(f"y of sample {offset + first} {said}", hint)

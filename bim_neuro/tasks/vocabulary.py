"""Vocabulary: how many tokens the samples of a task hold, and whether their numbers are tokens at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import NOT_ASKED, SPLITS
from ..errors import InputError
from .dataset import Dataset, Task

AT_ONCE = 2**22
"""Tokens that are looked at together: a text stays on the disk."""


def vocabulary(task: Task) -> int:
    """Return how many tokens there are: those that any split holds, padding too, and the classes of head next.

    Raises InputError that names the first number of x that is no token.
    """
    largest = len(task.class_names) - 1 if task.head == "next" else 0
    for split in SPLITS:
        data: Dataset = getattr(task, split)
        for rows in _pieces(data):
            part = data.x[rows]
            _check_part(part, rows.start, data.place, split)
            largest = max(largest, int(part.max()))
    return largest + 1


def _check_part(part: NDArray[Any], first: int, place: NDArray[np.int64] | None, split: str) -> None:
    wrong = np.argwhere((part < 0) | (part != np.rint(part)))
    if len(wrong):
        row, step, channel = wrong[0]
        sample = first + row if place is None else place[first + row]
        message = f"x holds {part[row, step, channel]:g} at sample {sample}, step {step} ({split}), which is no token"
        raise InputError(message, "tokens are whole numbers from 0; pad with one of them too")


def holds_tokens(data: Dataset) -> bool:
    """Whether the numbers of x are those of tokens: whole by their type, or what y asks for a step earlier.

    ``y`` (samples, steps) are the labels of head next.
    """
    if data.x.dtype.kind in "iu":
        return True
    if data.y is None or data.x.shape[2] != 1:
        return False
    where = data.y[:, :-1] != NOT_ASKED
    for rows in _pieces(data):  # x may stay in its file
        if not (data.x[rows][:, 1:, 0] == data.y[rows, :-1])[where[rows]].all():
            return False
    return bool(where.any())


def _pieces(data: Dataset) -> Iterator[slice]:
    at_once = max(1, AT_ONCE // data.x.shape[1])
    return (slice(first, first + at_once) for first in range(0, len(data), at_once))

r"""What a network answers, by the task's head, from its readout r_t as it comes, some samples and steps at a time.

head     answer                                          from
class    the class (samples,)                            the largest mean of r over the steps that count
step     a class a step (samples, steps), -1: padding    the largest of r_t (next alike)
labels   a score of each label (samples, classes)        the mean of r; its sigmoid is the label's probability
ctc      a string (samples, steps), padded with -1       the largest of r_t, repeats made one, blanks left out
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..choices import BY_STEP, NOT_ASKED
from .clusters import log_probabilities, most_probable

Array = NDArray[Any]


class Answers:
    """Takes readings; gives ``predicted`` as above and, where the head is next, the ``bits`` of what ``y`` asks for.

    ``lengths`` (samples,) are the steps of each sample that count, of ``steps``; ``scale`` is the unit of the readings:
    integers are worth so much of the float readout. ``adaptive``: its last rows are clusters (clusters.py).
    """

    def __init__(
        self,
        head: str,
        lengths: Array,
        shape: tuple[int, int],
        y: Array | None = None,
        scale: float = 1.0,
        *,
        adaptive: bool = False,
    ) -> None:
        steps, classes = shape
        self.head, self.lengths, self.scale, self.classes = head, lengths, scale, classes
        self.adaptive = adaptive
        self.y = y if head == "next" else None
        self.nats, self.asked = np.zeros(len(lengths)), np.zeros(len(lengths), np.int64)  # threads bring other samples
        wide = steps if head in BY_STEP else classes
        self._said = np.full((len(lengths), wide), NOT_ASKED) if head in BY_STEP else np.zeros((len(lengths), wide))

    def add(self, sample: int, step: int, r: Array) -> None:
        """Take the readings (samples, steps, classes) that begin at ``sample`` and ``step``."""
        rows, columns = slice(sample, sample + len(r)), slice(step, step + r.shape[1])
        valid = step + np.arange(r.shape[1]) < self.lengths[rows, None]
        if self.head not in BY_STEP:
            self._said[rows] += np.einsum("bt,btc->bc", valid.astype(np.float64), r)
            return
        self._said[rows, columns] = np.where(valid, self._likeliest(r), NOT_ASKED)
        if self.y is not None:
            y = np.asarray(self.y[rows, columns], np.int64)
            self._tell(rows, r[y != NOT_ASKED] * self.scale, y)

    @property
    def total(self) -> Array:
        """The readings (samples, classes) summed over the steps that count, of a head that is asked at the end."""
        return self._said

    @property
    def predicted(self) -> Array:
        """The answers, of the shape above."""
        if self.head == "class":
            return np.asarray(self._said.argmax(1))
        if self.head == "labels":
            return np.asarray(self._said / self.lengths[:, None] * self.scale)
        return _strings(self._said) if self.head == "ctc" else self._said

    @property
    def bits(self) -> float:
        """The mean of -log2 p(y_t) over the tokens that were asked for, p the softmax of r_t."""
        return float(self.nats.sum() / np.log(2) / max(1, self.asked.sum()))

    def count(self, sample: int, total: Array) -> None:
        """Take readings (samples, classes) that are summed over all steps, of a head that is asked at the end."""
        self._said[sample : sample + len(total)] += total

    def _likeliest(self, r: Array) -> Array:
        if not self.adaptive:
            return np.asarray(r.argmax(2))
        return most_probable(r.reshape(-1, r.shape[2]) * self.scale).reshape(r.shape[:2])

    def _tell(self, rows: slice, r: Array, y: Array) -> None:
        """Add up -log p of the asked tokens of y (samples, steps), whose readings are r (asked, classes)."""
        places = np.nonzero(y != NOT_ASKED)[0]
        tokens = y[y != NOT_ASKED]
        if self.adaptive:
            nats = -log_probabilities(r, tokens)
        else:
            r = r.astype(np.float64)
            largest = r.max(1, keepdims=True, initial=-np.inf)
            nats = np.log(np.exp(r - largest).sum(1)) + largest[:, 0] - r[np.arange(len(tokens)), tokens]
        self.nats[rows] += np.bincount(places, nats, len(y))
        self.asked[rows] += np.bincount(places, minlength=len(y))


def _strings(best: Array) -> Array:
    """Return the strings of the best path: a class counts where it is no blank and differs from the one before."""
    before = np.concatenate([np.zeros_like(best[:, :1]), best[:, :-1]], 1)
    heard = (best > 0) & (best != before)
    found = np.full(best.shape, NOT_ASKED)
    place = heard.cumsum(1) - 1
    rows, columns = np.nonzero(heard)
    found[rows, place[rows, columns]] = best[rows, columns]
    return found

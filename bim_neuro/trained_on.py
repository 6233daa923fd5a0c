"""Which samples a model was trained on: an eight-byte hash and the split of each; samples cannot be recovered from it.

hashes  (samples,) int64, BLAKE2b of the float32 values (steps, channels), in the order of the file, or split by split
split   (samples,) int8, 0 train, 1 validation, 2 test
steps   how many steps a sample of the training split had
learnt  (more samples,) int64, hashes of samples learnt from later, on the chip; absent if there are none
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .errors import InputError
from .nodes.arithmetic import Array
from .printable import outline

KEY = "trained_on"
"""The name of the field in model.pt and in a graph's ``extra``."""
TEST = 2
_BYTES = 8


@dataclass(frozen=True, eq=False)
class TrainedOn:
    """The samples of a training file, and of the streams after it."""

    hashes: Array
    split: Array
    steps: int
    learnt: Array = field(default_factory=lambda: np.empty(0, np.int64))

    __repr__ = outline

    def __post_init__(self) -> None:
        hashes, split = np.asarray(self.hashes), np.asarray(self.split)
        whole = hashes.dtype == np.int64 and split.dtype == np.int8 and hashes.ndim == 1 and hashes.shape == split.shape
        if not whole or (len(split) and not 0 <= split.min() <= split.max() <= TEST):
            raise InputError(f"'{KEY}' must hold one 64-bit hash and one split of 0..{TEST} a sample")
        if self.learnt.dtype != np.int64 or self.learnt.ndim != 1:
            raise InputError(f"'{KEY}' must hold one 64-bit hash a sample learnt from")
        if isinstance(self.steps, bool) or not isinstance(self.steps, int) or self.steps < 1:
            raise InputError(f"'{KEY}' says that a sample has {self.steps!r} steps")

    @classmethod
    def of(cls, x: Array, split: Array) -> TrainedOn:
        """Note sequences x (samples, steps, channels) and the split of each."""
        return cls(sample_hashes(x), np.asarray(split, dtype=np.int8), int(x.shape[1]))

    @classmethod
    def of_parts(cls, parts: Sequence[Array], order: Array) -> TrainedOn:
        """Note the splits, x (samples, steps, channels) of each, one after the other or put in another order."""
        split = np.repeat(np.arange(len(parts), dtype=np.int8), [len(part) for part in parts])
        hashes = np.concatenate([sample_hashes(part) for part in parts])
        return cls(hashes[order], split[order], int(parts[0].shape[1]))

    @classmethod
    def parse(cls, plain: Any) -> TrainedOn | None:
        """Read what `plain` gave; None if there is nothing, InputError if it is damaged."""
        if plain is None:
            return None
        if not isinstance(plain, dict) or set(plain) - {"learnt"} != {"hashes", "split", "steps"}:
            raise InputError(f"'{KEY}' must hold hashes, split and steps")
        arrays = {name: np.asarray(array) for name, array in plain.items() if name != "steps"}
        return cls(steps=plain["steps"], **arrays)

    @property
    def plain(self) -> dict[str, Any]:
        """A dict of arrays and numbers, which every file format of ours can hold."""
        learnt = {"learnt": self.learnt} if len(self.learnt) else {}
        return {"hashes": self.hashes, "split": self.split, "steps": self.steps, **learnt}

    def after(self, hashes: Array) -> TrainedOn:
        """Note that the model has learnt from these samples too."""
        return replace(self, learnt=np.union1d(self.learnt, hashes))

    def split_of(self, hashes: Array) -> Array | None:
        """The split of each sample of the training file, in whatever order it is given; None for another file.

        Of samples that are equal and lie in several splits, each counts as trained on in a file of another order.
        """
        if np.array_equal(hashes, self.hashes):
            return self.split
        if not np.array_equal(np.sort(hashes), np.sort(self.hashes)):
            return None
        order = np.lexsort((self.split, self.hashes))
        return np.asarray(self.split[order[np.searchsorted(self.hashes[order], hashes)]])

    def seen(self, hashes: Array) -> Array:
        """Which samples took part in training: in its training split, in the one that chose the epoch, or since."""
        return np.isin(hashes, np.concatenate([self.hashes[self.split != TEST], self.learnt]))


def sample_hashes(x: Array) -> Array:
    """Return (samples,) int64."""
    samples = (np.asarray(sample, np.float32).tobytes() for sample in x)  # one at a time: x may be mapped from a disk
    digests = b"".join(hashlib.blake2b(sample, digest_size=_BYTES).digest() for sample in samples)
    return np.frombuffer(digests, dtype="<i8").astype(np.int64)

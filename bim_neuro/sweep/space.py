"""The space of a sweep: axes with their values, and every combination by its number, none of them kept in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import isfinite, prod
from typing import Any

from ..errors import InputError
from .names import Knob, find, read

MOST_VALUES = 10_000
_ROUNDS = 4
_DIGITS = 12
_HOW = "write it as quantise.weight_bits=8,16 or prune=0:0.9:0.1"


@dataclass(frozen=True)
class Axis:
    """A name and the values that it takes."""

    name: Knob
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Space:
    """Axes, the last of which changes fastest; those of training come last, so that trainings differ side by side."""

    axes: tuple[Axis, ...]

    @property
    def size(self) -> int:
        return prod(len(axis.values) for axis in self.axes)

    def at(self, index: int) -> dict[str, Any]:
        """Return combination ``index`` as {full name: value}."""
        values = {}
        for axis in reversed(self.axes):
            index, place = divmod(index, len(axis.values))
            values[axis.name.full] = axis.values[place]
        return dict(reversed(values.items()))

    def firsts(self, values: Mapping[str, Any], dropped: Iterable[str]) -> bool:
        """Whether every axis that has no effect here stands at its first value: others are the same trial."""
        left = set(dropped)
        return all(values[axis.name.full] == axis.values[0] for axis in self.axes if axis.name.full in left)


def space_of(pairs: Iterable[str], seeds: int | None, known: Mapping[str, Knob]) -> Space:
    """Read --vary and --seeds."""
    axes: dict[str, Axis] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not text.strip():
            raise InputError(f"--vary {pair:.60} gives no values", _HOW)
        name = find(key.strip(), known)
        if name.full in axes:
            raise InputError(f"--vary names {key.strip():.60} twice", "give all its values in one list")
        axes[name.full] = Axis(name, _values(key.strip(), text, name))
    if seeds is not None:
        axes |= _seeds(seeds, axes, known)
    if not axes:
        raise InputError("--vary is missing: nothing differs from trial to trial", _HOW)
    return Space(tuple(sorted(axes.values(), key=lambda axis: axis.name.trains)))


def _seeds(seeds: int, axes: Mapping[str, Axis], known: Mapping[str, Knob]) -> dict[str, Axis]:
    full = "seed" if "seed" in known else "learn.seed"
    if full in axes:
        raise InputError(f"--seeds and --vary {full} are given", "leave one of them out")
    return {full: Axis(known[full], tuple(range(seeds)))}


def _values(key: str, text: str, name: Knob) -> tuple[Any, ...]:
    parts = [part.strip() for part in text.split(",")]
    is_range = len(parts) == 1 and text.count(":") == 2 and name.setting.kind is not str
    values = [read(name, part, key) for part in (_steps(key, text) if is_range else parts)]
    if len(set(values)) < len(values):
        raise InputError(f"--vary {key} has a value twice: {text:.60}", "name each value once")
    return tuple(values)


def _steps(key: str, text: str) -> Iterator[str]:
    """Give the values of lo:hi:step, both ends included, as texts."""
    try:
        low, high, step = (float(part) for part in text.split(":"))
    except ValueError:
        raise InputError(f"--vary {key}={text:.60} is no range of numbers", _HOW) from None
    if not (isfinite(low) and isfinite(high) and isfinite(step) and step > 0 and low <= high):
        raise InputError(f"--vary {key}={text:.60} leads nowhere", "give lo:hi:step, as 0:0.9:0.1")
    count = int((high - low) / step * (1 + 1e-12) + 1e-9) + 1
    if count > MOST_VALUES:
        raise InputError(f"--vary {key}={text:.60} has {count:,} values, the limit is {MOST_VALUES:,}", "a larger step")
    return (f"{low + index * step:.{_DIGITS}g}" for index in range(count))


def shuffled(size: int, seed: int) -> Iterator[int]:
    """Give 0 .. size - 1, each once, in an order drawn by ``seed``: a Feistel network, which needs no memory."""
    half = max(1, (max(1, size - 1).bit_length() + 1) // 2)
    mask = (1 << half) - 1
    for index in range(1 << (2 * half)):
        left, right = index >> half, index & mask
        for turn in range(_ROUNDS):
            drawn = hashlib.blake2b(f"{seed} {turn} {right}".encode(), digest_size=8).digest()
            left, right = right, left ^ (int.from_bytes(drawn, "big") & mask)
        place = left << half | right
        if place < size:
            yield place

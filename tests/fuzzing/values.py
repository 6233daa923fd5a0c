"""What a hostile hand puts in place of a value: odd numbers, texts, types, depths, arrays."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Place = tuple[Any, Any]
"""A container and a key in it."""

TEXTS = (
    *("", "[/other]", "[bold]x", "\x1b[31mred\x1b[0m\x07", "\u202egpj.exe", "two\nlines\r\t", "\x00", "é😀", "=1+1"),
    *(
        "../../../etc/hostname",
        "/dev/zero",
        "%s{0}{x}",
        "x" * 5000,
        "nan",
        "1e999",
        "__class__",
        "\udcff",
        "a" * 70 + "/",
    ),
)
NUMBERS = (
    *(0, 1, -1, 2, 3, 7, 255, 2**15, 2**16, 2**24, 2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, 2**64, 10**18),
    *(10**30, 0.5, -0.0, 1e-9, 5e-324, 1e18, 1e38, 1e300, -1e300, math.inf, -math.inf, math.nan),
)
DTYPES = ("?", "i1", "u1", "i2", "<i4", ">i4", "i8", "u8", "f2", "<f4", ">f4", "<f8", ">f8", "c8", "c16", "S4", "U3")


def odd_value(rng: Random, value: Any) -> Any:
    """Return something else in the place of ``value``: near it, of its kind, or of another kind."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and rng.random() < 0.4:
        near = (value + 1, value - 1, -value, value * 2, value * 1000, value / 3)
        return rng.choice(near) if abs(value) < 1e300 else 0
    return rng.choice(
        (
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(NUMBERS),
            lambda: rng.choice(TEXTS),
            lambda: rng.choice((None, True, False, [], {}, [[]], [None], {"": None}, {"type": "dict"})),
            lambda: nested(rng.choice((3, 40, 900, 5000))),
            lambda: [copy.deepcopy(value)] * rng.choice((1, 2, 300)),
            lambda: str(value)[:5000],
        )
    )()


def nested(depth: int) -> list[Any]:
    """Return a list in a list in a list ..."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def places(tree: Any) -> list[Place]:
    """Return every place of a tree of dicts and lists, without recursion."""
    found: list[Place] = []
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        found += [(node, key) for key in keys]
        waiting += [node[key] for key in keys]
    return found


def odd_tree(rng: Random, tree: Any, leaf: Callable[[Random, Any], Any] = odd_value) -> Any:
    """Return a copy with one or two places replaced, dropped, renamed, doubled, or swapped."""
    changed = copy.deepcopy(tree)
    for _ in range(rng.choice((1, 1, 1, 2))):
        known = places(changed)
        if known:
            _change(rng, rng.choice(known), rng.choice(known), leaf)
    return changed


def _change(rng: Random, place: Place, other: Place, leaf: Callable[[Random, Any], Any]) -> None:
    (node, key), action = place, rng.random()
    if action < 0.65:
        node[key] = leaf(rng, node[key])
    elif action < 0.8:
        del node[key]
    elif action < 0.88 and isinstance(node, dict):
        node[rng.choice(TEXTS)] = node.pop(key)
    elif action < 0.94 and isinstance(node, list):
        node.insert(rng.randrange(len(node) + 1), copy.deepcopy(node[key]))
    else:
        node[key] = copy.deepcopy(other[0][other[1]])


def odd_array(rng: Random, array: Array) -> Array:
    """Return an array of another type, shape, size or content."""
    change = rng.randrange(6)
    if change == 0:
        with np.errstate(all="ignore"):
            return array.astype(rng.choice(DTYPES))
    if change == 1:
        return rng.choice(
            (array.ravel(), array[None], array[:0], array.T, array[..., :0], array.ravel()[:1], np.array(0))
        )
    if change == 2 and array.size:
        return np.resize(array, rng.choice((array.size * 3, 1, array.size + 1)))
    if change == 3:
        return np.array(rng.choice(("text", [["a", "b"]], [True, False], 1 + 2j, [1e300] * 4, [2**63 - 1] * 3, [])))
    if change == 4:
        return np.full(array.shape, rng.choice((math.nan, math.inf, -1.0, 0.0, 1e18, 1e300)))
    return _poked(rng, array)


def _poked(rng: Random, array: Array) -> Array:
    """Return the array with one to three values that do not belong."""
    if not array.size or array.dtype.kind not in "fiu":
        return np.zeros(3)
    poked = array.copy().ravel()
    for _ in range(rng.choice((1, 1, 3))):
        value = (
            rng.choice((math.nan, math.inf, -math.inf, 1e38, -1.0, 1e9))
            if array.dtype.kind == "f"
            else rng.choice((-1, 0, 127, 10**6, 2**31 - 1))
        )
        with np.errstate(all="ignore"):
            poked[rng.randrange(poked.size)] = np.array(value).astype(array.dtype)
    return poked.reshape(array.shape)

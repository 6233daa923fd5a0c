"""Ways: all placements of a few cores on a mesh that can be optimal, for the hops or for the busiest link too.

Two neighbouring rows with no column used in both can be merged: the cores of the lower row move up, no distance grows,
and no two cores collide. The same holds for columns. So, whatever the price of a hop, there is an optimal placement in
which every two neighbouring rows share a used column and every two neighbouring columns share a used row. It fits in a
corner of the mesh with rows + columns <= cores + 1. Of placements that are mirror images of each other, which cost the
same, one is kept.

Merged rows share their links, so for the load of links only rows and columns without any core may be left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, pairwise, permutations, product
from typing import NamedTuple

import numpy as np

from ...nodes.arithmetic import Array
from .mesh import Mesh

FEW = 6  # most cores: 6 have 51 thousand placements, 7 have a million
FEW_APART = 4  # most cores where rows are not merged

Shape = tuple[tuple[int, int], ...]
"""The places that are taken, (column, row), in rising order."""


class Ways(NamedTuple):
    """``sites`` (ways, cores), and the distances of every two cores, (ways, pairs), in the order of `pairs`."""

    sites: Array
    east_west: Array
    north_south: Array


def pairs(cores: int) -> dict[tuple[int, int], int]:
    """Return {(core, later core): index} of every two cores."""
    return {pair: index for index, pair in enumerate(combinations(range(cores), 2))}


def ways(mesh: Mesh, cores: int, merged: bool = True) -> Ways | None:
    """Return all candidates, None where there are too many or the mesh is not a rectangle that holds them all.

    With ``merged`` those that can have the fewest hops, else those that can have the least load on a link.
    """
    rows = mesh.cores // mesh.columns
    if cores > (FEW if merged else FEW_APART) or mesh.chips > 1 or (mesh.cores % mesh.columns and rows < cores):
        return None
    return _ways(cores, mesh.columns, min(rows, cores), merged)


@lru_cache(maxsize=16)
def _ways(cores: int, columns: int, rows: int, merged: bool) -> Ways:
    orders = np.array(list(permutations(range(cores))))
    shapes = _shapes(cores) if merged else _shapes_apart(cores)
    taken = np.array([shape for shape in shapes if max(shape)[0] < columns and _height(shape) <= rows])
    x, y = (taken[:, :, axis][:, orders].reshape(-1, cores) for axis in (0, 1))
    one, other = np.array(list(pairs(cores)), int).reshape(-1, 2).T
    return Ways(y * columns + x, _apart(x, one, other), _apart(y, one, other))


def _apart(axis: Array, one: Array, other: Array) -> Array:
    return np.asarray(np.abs(axis[:, one] - axis[:, other]), np.float64)


def _height(shape: Shape) -> int:
    return 1 + max(row for _, row in shape)


def _shapes(cores: int) -> Iterator[Shape]:
    """Yield the shapes in which no two rows or columns can be merged, without mirror images."""
    for width, height in product(range(1, cores + 1), repeat=2):
        if width + height <= cores + 1:
            for shape in combinations(product(range(width), range(height)), cores):
                if _dense(shape, width) and _dense(_turned(shape), height) and shape == min(_images(shape)):
                    yield shape


def _shapes_apart(cores: int) -> Iterator[Shape]:
    """Yield the shapes without an empty row or column, without mirror images."""
    for width, height in product(range(1, cores + 1), repeat=2):
        for shape in combinations(product(range(width), range(height)), cores):
            full = {x for x, _ in shape} == set(range(width)) and {y for _, y in shape} == set(range(height))
            if full and shape == min(_images(shape)):
                yield shape


def _dense(shape: Shape, width: int) -> bool:
    """Whether every two neighbouring columns share a used row."""
    rows = [{row for column, row in shape if column == x} for x in range(width)]
    return all(left & right for left, right in pairwise(rows)) and all(rows)


def _turned(shape: Shape) -> Shape:
    return tuple(sorted((y, x) for x, y in shape))


def _images(shape: Shape) -> Iterator[Shape]:
    width, height = max(x for x, _ in shape), max(y for _, y in shape)
    for across, down in product((False, True), repeat=2):
        yield tuple(sorted((width - x if across else x, height - y if down else y) for x, y in shape))

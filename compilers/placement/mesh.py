"""Mesh: the positions of a board's cores, and the distance of a message between them.

A chip's cores are numbered row by row on its mesh, the chips row by row on the board; a message takes the shortest
path, and crosses from one chip to the next over one link. ``index`` counts the first chip's cores, then the second's.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Any, NamedTuple

import numpy as np

from ...hardware import HardwareProfile
from ...nodes.arithmetic import Array, ceil_div


class Hops(NamedTuple):
    """Hops on the meshes of chips, and links between chips: numbers of one message, or arrays of many."""

    east_west: Any
    north_south: Any
    links: Any

    @property
    def total(self) -> Any:
        return self.east_west + self.north_south + self.links

    def priced(self, price: Hops) -> Any:
        """Return their cost, with a price for each kind of hop."""
        return self.east_west * price.east_west + self.north_south * price.north_south + self.links * price.links


ALIKE = Hops(1.0, 1.0, 1.0)
"""Prices at which all hops count the same."""


@dataclass(frozen=True)
class Mesh:
    """Chips in rows of ``chip_columns``, each with ``cores`` in rows of ``columns``.

    ``chips`` are used, a block in the board's corner with ``width`` chips in each full row.
    """

    cores: int
    columns: int
    chips: int
    chip_columns: int
    width: int

    @classmethod
    def of(cls, profile: HardwareProfile, cores: int) -> Mesh:
        """Return the fewest chips of the profile that have ``cores`` cores, in a block as square as possible."""
        assert profile.cores_per_chip is not None, "a simulation has no mesh"
        columns, board = int(profile.capacity.mesh_columns.number), profile.board
        chips, chip_columns = max(1, ceil_div(cores, profile.cores_per_chip)), int(board.chip_columns.number)
        chip_rows = ceil_div(int(board.chips.number), chip_columns)
        width = min(max(ceil(sqrt(chips)), ceil_div(chips, chip_rows)), chip_columns)
        return cls(profile.cores_per_chip, columns, chips, chip_columns, width)

    @property
    def places(self) -> Array:
        """Return the cores of the chips that are used, chip by chip."""
        chip = np.arange(self.chips)
        chip = chip // self.width * self.chip_columns + chip % self.width
        return (chip[:, None] * self.cores + np.arange(self.cores)).ravel()

    @property
    def rows(self) -> int:
        return ceil_div(self.cores, self.columns)

    def chip(self, index: Array | int) -> tuple[Array, Array]:
        """Return column and row of a core's chip on the board."""
        chip = np.asarray(index) // self.cores
        return chip % self.chip_columns, chip // self.chip_columns

    def position(self, index: Array | int) -> tuple[Array, Array]:
        """Return column and row of a core, counted over all chips."""
        column, row = self.chip(index)
        core = np.asarray(index) % self.cores
        return column * self.columns + core % self.columns, row * self.rows + core // self.columns

    def index(self, x: Array | int, y: Array | int) -> Array:
        """Return the core at a column and a row, as `position` counts them; one that a chip lacks has no core there."""
        chip = np.asarray(y) // self.rows * self.chip_columns + np.asarray(x) // self.columns
        return np.asarray(chip * self.cores + np.asarray(y) % self.rows * self.columns + np.asarray(x) % self.columns)

    def priced(self, index: Array | int, price: Hops) -> tuple[Array, Array]:
        """Return column and row of a core on scaled axes, where the distance of two places is the cost of a message."""
        (x, y), (chip_x, chip_y) = self.position(index), self.chip(index)
        return (
            price.east_west * (x - chip_x) + price.links * chip_x,
            price.north_south * (y - chip_y) + price.links * chip_y,
        )

    def hops(self, source: Array | int, target: Array | int) -> Hops:
        """Return the hops from one core to another."""
        (x, y), (to_x, to_y) = self.position(source), self.position(target)
        (chip_x, chip_y), (to_chip_x, to_chip_y) = self.chip(source), self.chip(target)
        across, down = np.abs(chip_x - to_chip_x), np.abs(chip_y - to_chip_y)
        return Hops(np.abs(x - to_x) - across, np.abs(y - to_y) - down, across + down)

    def nearest(self) -> Array:
        """Return, in rising order, lower bounds of the distances from any core to the others."""
        width = self.columns * min(self.chips, self.width)
        height = self.rows * ceil_div(self.chips, self.width)
        x, y = np.arange(width), np.arange(height)
        distances = np.abs(x - width // 2)[None, :] + np.abs(y - height // 2)[:, None]
        return np.asarray(np.sort(distances.ravel())[1:])

"""A grid of dialects: an axis for each switch that concerns a file's layers, and which of them are one law there.

Most dialects compute the same in a given network: where v_reset is 0, resetting to it and resetting to 0 are one law,
and a switch of layers that are not there changes nothing. A law is run once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import product

import numpy as np

from ..nir_bridge import ForeignFile
from ..nir_bridge.dialect import CONCERNS, PRESETS, Dialect, dialect_of
from ..nir_bridge.discretise import NeuronLaw
from ..nodes.arithmetic import Array
from ..nodes.switches import SWITCHES

_AS_THEY_ARE = ("compare", "counts", "lag", "rec_first", "rec_input")
"""Switches of which each value is a law of its own; of the others equal numbers make one."""


@dataclass(frozen=True, eq=False)
class Grid:
    """Arrays over the grid have an axis for each of ``switches``, of length 1 where a switch changes nothing."""

    file: ForeignFile
    switches: tuple[str, ...]

    @classmethod
    def of(cls, file: ForeignFile) -> Grid:
        """Return the grid of every switch that concerns a layer of a file."""
        concerned = {name for layer in file.neurons for name in _concerning(file, layer)}
        return cls(file, tuple(name for name in SWITCHES if name in concerned))

    @cached_property
    def values(self) -> tuple[tuple[str, ...], ...]:
        """The values along each axis, the default first."""
        return tuple(tuple(SWITCHES[name].values) for name in self.switches)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(map(len, self.values))

    def dialect(self, index: Array | tuple[int, ...]) -> Dialect:
        """Return the dialect at a place of the grid."""
        return Dialect({name: of[int(at)] for name, of, at in zip(self.switches, self.values, index, strict=True)})

    def index(self, dialect: Dialect) -> Array:
        """Return the place of a dialect, whose exceptions have none."""
        return np.array([of.index(dialect[name]) for name, of in zip(self.switches, self.values, strict=True)])

    @cached_property
    def presets(self) -> dict[str, list[Array]]:
        """The presets that have a place here, those without exceptions for the file's layers: it, then its options'."""
        kinds = {*self.file.neurons, *self.file.neurons.values()}
        plain = {name: preset for name, preset in PRESETS.items() if not kinds & preset.layers.keys()}
        return {name: [self._index_of(name, {}), *(self._index_of(name, option.switches) for option in preset.options)]
                for name, preset in plain.items()}  # fmt: skip

    def _index_of(self, preset: str, switches: Mapping[str, str]) -> Array:
        return self.index(dialect_of({"name": preset, **switches}))

    @cached_property
    def laws(self) -> dict[str, Array]:
        """A number for each law of each layer, over the axes that concern it."""
        return {layer: self._laws_of(layer) for layer in self.file.neurons}

    def _laws_of(self, layer: str) -> Array:
        concerning = _concerning(self.file, layer)
        lengths = [len(of) if name in concerning else 1 for name, of in zip(self.switches, self.values, strict=True)]
        kept = [name in _AS_THEY_ARE for name in self.switches]
        numbers: dict[bytes, int] = {}
        found = np.zeros([1 if same else length for length, same in zip(lengths, kept, strict=True)], np.int64)
        for index in product(*map(range, found.shape)):
            key = _bytes_of(self.file.law_of(layer, self.dialect(index)))
            found[index] = numbers.setdefault(key, len(numbers))
        for axis, (length, same) in enumerate(zip(lengths, kept, strict=True)):
            if same and length > 1:
                along = np.arange(length).reshape([-1 if at == axis else 1 for at in range(len(lengths))])
                found = found * length + along
        return found

    def classes(self, layers: tuple[str, ...]) -> tuple[Array, Array]:
        """Return over the grid which joint law some layers follow, and a place of the grid for each law."""
        ids = np.broadcast_arrays(*(self.laws[layer] for layer in layers))
        rows = np.stack([each.ravel() for each in ids], axis=1)
        _, first, joint = np.unique(rows, axis=0, return_index=True, return_inverse=True)
        shape = ids[0].shape
        return joint.reshape(shape), np.stack(np.unravel_index(first, shape), axis=1)


def _concerning(file: ForeignFile, layer: str) -> set[str]:
    kind = file.neurons[layer]
    return {name for name, kinds in CONCERNS.items() if kind in kinds} | file.loop_switches


def _bytes_of(law: NeuronLaw) -> bytes:
    values = (getattr(law, item.name) for item in fields(law))
    return b"|".join(_rounded(value) if isinstance(value, np.ndarray) else str(value).encode() for value in values)


def _rounded(numbers: Array) -> bytes:
    """Return numbers to 20 bits: files hold 32-bit numbers, so that what should be 1 is near it."""
    mantissa, exponent = np.frexp(numbers)
    rounded: Array = np.ldexp(np.rint(mantissa * 2**20), exponent)
    return bytes(rounded.tobytes())

"""Shapes of arrays in types: ``output: Annotated[Array, Real("samples neurons")]``.

To mypy and at run time such a field is an array. tests/test_shapes.py makes jaxtyping types of them and holds what real
runs leave against these with beartype; neither package is needed, or loaded, to use bim_neuro.

The text is jaxtyping's: an axis a name, ``...`` any axes, ``*name`` any axes of that name. One name is one length in an
object, and the value of its whole number of that name, if it has one: ``samples`` of a run record.
"""

from __future__ import annotations

from typing import NamedTuple


class Bool(NamedTuple):
    """An array of truth values."""

    axes: str


class Int(NamedTuple):
    """An array of whole numbers."""

    axes: str


class Real(NamedTuple):
    """An array of floats or whole numbers."""

    axes: str

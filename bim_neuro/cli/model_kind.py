"""The kind of a model's file, by its name and first bytes."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import InputError
from ..intake import is_hdf5, opened
from ..model.state_dict import MARK

_PEEKED = 2**20  # bytes of a file in which torch's names of weights stand


def is_nir(path: Path) -> bool:
    """Whether a file is one for the NIR reader; one that cannot be opened may be."""
    try:
        with opened(path) as file:
            return path.suffix in (".nir", ".net") or is_hdf5(file)
    except InputError:  # the reader raises the error
        return True


def is_s4d(path: Path) -> bool:
    """Whether a file has the name of an S4D's weight; one that cannot be opened may."""
    try:
        with opened(path) as file:
            return MARK.encode() in os.pread(file.descriptor, _PEEKED, 0)
    except InputError:  # the reader raises the error
        return True


def says_less(path: Path) -> bool:
    """Whether a file may not say how long its steps are, nor how raw input becomes messages."""
    return is_nir(path) or is_s4d(path)

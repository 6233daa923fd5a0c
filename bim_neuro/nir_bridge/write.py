"""Write a .nir file: the standard layer, then the exact copy beside it, then one rename."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import h5py
import nir

from ..errors import InputError
from ..graph import FloatGraph
from . import exact
from .check import check_graph
from .metadata import KEY, describe
from .standard import standard_graph


def write_nir(graph: FloatGraph, path: Path) -> None:
    """Write a float graph atomically: an interrupted write leaves the former file or none."""
    check_graph(graph)
    path = Path(path)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            part = Path(folder) / "part.nir"
            _write(graph, part)
            part.replace(path)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)  # h5py puts a page of text into strerror
        raise InputError(f"cannot write {path}: {reason}") from None


def _write(graph: FloatGraph, path: Path) -> None:
    standard = standard_graph(graph)
    standard.metadata = {KEY: describe(graph)}
    nir.write(path, standard)
    with h5py.File(path, "r+") as file:
        _drop_resets(file)
        exact.store(graph, file)


def _drop_resets(file: h5py.File) -> None:
    """Delete the ``v_reset`` fields, all 0 and so the default: nir before 1.0.6 refuses files with them."""
    for node in file["node/nodes"].values():
        if "v_reset" in node:
            del node["v_reset"]

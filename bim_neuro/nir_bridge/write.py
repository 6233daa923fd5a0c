"""Write a .nir file: the standard layer, then the exact copy beside it, in memory; then one write and one rename."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import nir

from .. import arguments
from ..atomic import write
from ..graph import FloatGraph
from . import exact
from .check import check_graph
from .metadata import KEY, describe
from .standard import standard_graph


def write_nir(graph: FloatGraph, path: str | Path) -> None:
    """Write a float graph atomically: an interrupted write leaves the former file or none.

    The file is built in memory: HDF5 on a full disk raises errors of its own, and may crash when Python ends.
    """
    check_graph(graph)
    path = arguments.new_file(path)
    standard = standard_graph(graph)
    standard.metadata = {KEY: describe(graph)}
    memory = io.BytesIO()
    nir.write(memory, standard)
    with h5py.File(memory, "r+") as file:
        _drop_resets(file)
        exact.store(graph, file)
    write(path, memory.getbuffer())


def _drop_resets(file: h5py.File) -> None:
    """Delete the ``v_reset`` fields that are all 0, the default: nir before 1.0.6 refuses files with them."""
    for node in file["node/nodes"].values():
        if "v_reset" in node and not node["v_reset"][()].any():
            del node["v_reset"]

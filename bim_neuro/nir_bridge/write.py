"""Write a .nir file: the standard layer, then the exact copy beside it, in memory; then one write and one rename."""

from __future__ import annotations

import io
from pathlib import Path

import h5py
import nir

from .. import arguments
from ..atomic import write
from ..errors import Finding
from ..graph import FloatGraph
from . import exact
from .check import check_graph
from .importers import importer_of, unplayable
from .metadata import KEY, describe
from .standard import in_its_time, standard_graph


def write_nir(graph: FloatGraph, path: str | Path, *, importer: str | None = None) -> None:
    """Write a float graph atomically: an interrupted write leaves the former file or none.

    ``importer`` is whose importer is to play it, where they disagree: 'norse', 'snntorch', 'spikingjelly', or 'nir104'
    for what reads files by nir 1.0.4 (`importers`; `unplayed` says what each cannot). The same graph gives the same
    bytes: the file holds versions and a hash of the graph, no date, path or command.
    The file is built in memory: HDF5 on a full disk raises errors of its own, and may crash when Python ends.
    """
    check_graph(graph)
    path = arguments.new_file(path)
    reader = importer_of(importer)
    standard = standard_graph(graph, reader)
    standard.metadata = {KEY: describe(in_its_time(graph, reader))}
    memory = io.BytesIO()
    nir.write(memory, standard)
    with h5py.File(memory, "r+") as file:
        _drop_resets(file, everywhere=importer == "nir104")
        exact.store(graph, file)
    write(path, memory.getbuffer())


def unplayed(graph: FloatGraph, importer: str) -> tuple[Finding, ...]:
    """Return a warning for every node that an importer does not play as we do."""
    reader = importer_of(importer)
    return unplayable(graph, standard_graph(graph, reader), reader)


def _drop_resets(file: h5py.File, *, everywhere: bool) -> None:
    """Delete the ``v_reset`` fields that are all 0, the default: nir before 1.0.6 refuses files with them."""
    for node in file["node/nodes"].values():
        if "v_reset" in node and (everywhere or not node["v_reset"][()].any()):
            del node["v_reset"]

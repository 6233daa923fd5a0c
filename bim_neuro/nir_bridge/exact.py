"""The exact copy: a float graph as the root group /bim_neuro, beside /node and ignored by nir.read.

    /bim_neuro/version    1
    /bim_neuro/header     JSON text: nodes, edges, numbers (`pack`)
    /bim_neuro/sha256     of the header and the arrays: HDF5 itself does not notice a flipped byte
    /bim_neuro/arrays/..  the arrays that the header names, bit for bit

No pickles: nothing in the file is executed.
"""

from __future__ import annotations

import hashlib
import json

import h5py

from ..errors import InputError
from ..graph import FloatGraph
from ..intake import Budget, Tree
from ..nodes.arithmetic import Array
from ..pack import pack, unpack
from .check import check_extra, check_graph
from .hdf5 import read_array, read_arrays, read_text

GROUP = "bim_neuro"
VERSION = 1
COPIES = 3
"""Peak memory of compiling an array, as a multiple of its size: the array, checked, scaled and rounded copies."""


def store(graph: FloatGraph, file: h5py.File) -> None:
    """Add the copy to an open file."""
    header, arrays = pack(graph)
    text = json.dumps(header)
    group = file.create_group(GROUP)
    group["version"] = VERSION
    group["header"] = text
    group["sha256"] = _digest(text, arrays)
    for name, array in arrays.items():
        group.create_dataset(f"arrays/{name}", data=array, compression="gzip" if array.size > 64 else None)


def load(group: Tree, budget: Budget) -> FloatGraph:
    """Read the copy back; errors name what is inconsistent or takes more than ``budget``."""
    version = read_array(group, "version", f"/{GROUP}")
    if version.shape or version != VERSION:
        hint = f"this bim-neuro reads version {VERSION}; a newer one may read this file"
        raise InputError(f"/{GROUP} has format version {version}", hint)
    text = read_text(group, "header", f"/{GROUP}")
    stored = group.get("arrays", {})
    if not isinstance(stored, dict):
        raise InputError(f"/{GROUP}/arrays is not a group")
    arrays = read_arrays(stored, f"/{GROUP}/arrays")
    budget.take(f"compiling /{GROUP}", COPIES * sum(array.nbytes for array in arrays.values()))
    try:
        header = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"/{GROUP}/header is not JSON: {error}") from None
    if read_text(group, "sha256", f"/{GROUP}") != _digest(text, arrays):
        raise InputError(f"/{GROUP} is damaged: its checksum is wrong", "write the file again from model.pt")
    graph = unpack(header, arrays)
    if not isinstance(graph, FloatGraph):
        raise InputError(f"/{GROUP} holds a {type(graph).__name__}, not a float graph")
    check_graph(graph)
    check_extra(graph.extra)
    return graph


def _digest(text: str, arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()

"""Write a program as a .net file of lava-dl: the same program gives the same bytes.

netx reads /layer alone. The attributes of the root are for people: who wrote the file, the SHA-256 of its datasets, and
how many bits a message of the input has, which netx wants to be told (``Network(..., input_message_bits=...)``).
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import h5py
import numpy as np

from .. import arguments
from .._version import __version__
from ..atomic import write
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from .express import layers_of
from .file import GROUP

_SMALL = 1024
"""Numbers of a dataset that are not worth packing."""
FORMAT = "lava.lib.dl.netx 0.6"


def write_net(graph: IntegerGraph, path: str | Path) -> None:
    """Write a program's graph; `DoesNotFit` says for every layer why netx cannot express it."""
    path = arguments.new_file(path)
    write(path, as_net(graph))


def as_net(graph: IntegerGraph) -> bytes:
    """Return the file's bytes."""
    memory = io.BytesIO()
    datasets = {
        f"{GROUP}/{index}/{name}": _narrow(name, np.asarray(value))
        for index, (kind, fields) in enumerate(layers_of(arguments.instance(graph, IntegerGraph, "graph")))
        for name, value in {"type": np.array([kind.encode()]), **fields}.items()
    }
    bits = graph.nodes[graph.source].message_bits
    with h5py.File(memory, "w", track_order=False) as file:
        for name, value in datasets.items():
            packed = {"compression": "gzip", "shuffle": True} if value.size > _SMALL else {}
            file.create_dataset(name, data=value, track_times=False, **packed)
        file.attrs["format"] = FORMAT
        file.attrs["bim_neuro"] = __version__
        file.attrs["sha256"] = _digest(datasets)
        file.attrs["input_message_bits"] = 0 if bits == 1 else bits
    return memory.getvalue()


def _narrow(name: str, value: Array) -> Array:
    """Return whole numbers of 32 bits; weights, of which there are many, have 16."""
    if value.dtype.kind != "i":
        return value
    return value.astype(np.int16 if name.startswith("weight") else np.int32)


def _digest(datasets: dict[str, Array]) -> str:
    digest = hashlib.sha256()
    for name, value in datasets.items():
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()

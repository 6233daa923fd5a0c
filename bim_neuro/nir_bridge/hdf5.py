"""The tolerant reader: HDF5 becomes plain NIR nodes and edges, also where nir.read refuses a sound graph.

It asks for no optional field, infers no types, expands nested graphs (their nodes get dotted names), and
drops duplicate edges. What a node means is `foreign`'s business.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from mmap import ACCESS_READ, mmap
from pathlib import Path
from struct import Struct
from struct import error as struct_error
from typing import Any

import h5py
import numpy as np

from ..errors import InputError
from ..nodes.arithmetic import Array

MAX_VALUES = 2**28  # 2 GiB of float64: a damaged header may claim any size
MAX_DEPTH = 16  # of nested graphs
_HEAP = b"GCOL\x01"
_SIZE, _OBJECT = Struct("<Q"), Struct("<H6xQ")
_DAMAGE = (
    OSError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    MemoryError,
    struct_error,
)


@dataclass(frozen=True)
class NirNode:
    """A node as the file has it: its type and its numeric fields."""

    type: str
    fields: dict[str, Array]


@dataclass
class NirGraph:
    """A flat graph: nodes by dotted name, edges without duplicates, our metadata text where there is one."""

    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    metadata: str | None = None
    entries: dict[str, str] = field(default_factory=dict)  # nested graph -> its Input
    exits: dict[str, str] = field(default_factory=dict)  # nested graph -> its Output


@contextmanager
def open_nir(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading; whatever goes wrong in it becomes one `InputError`."""
    if not path.is_file():
        raise InputError(f"no such file: {path}" if not path.exists() else f"{path} is not a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    try:
        if not h5py.is_hdf5(path):
            raise InputError(f"{path} is not an HDF5 file, so not a NIR graph", "nir.write makes .nir files")
        check_heaps(path)
        with h5py.File(path, "r") as file:
            yield file
    except InputError as error:
        message = error.message if str(path) in error.message else f"{path}: {error.message}"
        raise InputError(message, error.hint) from None
    except _DAMAGE as error:
        raise InputError(f"{path} is damaged: {first_line(error)}", "copy or export the file again") from None


def read_graph(file: h5py.File, metadata_key: str) -> NirGraph:
    """Return the graph under /node."""
    root = file.get("node")
    if not isinstance(root, h5py.Group):
        raise InputError("the file holds no NIR graph: it has no group /node", "nir.write makes .nir files")
    kind = read_text(root, "type")
    if kind != "NIRGraph":
        raise InputError(f"the file holds a single {kind} node, not a graph", "wrap it in a nir.NIRGraph")
    graph = NirGraph()
    if isinstance(root.get("metadata"), h5py.Group) and metadata_key in root["metadata"]:
        graph.metadata = read_text(root["metadata"], metadata_key)
    _add(graph, root, "", MAX_DEPTH)
    return graph


def read_dataset(group: h5py.Group, name: str) -> Any:
    """Return the value of a dataset, of bounded size."""
    if not isinstance(group.get(name), h5py.Dataset):
        raise InputError(f"'{group.name}' has no dataset '{name}'")
    dataset = group[name]
    if dataset.size is None or dataset.size > MAX_VALUES:
        raise InputError(f"'{dataset.name}' claims {dataset.size} values, at most {MAX_VALUES} are read")
    return dataset[()]


def read_text(group: h5py.Group, name: str) -> str:
    """Return a dataset that holds one text."""
    value = read_dataset(group, name)
    if not isinstance(value, bytes | str):
        raise InputError(f"'{group.name}/{name}' is not a text")
    return value.decode() if isinstance(value, bytes) else value


def read_arrays(group: h5py.Group, prefix: str = "") -> dict[str, Array]:
    """Return every dataset below a group by its path."""
    arrays: dict[str, Array] = {}
    for name, item in group.items():
        if isinstance(item, h5py.Group):
            arrays |= read_arrays(item, f"{prefix}{name}/")
        else:
            arrays[prefix + name] = np.asarray(read_dataset(group, name))
    return arrays


def check_heaps(path: Path) -> None:
    """Refuse a file with a broken global heap (where HDF5 keeps texts): the HDF5 library would walk it for ever.

    A heap is 8 bytes of signature, its size, and objects of index (2 bytes), count (2), nothing (4), size (8) and
    content padded to 8; index 0 is the free rest. HDF5 file format 3.0, III.E; an empty free rest is what hangs.
    """
    with path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        start = content.find(_HEAP)
        while start >= 0:
            end = start + _SIZE.unpack_from(content, start + 8)[0]
            position = start + 16
            while position + 16 <= end <= len(content):
                index, size = _OBJECT.unpack_from(content, position)
                step = size if index == 0 else 16 + (size + 7) // 8 * 8
                if step < 16:
                    raise InputError("its table of texts is broken", "copy or export the file again")
                position += step
            start = content.find(_HEAP, start + 1)


def first_line(error: BaseException) -> str:
    """Return the first line of an error, shortened."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _add(graph: NirGraph, group: h5py.Group, prefix: str, depth: int) -> None:
    """Add the nodes and edges of one graph, nested ones expanded."""
    if depth == 0:
        raise InputError(f"graphs are nested more than {MAX_DEPTH} deep at '{prefix}'")
    if not isinstance(group.get("nodes"), h5py.Group):
        raise InputError(f"graph '{prefix or '/node'}' has no nodes")
    for name, node in group["nodes"].items():
        if not isinstance(node, h5py.Group):
            raise InputError(f"node '{prefix}{name}' is not a group")
        kind = read_text(node, "type")
        if kind == "NIRGraph":
            _add_nested(graph, node, prefix + name, depth)
        else:
            graph.nodes[prefix + name] = NirNode(kind, _numbers(node))
    for source, target in _edges(group, prefix):
        graph.edges[graph.exits.get(source, source), graph.entries.get(target, target)] = None


def _add_nested(graph: NirGraph, group: h5py.Group, name: str, depth: int) -> None:
    """Expand a nested graph; its Input and Output become plain wires, like a Flatten."""
    before = set(graph.nodes)
    _add(graph, group, f"{name}.", depth - 1)
    inner = [node for node in graph.nodes if node not in before]
    for kind, ends in (("Input", graph.entries), ("Output", graph.exits)):
        found = [node for node in inner if graph.nodes[node].type == kind]
        if len(found) != 1:
            raise InputError(f"nested graph '{name}' has {len(found)} {kind} nodes, one is read")
        ends[name] = found[0]
        graph.nodes[found[0]] = NirNode("Flatten", {})


def _edges(group: h5py.Group, prefix: str) -> list[tuple[str, str]]:
    if "edges" not in group:
        return []
    edges = np.asarray(read_dataset(group, "edges"))
    if edges.size == 0:
        return []
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise InputError(f"the edges of '{prefix or '/node'}' have shape {edges.shape}, they must be pairs of names")
    return [(prefix + _name(source), prefix + _name(target)) for source, target in edges]


def _name(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _numbers(group: h5py.Group) -> dict[str, Array]:
    """Return the numeric fields of a node; texts (a Conv2d's padding) and metadata are left out."""
    return {
        name: np.asarray(read_dataset(group, name))
        for name, item in group.items()
        if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiub"
    }

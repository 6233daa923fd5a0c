"""The tolerant reader: HDF5 becomes plain NIR nodes and edges, also where nir.read refuses a sound graph.

It needs no optional field, infers no types, expands nested graphs (their nodes get dotted names), and drops duplicate
edges. `foreign` interprets the nodes; `bim_neuro.intake` opens the file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import InputError
from ..intake import Tree, Unread, read_hdf5
from ..nodes.arithmetic import Array

MAX_DEPTH = 16  # of nested graphs
ROOT = "node"


@dataclass(frozen=True)
class NirNode:
    """A node as the file has it: its type, its numeric fields, those that are texts, and what the others are."""

    type: str
    fields: dict[str, Array]
    texts: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)


@dataclass
class NirGraph:
    """A flat graph: nodes by dotted name, edges without duplicates, our metadata text if present."""

    nodes: dict[str, NirNode] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)
    metadata: str | None = None
    entries: dict[str, str] = field(default_factory=dict)  # nested graph -> its Input
    exits: dict[str, str] = field(default_factory=dict)  # nested graph -> its Output

    def before(self) -> dict[str, list[str]]:
        """Return the nodes that each node reads, in the order of the edges."""
        before: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            before[target].append(source)
        return before

    def after(self) -> dict[str, list[str]]:
        """Return the nodes that read each node, in the order of the edges."""
        after: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            after[source].append(target)
        return after


def open_nir(path: Path, exact: str, fields: frozenset[str], metadata_key: str) -> Tree:
    """Return the group ``exact`` of a file if present, else its graph; of each node only ``fields`` are read."""
    try:
        tree = read_hdf5(path, lambda parts: parts[0] == exact)
        return tree if tree else read_hdf5(path, _asked_for(fields, metadata_key))
    except InputError as error:
        hint = "nir.write makes .nir files" if "not an HDF5 file" in error.message else error.hint
        raise InputError(error.message, hint) from None


def _asked_for(fields: frozenset[str], metadata_key: str) -> Callable[[tuple[str, ...]], bool]:
    """Whether a path leads to a graph, a node or a field of a node."""
    names = fields | {"type", "nodes", "edges", "shape"}

    def asked_for(path: tuple[str, ...]) -> bool:
        root, inner = path[0], path[1:]
        if root != ROOT:
            return False
        if inner[:1] == ("metadata",):
            return inner[1:] in ((), (metadata_key,))
        while inner[:1] == ("nodes",):
            inner = inner[2:]
        return not inner or inner[0] in names

    return asked_for


def read_graph(tree: Tree, metadata_key: str) -> NirGraph:
    """Return the graph under /node."""
    root = tree.get(ROOT)
    if not isinstance(root, dict):
        raise InputError("the file holds no NIR graph: it has no group /node", "nir.write makes .nir files")
    kind = read_text(root, "type", f"/{ROOT}")
    if kind != "NIRGraph":
        raise InputError(f"the file holds a single {kind} node, not a graph", "wrap it in a nir.NIRGraph")
    graph = NirGraph()
    metadata = root.get("metadata")
    if isinstance(metadata, dict) and metadata_key in metadata:
        graph.metadata = read_text(metadata, metadata_key, f"/{ROOT}/metadata")
    _add(graph, root, "", MAX_DEPTH)
    return graph


def read_text(group: Tree, name: str, who: str) -> str:
    """Return the text ``name`` of a group that messages call ``who``."""
    value = _present(group, name, who)
    if not isinstance(value, str):
        raise InputError(f"'{who}/{name}' is not a text")
    return value


def read_array(group: Tree, name: str, who: str) -> Array:
    """Return the numbers ``name`` of a group that messages call ``who``."""
    value = _present(group, name, who)
    if not isinstance(value, np.ndarray):
        what = value.what if isinstance(value, Unread) else "a group" if isinstance(value, dict) else "a text"
        raise InputError(f"'{who}/{name}' is {what}, numbers are needed")
    return value


def read_arrays(group: Tree, who: str, prefix: str = "") -> dict[str, Array]:
    """Return every array below a group by its path."""
    arrays: dict[str, Array] = {}
    for name, item in group.items():
        if isinstance(item, dict):
            arrays |= read_arrays(item, f"{who}/{name}", f"{prefix}{name}/")
        else:
            arrays[prefix + name] = read_array(group, name, who)
    return arrays


def _present(group: Tree, name: str, who: str) -> Any:
    if name not in group or isinstance(group[name], dict):
        raise InputError(f"'{who}' has no dataset '{name}'")
    return group[name]


def _add(graph: NirGraph, group: Tree, prefix: str, depth: int) -> None:
    """Add the nodes and edges of one graph, nested ones expanded."""
    if depth == 0:
        raise InputError(f"graphs are nested more than {MAX_DEPTH} deep at '{prefix}'")
    nodes = group.get("nodes")
    if not isinstance(nodes, dict):
        raise InputError(f"graph '{prefix or '/node'}' has no nodes")
    for name, node in nodes.items():
        if not isinstance(node, dict):
            raise InputError(f"node '{prefix}{name}' is not a group")
        kind = read_text(node, "type", f"node {prefix}{name}")
        if prefix + name in graph.nodes:
            raise InputError(f"two nodes are called '{prefix}{name}': a nested one, and one with a dot in its name")
        if kind == "NIRGraph":
            _add_nested(graph, node, prefix + name, depth)
        else:
            texts = {key: item for key, item in node.items() if isinstance(item, str) and key != "type"}
            unread = {key: item.what for key, item in node.items() if isinstance(item, Unread)}
            graph.nodes[prefix + name] = NirNode(kind, _numbers(node), texts, unread)
    for source, target in _edges(group, prefix):
        graph.edges[graph.exits.get(source, source), graph.entries.get(target, target)] = None


def _add_nested(graph: NirGraph, group: Tree, name: str, depth: int) -> None:
    """Expand a nested graph; its Input and Output become plain wires, like a Flatten."""
    before = len(graph.nodes)
    _add(graph, group, f"{name}.", depth - 1)
    inner = list(graph.nodes)[before:]
    for kind, ends in (("Input", graph.entries), ("Output", graph.exits)):
        found = [node for node in inner if graph.nodes[node].type == kind]
        if len(found) != 1:
            raise InputError(f"nested graph '{name}' has {len(found)} {kind} nodes, one is read")
        ends[name] = found[0]
        graph.nodes[found[0]] = NirNode("Flatten", {})


def _edges(group: Tree, prefix: str) -> list[tuple[str, str]]:
    edges = group.get("edges", [])
    pairs = edges.tolist() if isinstance(edges, np.ndarray) else edges
    if not isinstance(pairs, list) or not all(
        isinstance(pair, list) and [type(end) for end in pair] == [str, str] for pair in pairs
    ):
        raise InputError(f"the edges of '{prefix or '/node'}' must be pairs of names")
    return [(prefix + source, prefix + target) for source, target in pairs]


def _numbers(group: Tree) -> dict[str, Array]:
    """Return the numeric fields of a node, truth values as 0 and 1."""
    return {name: item * 1 for name, item in group.items() if isinstance(item, np.ndarray)}

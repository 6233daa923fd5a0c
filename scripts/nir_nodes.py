"""Print docs/nir.md's table of node types: every type of nir goes, alone in a file, through all stages.

python scripts/nir_nodes.py

The types are those that nir itself lists; the columns name what each stage made of the node.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nir
import numpy as np

from bim_neuro.compilers.align import align
from bim_neuro.compilers.quantise import quantise
from bim_neuro.graph import IntegerGraph
from bim_neuro.nir_bridge import read_nir
from bim_neuro.simulation import Engine

DT = 1e-3
_ONE = np.ones(4)


EXAMPLES: dict[str, Callable[[], Any]] = {
    "Affine": lambda: nir.Affine(np.ones((4, 4)), _ONE),
    "AvgPool2d": lambda: nir.AvgPool2d(np.array([1, 1]), np.array([1, 1]), np.array([0, 0])),
    "Conv1d": lambda: nir.Conv1d(4, np.ones((1, 1, 1)), 1, 0, 1, 1, np.ones(1)),
    "Conv2d": lambda: nir.Conv2d((2, 2), np.ones((1, 1, 1, 1)), 1, 0, 1, 1, np.ones(1)),
    "CubaLI": lambda: nir.CubaLI(*(10 * DT * _ONE,) * 2, _ONE, 0 * _ONE),
    "CubaLIF": lambda: nir.CubaLIF(*(10 * DT * _ONE,) * 2, _ONE, 0 * _ONE, _ONE),
    "Delay": lambda: nir.Delay(2 * DT * _ONE),
    "Flatten": lambda: nir.Flatten({"input": np.array([1, 2, 2])}, 0, -1),
    "I": lambda: nir.I(_ONE / DT),
    "IF": lambda: nir.IF(_ONE / DT, _ONE),
    "Input": lambda: None,
    "LI": lambda: nir.LI(10 * DT * _ONE, _ONE, 0 * _ONE),
    "LIF": lambda: nir.LIF(10 * DT * _ONE, _ONE, 0 * _ONE, _ONE),
    "Linear": lambda: nir.Linear(np.ones((4, 4))),
    "Output": lambda: None,
    "Scale": lambda: nir.Scale(2 * _ONE),
    "SumPool2d": lambda: nir.SumPool2d(np.array([1, 1]), np.array([1, 1]), np.array([0, 0])),
    "Threshold": lambda: nir.Threshold(0.5 * _ONE),
}  # fmt: skip
_GRIDS = {"Conv1d": (1, 4), "Conv2d": (1, 2, 2), "SumPool2d": (1, 2, 2), "AvgPool2d": (1, 2, 2), "Flatten": (1, 2, 2)}


def types() -> list[str]:
    """Return the node types that nir lists, but for the graph itself."""
    return sorted(cls.__name__ for cls in vars(nir.ir).values() if _is_node(cls) and cls is not nir.NIRGraph)


def _is_node(thing: Any) -> bool:
    return isinstance(thing, type) and issubclass(thing, nir.NIRNode) and thing is not nir.NIRNode


def markdown() -> str:
    """Return the table."""
    head = "| type | becomes | integer law | engine | on Lava |\n|---|---|---|---|---|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for name in types() for row in _rows(name))])


def _rows(name: str) -> Iterator[tuple[str, ...]]:
    if EXAMPLES[name]() is None:
        yield name, f"the {name.lower()} of the graph", "Source" if name == "Input" else "", "yes", "RingBuffer"
        return
    yield name, *_stages(name, None)
    if hasattr(EXAMPLES[name](), "v_reset"):
        yield f"{name}, another reset or values a neuron", *_stages(name, {"reset": "subtract"})


def _stages(name: str, dialect: dict[str, str] | None) -> tuple[str, ...]:
    graph = read_nir(_file(name), DT, dialect=dialect)
    chip = align(quantise(graph))
    plays = Engine(chip).run(np.ones((1, 3, 4), np.int64)).backend == "engine"
    if "node" in graph.nodes:
        parts = [type(graph.nodes["node"]).__name__, type(chip.nodes["node"]).__name__]
        lava = chip.nodes["node"].lava_process
        return f"neuron {parts[0]}", parts[1], "yes" if plays else "no", lava or "ours"
    edge = next(edge for edge in graph.into("sum"))
    kind, made = type(edge.synapse).__name__, type(_edge(chip).synapse)
    late = ", which delays" if edge.delay else ""
    lava = {"Diagonal": "Sparse", "Broadcast": "Dense"}.get(made.__name__, made.__name__)
    lava = f"Delay{lava}" if _edge(chip).delay else lava
    return f"synapse {kind}{late}", f"int8 {made.__name__}", "yes" if plays else "no", lava


def _edge(chip: IntegerGraph) -> Any:
    return next(edge for edge in chip.into("sum"))


def _file(name: str) -> Path:
    """Write a file of the node, and of a neuron behind it where it is none itself."""
    node, shape = EXAMPLES[name](), _GRIDS.get(name, (4,))
    neuron = hasattr(node, "v_threshold") or name in ("LI", "I", "CubaLI", "Threshold")
    nodes = {"in": nir.Input(np.array(shape)), "node": node, "out": nir.Output(np.array([4]))}
    edges = [("in", "node"), ("node", "out")]
    if not neuron:
        nodes["sum"] = nir.IF(_ONE / DT, _ONE)
        edges = [("in", "node"), ("node", "sum"), ("sum", "out")]
    path = Path(tempfile.mkdtemp()) / f"{name}.nir"
    nir.write(path, nir.NIRGraph(nodes, edges, type_check=False))
    return path


if __name__ == "__main__":
    sys.stdout.write(markdown() + "\n")

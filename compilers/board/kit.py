"""Kit: an aligned integer graph becomes a script for Lava alone, and the arrays that it reads.

    OUT/board/run.py        the processes and their connections one by one, the laws of ours, and how they are played
    OUT/board/program.npz   weights and constants, sample input, and the messages of the compiler's simulation

The laws and what makes Lava's processes are carried from where the simulation and `to_lava` have them (`carried`); this
file writes the lines that are of one program. The same program makes the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

from ... import arguments
from ...atomic import new_folder, write
from ...graph import Edge, IntegerGraph
from ...nodes import IntegerLIF, SomaWire
from ...nodes.arithmetic import Array
from ...nodes.node import IntegerNode, is_spiking
from ..artefact import Artefact, npz
from ..to_lava.forms import PORTS, STATES
from .calls import OURS, ScriptCall, to_call, to_synapse_calls
from .script import script

FOLDER = "board"
SCRIPT, ARRAYS = "run.py", "program.npz"


def board_kit(artefact: Artefact) -> dict[str, bytes]:
    """Return the files of the kit by name; `DoesNotFit` names a layer or synapse that Lava has no process for."""
    graph = artefact.graph
    names = [graph.source, *(name for name in graph.order if name != graph.source)]
    keys = {name: f"layer{index}" for index, name in enumerate(names)}
    restless = _restless(graph)
    nodes = {name: to_call(graph.nodes[name], name, restless.get(name)) for name in names[1:]}
    synapses = [to_synapse_calls(e.synapse, e, graph.nodes[e.source].message_bits) for e in graph.edges]
    made = [_made(graph, name, call, keys[name]) for name, call in nodes.items()]
    joined = [
        _joined(graph, edge, calls, f"synapse{index}")
        for index, (edge, calls) in enumerate(zip(graph.edges, synapses, strict=True))
    ]
    held = {"x": artefact.sample}
    for _, arrays in (*made, *joined):
        held |= arrays
    expected = {f"{key}.expected": artefact.expected[f"{name}.message"] for name, key in keys.items()}
    joints = [call for calls in synapses for call in calls]
    text = script(
        title=_title(graph),
        roots=_roots(graph, [*nodes.values(), *joints]),
        program=_program(
            graph,
            [_layer(graph, name, keys[name]) for name in names],
            [lines for lines, _ in (*made, *joined) if lines],
        ),
        on_a_board=[
            *(_on_a_board(name, graph.nodes[name], nodes.get(name)) for name in names),
            *_joints(joints),
        ],
    )
    return {SCRIPT: text.encode(), ARRAYS: bytes(npz(held | expected))}


def write_board(artefact: Artefact, folder: str | Path) -> None:
    """Write run.py and program.npz into a new folder (docs/board.md); the artefact brings the sample that they play.

    program = bim_neuro.compile("digits.pt")
    bim_neuro.write_board(program.artefact(x), "board")
    """
    kit = board_kit(arguments.instance(artefact, Artefact, "artefact"))
    place = new_folder(arguments.path(folder))
    for name, content in kit.items():
        write(place / name, content)


def _ours(node: IntegerNode) -> bool:
    return type(node) in OURS


def _restless(graph: IntegerGraph) -> dict[str, int]:
    """Return the layers that may move before a sample reaches them, by the step at which it does.

    Those are LIF with a bias, and what reads them, unless it is silent outside its sample.
    """
    moving = {name for name, node in graph.nodes.items() if isinstance(node, IntegerLIF) and node.bias.any()}
    found: set[str] = set()
    while moving != found:
        found = moving
        moving = found | {e.target for e in graph.edges if e.source in found and not graph.nodes[e.target].gated}
    return {name: graph.depth[name] for name in found}


def _made(graph: IntegerGraph, name: str, call: ScriptCall, key: str) -> tuple[str, dict[str, Array]]:
    """Return the lines that make a layer, and their arrays."""
    node = graph.nodes[name]
    text, arrays = call.written(key)
    if not _ours(node):
        return f"layers[{name!r}] = {text}", arrays
    process = f"{OURS[type(node)][0]}(node, SampleWindow({graph.depth[name]}, len(x), period), {name!r})"
    return f"node = {text}\nlayers[{name!r}] = {process}", arrays


def _joined(graph: IntegerGraph, edge: Edge, calls: list[ScriptCall], key: str) -> tuple[str, dict[str, Array]]:
    """Return the lines that join two layers, and their arrays."""
    sent = "entry" if edge.source == graph.source else f"layers[{edge.source!r}].s_out"
    received = f"layers[{edge.target!r}].{PORTS[edge.port]}"
    if isinstance(edge.synapse, SomaWire):
        return f"{sent}.connect({received})  # a wire inside one neuron", {}
    lines: list[str] = []
    held: dict[str, Array] = {}
    for index, call in enumerate(calls):
        text, arrays = call.written(key if len(calls) == 1 else f"{key}_{index}")
        lines += [f"synapse = {text}", f"join({sent}, synapse, {received})"]
        held |= arrays
    return "\n".join(lines), held


def _layer(graph: IntegerGraph, name: str, key: str) -> str:
    """Return the text of a layer's row in the script's table."""
    node = graph.nodes[name]
    ours = OURS[type(node)][0] if _ours(node) else ""
    row = (name, key, node.neurons, graph.depth[name], STATES.get(node.kind, ()), is_spiking(node), ours)
    return f"Population({', '.join(map(repr, row))})"


_LAVA = "bim_neuro.compilers.to_lava"
_RECORDERS = ("PyMessageRecorder", "PyStateRecorder")
_PROCESSES = {
    "lif": ("LIF", "LIFReset"), "product": ("ProdNeuron", "ProdNeuron"), "dense": ("Dense", "DelayDense"),
    "diagonal": ("Sparse", "DelaySparse"), "sparse": ("Sparse", "DelaySparse"), "conv": ("Conv", "Conv"),
}  # fmt: skip
"""What a function of `to_lava.parts` makes: without a delay or a reset, and with one."""
_IN_USE = ("LIF", "GradedVec", "ProdNeuron", "Dense", "Sparse")
"""Processes that the networks of lava.frameworks.loihi2 are made of."""
_PUBLISHED = "Lava's own, and its use on Loihi 2 is published (lava.frameworks.loihi2)"
_UNKNOWN = "Lava's own; whether its extension for Loihi holds it is not published"


def _roots(graph: IntegerGraph, calls: Iterable[ScriptCall]) -> list[tuple[str, str]]:
    """Return the definitions that the program's lines call."""
    nodes = dict.fromkeys(type(node) for node in graph.nodes.values() if _ours(node))
    roots = {node.__name__: node.__module__ for node in nodes}
    makers = {call.function: f"{_LAVA}.parts" for call in calls if call.function not in roots}
    roots |= {"SampleWindow": f"{_LAVA}.window"} if nodes else {}
    roots |= dict.fromkeys((*(OURS[node][1] for node in nodes), *_RECORDERS), f"{_LAVA}.processes.models")
    roots |= {**makers, "play_input": f"{_LAVA}.parts", "join": f"{_LAVA}.parts"}
    roots |= dict.fromkeys(("Population", "Network", "enter", "main"), f"{_LAVA}.board")
    return [(module, name) for name, module in roots.items()]


def _program(graph: IntegerGraph, layers: list[str], made: list[str]) -> str:
    """Return the lines that are of this program."""
    source, node = graph.source, graph.nodes[graph.source]
    lines = [
        "period = len(x) + GAP",
        "total = period + DEEPEST",
        "layers = {}",
        f"layers[{source!r}] = play_input(x[None], period, total)",
        f"entry = enter(layers[{source!r}], {node.neurons}, {node.message_bits}, board)",
        *made,
        "return Network(layers, total, period)",
    ]
    head = [
        f"GAP = {graph.gap}  # silent steps after a sample, which empty delayed synapses",
        f"DEEPEST = {max(graph.depth.values())}  # steps until the sample's first step has reached every layer",
        "# name, name in program.npz, neurons, step at which a sample reaches it, states, spikes, process of ours",
        "LAYERS = (",
        *(f"    {layer}," for layer in layers),
        ")",
        "",
        "",
        "def build(held, x, board):",
        '    """Connect the processes that play one sample x (steps, lines); ``held`` is program.npz."""',
    ]
    return "\n".join([*head, indent("\n".join(lines), "    "), ""])


def _title(graph: IntegerGraph) -> str:
    neurons = sum(node.neurons for node in graph.nodes.values() if node.kind != "source")
    weights = sum(edge.synapse.count for edge in graph.edges)
    return f"A network of {len(graph.nodes) - 1} layers, {neurons:,} neurons and {weights:,} weights on Lava."


def _on_a_board(name: str, node: IntegerNode, call: ScriptCall | None) -> str:
    """Say of a layer, in words, whether a board has it."""
    if call is None:
        return f"{name!r}: RingBuffer on the host, through an adapter of Lava's embedded input"
    if _ours(node):
        process = OURS[type(node)][0]
        return f"{name!r}: {process}, ours. A board cannot run it: it needs microcode, which is not here"
    process = _process(call)
    return f"{name!r}: {process}, {_PUBLISHED if process in _IN_USE else _UNKNOWN}"


def _process(call: ScriptCall) -> str:
    """Return the name of Lava's process that a call makes."""
    if call.function == "graded":
        return "GradedReluVec" if call.constants["rectify"] else "GradedVec"
    plain, other = _PROCESSES[call.function]
    return other if call.rest or call.constants.get("delay") else plain


def _joints(calls: Iterable[ScriptCall]) -> list[str]:
    """Say of the processes that join layers whether a board has them."""
    used = sorted({_process(call) for call in calls})
    return [f"synapses: {process}, {_PUBLISHED if process in _IN_USE else _UNKNOWN}" for process in used]

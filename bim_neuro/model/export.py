"""Export from PyTorch: a checkpoint becomes a float graph of named nodes.

Block k of M inputs, D channels, N states and K taps becomes

    x ──dense──> blockk.u ──K diagonal taps──> blockk.scan ──soma──> blockk.lif ──> next block, or readout
    x ──dense──────────────────────────────────────┘ (dt)
    x ──dense──> blockk.B, blockk.C ──broadcast────┘
"""

from __future__ import annotations

import numpy as np

from ..graph import Edge, Extra, FloatGraph
from ..nodes import LIF, Broadcast, Dense, Diagonal, Readout, Relay, Scan, ScanRange, SomaWire
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .checkpoint import Checkpoint


def export(checkpoint: Checkpoint) -> FloatGraph:
    """Return the float graph of a checkpoint, weights in float64."""
    weights = {name: value.detach().double().numpy() for name, value in checkpoint.state.items()}
    nodes: dict[str, Node] = {"input": checkpoint.encoder.source}
    edges: list[Edge] = []
    x = "input"
    for index in range(checkpoint.config.blocks):
        block = {name.split(".", 2)[2]: value for name, value in weights.items() if name.startswith(f"blocks.{index}.")}
        x = _add_block(nodes, edges, f"block{index + 1}", x, block, checkpoint.ranges)
    decay = float(_sigmoid(weights["readout_logit"]))
    nodes["readout"] = Readout(decay, weights["b_o"], checkpoint.ranges.get("readout.v", 0.0))
    edges.append(Edge(x, "readout", "a", Dense(weights["w_o"])))
    seen = checkpoint.trained_on
    extra = Extra(training=checkpoint.training)
    if seen is not None:
        extra["trained_on"] = seen.plain
    return FloatGraph(nodes, tuple(edges), checkpoint.dt, checkpoint.encoder, checkpoint.task, checkpoint.labels, extra)


def _add_block(
    nodes: dict[str, Node], edges: list[Edge], name: str, x: str, w: dict[str, Array], ranges: dict[str, float]
) -> str:
    """Add one block that reads ``x``; return the name of its soma."""
    u, b, c, scan, lif = (f"{name}.{part}" for part in ("u", "B", "C", "scan", "lif"))
    channels = len(w["d_skip"])
    nodes[u] = Relay(np.zeros(channels), ranges.get(f"{u}.message", 0.0))
    nodes[b] = Relay(w["b_b"], ranges.get(f"{b}.message", 0.0))
    nodes[c] = Relay(w["b_c"], ranges.get(f"{c}.message", 0.0))
    scan_range = ScanRange(*(ranges.get(f"{scan}.{key}", 0.0) for key in ("u", "du", "h", "message")))
    nodes[scan] = Scan(-np.exp(w["a_log"]), w["d_skip"], w["b_u"], w["b_dt"], scan_range)
    threshold = float(np.exp(w["log_threshold"]))
    nodes[lif] = LIF(channels, float(_sigmoid(w["decay_logit"])), threshold, np.zeros(channels))
    edges += [Edge(x, u, "a", Dense(w["w_u"])), Edge(x, b, "a", Dense(w["w_b"])), Edge(x, c, "a", Dense(w["w_c"]))]
    edges += [Edge(u, scan, "u", Diagonal(w["conv"][:, k]), delay=k) for k in range(w["conv"].shape[1])]
    edges += [Edge(x, scan, "dt", Dense(w["w_dt"]))]
    edges += [Edge(relay, scan, port, Broadcast(len(w["b_b"]), channels)) for relay, port in ((b, "B"), (c, "C"))]
    edges += [Edge(scan, lif, "i", SomaWire())]
    return lif


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))

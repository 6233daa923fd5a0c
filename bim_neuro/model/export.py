"""Export from PyTorch: a checkpoint becomes a float graph of named nodes.

Block k of M inputs, D channels, N states and K taps becomes

    x ──dense──> blockk.u ──K diagonal taps──> blockk.scan ──soma──> blockk.lif ──> next block, or readout
    x ──dense──────────────────────────────────────┘ (dt)
    x ──dense──> blockk.B, blockk.C ──broadcast────┘

x is the input or the somas of the block before; with skips, of all blocks before. A block whose leaks differ has u,
scan and lif of each leak, as blockk.leak1.lif; thresholds a channel and norms are in the taps (`BIMBlock.folded`).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from ..graph import Edge, Extra, FloatGraph
from ..nodes import LIF, Broadcast, Dense, Diagonal, Readout, Relay, Scan, ScanRange, SomaWire
from ..nodes.arithmetic import Array
from ..nodes.node import Node
from .block import BIMBlock, leak_groups
from .checkpoint import Checkpoint
from .network import NetworkConfig

Heard = list[tuple[str, slice]]
"""The layers that a block or the readout reads, and which of its columns are theirs."""


def export(checkpoint: Checkpoint) -> FloatGraph:
    """Return the float graph of a checkpoint, weights in float64."""
    config, network = checkpoint.config, checkpoint.network().double()
    nodes: dict[str, Node] = {"input": checkpoint.encoder.source}
    edges: list[Edge] = []
    for index, block in enumerate(network.blocks):
        assert isinstance(block, BIMBlock)
        _add_block(nodes, edges, f"block{index + 1}", _heard(config, index), block, checkpoint.ranges)
    decay, b_o = float(_sigmoid(_array(network.readout_logit))), _array(network.b_o)
    nodes["readout"] = Readout(decay, b_o, checkpoint.ranges.get("readout.v", 0.0))
    edges += _dense(_heard(config, config.blocks), "readout", "a", _array(network.w_o))
    seen = checkpoint.trained_on
    extra = Extra(training=checkpoint.training)
    if checkpoint.head != "class":
        extra["head"] = checkpoint.head
    if config.adaptive:
        extra["softmax"] = "adaptive"
    if seen is not None:
        extra["trained_on"] = seen.plain
    return FloatGraph(nodes, tuple(edges), checkpoint.dt, checkpoint.encoder, checkpoint.task, checkpoint.labels, extra)


def _heard(config: NetworkConfig, index: int) -> Heard:
    """Return what block ``index`` reads, or the readout behind the last block."""
    if not index:
        return [("input", slice(0, config.inputs))]
    return [
        (f"{part}.lif", slice(columns.start + group.start, columns.start + group.stop))
        for below, columns in config.heard(index)
        for part, group in _parts(f"block{below + 1}", config.channels, config.leaks)
    ]


def _parts(block: str, channels: int, leaks: int) -> list[tuple[str, slice]]:
    """Return the name and the channels of each part of a block that has a leak of its own."""
    if leaks == 1:
        return [(block, slice(0, channels))]
    return [(f"{block}.leak{index + 1}", group) for index, group in enumerate(leak_groups(channels, leaks))]


def _dense(heard: Heard, target: str, port: str, weight: Array) -> list[Edge]:
    return [Edge(source, target, port, Dense(weight[:, columns])) for source, columns in heard]


def _add_block(
    nodes: dict[str, Node], edges: list[Edge], name: str, x: Heard, block: BIMBlock, ranges: dict[str, float]
) -> None:
    """Add one block that reads ``x``."""
    w = {key: _array(value) for key, value in block.named_parameters()}
    conv, b_u = (_array(part) for part in block.folded)
    leaks, threshold = np.atleast_1d(_sigmoid(w["decay_logit"])), float(np.exp(w["log_threshold"]))
    b, c, parts = f"{name}.B", f"{name}.C", _parts(name, block.channels, len(leaks))
    for part, group in parts:
        nodes[f"{part}.u"] = Relay(np.zeros(group.stop - group.start), ranges.get(f"{part}.u.message", 0.0))
        edges += _dense(x, f"{part}.u", "a", w["w_u"][group])
    for relay, weight, bias in ((b, w["w_b"], w["b_b"]), (c, w["w_c"], w["b_c"])):
        nodes[relay] = Relay(bias, ranges.get(f"{relay}.message", 0.0))
        edges += _dense(x, relay, "a", weight)
    for (part, group), leak in zip(parts, leaks, strict=True):
        u, scan, lif, channels = f"{part}.u", f"{part}.scan", f"{part}.lif", group.stop - group.start
        scan_range = ScanRange(*(ranges.get(f"{scan}.{key}", 0.0) for key in ("u", "du", "h", "message")))
        nodes[scan] = Scan(-np.exp(w["a_log"][group]), w["d_skip"][group], b_u[group], w["b_dt"][group], scan_range)
        nodes[lif] = LIF(channels, float(leak), threshold, np.zeros(channels))
        edges += [Edge(u, scan, "u", Diagonal(conv[group, k]), delay=k) for k in range(block.taps)]
        edges += _dense(x, scan, "dt", w["w_dt"][group])
        edges += [Edge(relay, scan, port, Broadcast(len(w["b_b"]), channels)) for relay, port in ((b, "B"), (c, "C"))]
        edges += [Edge(scan, lif, "i", SomaWire())]


def _array(value: Tensor) -> Array:
    return value.detach().numpy()


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))

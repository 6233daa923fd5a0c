"""The numpy law over one sample: block, readout and trace process, step by step; slow, the reference of the kernel.

With a process of ``bits`` None the traces are exact (float64): calibration and the tables of trace fidelity use that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...nodes.arithmetic import Array
from .block import PlasticBlock
from .law import NAMES, TraceProcess


@dataclass(frozen=True)
class Played:
    """Results of a sample: summed output (C,), spikes (T, D), every trace by name."""

    output: Array
    spikes: Array
    traces: dict[str, Array]


def play_exact(
    block: PlasticBlock, process: TraceProcess, weights: dict[str, Array], x: Array, first: int = 0, begin: int = 0
) -> Played:
    """Play x (T, M) with this process and these weights.

    ``first`` numbers step 0 for the noise; traces move from step ``begin`` on.
    """
    state = process.initial(x.shape[1])
    kept = {name: np.zeros_like(state[name]) for name in NAMES}
    history = np.zeros((process.conv.shape[1], process.channels), np.int64)
    graph, answer = block.graph, block.graph.nodes[block.readout]
    held = answer.initial(())
    output, spikes = np.zeros(answer.neurons, np.int64), np.zeros((len(x), process.channels), np.int64)
    for t, line in enumerate(x.astype(np.int64)):
        sent = {
            port: graph.nodes[name].step({}, {"a": weights[f"w_{port.lower()}"] @ line}).message
            for port, name in block.relays.items()
        }
        history = np.concatenate([sent["u"][None], history[:-1]])
        ports = {
            "u": (process.conv.T * history).sum(0), "dt": weights["w_dt"] @ line, "B": sent["B"], "C": sent["C"],
            "x": line,
        }  # fmt: skip
        if t == begin:
            state |= {name: np.zeros_like(state[name]) for name in NAMES}
        state = process.step(state, ports, int(block.omega[t]), (first + t) << 28)
        kept = {name: np.maximum(kept[name], np.abs(state[name])) for name in NAMES}
        spikes[t] = state["s"]
        held, message, _ = answer.step(held, {"a": weights["w_o"] @ spikes[t]})
        output += message * (t >= block.read_from)
    return Played(output, spikes, {name: state[name] for name in NAMES} | {f"max {n}": kept[n] for n in NAMES})

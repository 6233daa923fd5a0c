"""How far fixed point moved the spikes: float and integer runs of the same input, compared layer by layer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..graph import IntegerGraph
from ..record import RunRecord


@dataclass
class Agreement:
    """Sums over batches: for each spiking layer, the slots, the equal ones, and the spikes of each side."""

    sums: dict[str, list[int]] = field(default_factory=dict)

    def add(self, graph: IntegerGraph, floats: RunRecord, integers: RunRecord) -> None:
        """Add one batch of probed runs."""
        for name, node in graph.nodes.items():
            if node.kind != "lif":
                continue
            key = f"{name}.message"
            left, right = floats.probes[key] != 0, integers.probes[key][:, : floats.steps] != 0
            self.add_sums(name, [left.size, int((left == right).sum()), int(left.sum()), int(right.sum())])

    def add_sums(self, layer: str, row: list[int]) -> None:
        """Add what was summed elsewhere: slots, equal ones, spikes of the float run and of the integers."""
        self.sums[layer] = [a + b for a, b in zip(self.sums.get(layer, [0] * 4), row, strict=True)]

    def rows(self) -> list[dict[str, Any]]:
        """Return one row a layer: slots, equal, share, and both spike rates."""
        return [
            {
                "layer": name,
                "spike_slots": slots,
                "equal": equal,
                "share": equal / slots,
                "rate_float": np.float64(left / slots).item(),
                "rate_integer": np.float64(right / slots).item(),
            }
            for name, (slots, equal, left, right) in self.sums.items()
        ]

r"""Two runs of the same input compared layer by layer: `verify` two backends, `Agreement` the integers with the floats.

    spikes     spikes that both fired / spikes that either fired          slots in which neither fires say nothing
    answers    samples with the same largest sum / samples that prefer any answer        of an output of several neurons
    values     1 - relative RMS error                                     of an output, or a readout, that is no choice

The relative RMS error is that of the integers, at what a message is worth, over the RMS of the float values. A share is
None where there was nothing to compare.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import sqrt
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode, is_spiking
from ..record import RunRecord

LAYOUT = "agreement: spikes, answers, values"
"""What `sums` holds; it changes when they do, so that the kept parts of a run are not mixed with those of another."""


def compared(graph: IntegerGraph) -> list[str]:
    """Return the probes that `Agreement.add` needs of both runs."""
    return [f"{name}.message" for name, node in graph.nodes.items() if _speaks(graph, name, node)]


def _speaks(graph: IntegerGraph, name: str, node: IntegerNode) -> bool:
    return node.kind in ("lif", "cuba", "readout") or name == graph.output


@dataclass
class Agreement:
    """Sums over batches by 'measure/layer'; spikes: slots, float spikes, integer spikes, both; else as `_compared`."""

    sums: dict[str, list[float]] = field(default_factory=dict)

    def add(self, graph: IntegerGraph, floats: RunRecord, integers: RunRecord) -> None:
        """Add one batch of probed runs."""
        for name, node in graph.nodes.items():
            spiking, output = is_spiking(node), name == graph.output
            if not _speaks(graph, name, node):
                continue
            left = floats.probes[f"{name}.message"]
            right = integers.probes[f"{name}.message"][:, : floats.steps]
            if spiking:
                spikes = [int(np.sum(side)) for side in (left, right, np.minimum(left, right))]
                self.add_sums(f"spikes/{name}", [left.size, *spikes])
            else:
                measure = "answers" if output and node.neurons > 1 else "values"
                self.add_sums(f"{measure}/{name}", _compared(left, right))

    def add_sums(self, key: str, row: list[float]) -> None:
        """Add what was summed elsewhere."""
        self.sums[key] = [a + b for a, b in zip(self.sums.get(key, [0] * len(row)), row, strict=True)]

    def rows(self, exponents: Mapping[str, float]) -> list[dict[str, Any]]:
        """Return one row a layer: what was compared, how much of it is equal, and both spike rates or the error.

        ``exponents`` say what messages are worth: message * 2^-exponent.
        """
        named = [(key.partition("/"), sums) for key, sums in self.sums.items()]
        return [
            _spikes(layer, *sums) if measure == "spikes" else _values(measure, layer, 2.0 ** -exponents[layer], *sums)
            for (measure, _, layer), sums in named
        ]


def _compared(left: Array, right: Array) -> list[float]:
    """Return samples with an answer, those with the same one, and the sums of float², float * integer and integer²."""
    summed, theirs = left.sum(axis=1), right.sum(axis=1)
    answered = (np.ptp(summed, axis=1) > 0) | (np.ptp(theirs, axis=1) > 0)
    same = answered & (summed.argmax(axis=1) == theirs.argmax(axis=1))
    a, b = left.astype(np.float64).ravel(), right.astype(np.float64).ravel()
    return [int(answered.sum()), int(same.sum()), float(a @ a), float(a @ b), float(b @ b)]


def _spikes(layer: str, slots: float, left: float, right: float, both: float) -> dict[str, Any]:
    either = int(left + right - both)
    return {
        "layer": layer,
        "measure": "spikes",
        "of": either,
        "equal": int(both),
        "share": both / either if either else None,
        "spike_slots": int(slots),
        "rate_float": left / slots,
        "rate_integer": right / slots,
        "relative_rms": None,
    }


def _values(measure: str, layer: str, unit: float, of: float, equal: float, *products: float) -> dict[str, Any]:
    error = _relative_rms(unit, *products)
    close = None if error is None else max(0.0, 1 - error)
    return {
        "layer": layer,
        "measure": measure,
        "of": int(of) if measure == "answers" else None,
        "equal": int(equal) if measure == "answers" else None,
        "share": (equal / of if of else None) if measure == "answers" else close,
        "spike_slots": None,
        "rate_float": None,
        "rate_integer": None,
        "relative_rms": error,
    }


def _relative_rms(unit: float, floats: float, product: float, integers: float) -> float | None:
    """Return the RMS error over the RMS of the float values; None where these are all zero."""
    if not floats:
        return None
    return sqrt(max(0.0, floats - 2 * unit * product + unit**2 * integers) / floats)


def verify(record: RunRecord, other: RunRecord) -> dict[str, Any]:
    """Compare every message and state of two probed runs, layer by layer and step by step.

    Of the values, those count apart that are not zero in both: silence is equal to silence, and says little.
    """
    for name, run_record in (("record", record), ("other", other)):
        if not arguments.instance(run_record, RunRecord, name).probes:
            raise InputError(f"{name} has no probes, nothing can be compared", "run with probe=True")
    if missing := record.probes.keys() - other.probes.keys():
        raise InputError(f"the other run has no '{min(missing)}'", "compare runs of the same program")
    layers: list[dict[str, Any]] = []
    for key, values in record.probes.items():
        theirs = other.probes[key]
        same = values == theirs if values.shape == theirs.shape else np.zeros(values.shape, bool)
        sent = (values != 0) | (theirs != 0) if values.shape == theirs.shape else values != 0
        layer, what = key.rsplit(".", 1)
        counts = {
            "values": values.size,
            "equal": same.sum(),
            "nonzero": sent.sum(),
            "nonzero_equal": (same & sent).sum(),
        }
        layers.append({"layer": layer, "what": what, **{name: int(count) for name, count in counts.items()}})
    messages = [row for row in layers if row["what"] == "message"]
    states = [row for row in layers if row["what"] != "message"]
    return {
        "backend": other.backend,
        "samples": record.samples,
        "messages": sum(row["nonzero"] for row in messages),
        "messages_equal": sum(row["nonzero_equal"] for row in messages),
        "spike_slots": sum(row["values"] for row in messages),
        "equal": sum(row["equal"] for row in messages),
        "states": sum(row["values"] for row in states),
        "states_equal": sum(row["equal"] for row in states),
        "layers": layers,
    }

r"""The same model computed densely: its multiply-accumulates (MACs) times published energies per MAC.

    MACs of a step = weights (zeros too) + scan: D (4 N + 2) + LIF and readout: 1 a neuron

A weight of 16 bits, which a chip holds as two of 8, is multiplied once. One row is bit-matched, 8-bit weights as the
chip's, and pays for fetching each of them; `break_even` says how active the program may be until the chip costs more.
A scan multiplies, for each of N states, delta A, delta u B, exp(delta A) h and C h, and for each of D channels delta u
and D_skip u. Another scope than a profile's prices: arithmetic alone, or a whole device divided by its MACs. Neither
the exponentials nor memory, idling or the host are in a count of MACs, so the two are never added or subtracted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..compilers.two_lists import whole_weights
from ..graph import IntegerGraph
from ..hardware import Quantity
from ..nodes import Broadcast, SomaWire
from .energy import EnergyReport
from .terms import Range, Term


@dataclass(frozen=True)
class DenseProcessor:
    """One processor for dense computation; ``scope`` says what the energy per MAC includes."""

    name: str
    scope: str
    mac_pj: Quantity
    energy: Range


def _price(pj: float, basis: str, source: str) -> Quantity:
    return Quantity(pj, pj, pj, "pJ", basis, source)


_HOROWITZ = "Horowitz, ISSCC 2014, 45 nm at 0.9 V, as tabulated in PMC8934428, Table 3"
_KERAS_SPIKING = "KerasSpiking, ModelEnergy, energy per MAC"
_MATCHED = "int8 arithmetic and weights from 8 KB, 45 nm"
PROCESSORS = (
    (
        _MATCHED,
        "memory",
        _price(
            1.48,
            "derived",
            f"{_HOROWITZ}: a 64-bit access of an 8 KB cache 10, an eighth of it a "
            "weight; SpikingJelly's preset of an INT8 MAC .23",
        ),
    ),
    ("int32 arithmetic, 45 nm", "arithmetic", _price(3.2, "derived", f"{_HOROWITZ}: add 0.1, multiply 3.1")),
    ("float32 arithmetic, 45 nm", "arithmetic", _price(4.6, "derived", f"{_HOROWITZ}: add 0.9, multiply 3.7")),
    ("GPU", "device", _price(300, "derived", f"{_KERAS_SPIKING}: gpu 0.3 nJ")),
    ("ARM", "device", _price(900, "derived", f"{_KERAS_SPIKING}: arm 0.9 nJ")),
    ("CPU", "device", _price(8600, "derived", f"{_KERAS_SPIKING}: cpu 8.6 nJ")),
)
"""(name, scope, price): 'arithmetic' is the operation alone, 'memory' with its weight, 'device' a whole device.

No source gives a range.
"""


def dense_macs(graph: IntegerGraph) -> dict[str, int]:
    """Return {layer: multiply-accumulates of one step}: those of its incoming weights, and of its neurons."""
    macs = {layer: _neurons(graph, layer) for layer in graph.order if layer != graph.source}
    for edge in whole_weights(graph):
        if not isinstance(edge.synapse, Broadcast | SomaWire):
            macs[edge.target] += edge.synapse.count
    return macs


def dense_energy(graph: IntegerGraph, steps: int) -> tuple[DenseProcessor, ...]:
    """Return the energy of a sample of ``steps`` steps, in pJ, on every processor with a published energy per MAC."""
    macs = steps * sum(dense_macs(graph).values())
    return tuple(
        DenseProcessor(name, scope, price, Term("macs", "MACs", macs, (price,)).over(1))
        for name, scope, price in PROCESSORS
    )


def break_even(costs: EnergyReport, processors: Iterable[DenseProcessor]) -> float | None:
    """Return by which factor messages may change until the chip's dynamic energy is the bit-matched dense one.

    None where updates alone cost more than that, or where nothing is sent or priced.
    """
    dense = next(one.energy.value for one in processors if one.name == _MATCHED)
    sent = sum(cost.value or 0.0 for event, cost in costs.events.items() if event not in ("updates", "learning"))
    if costs.dynamic.value is None or dense is None or not sent:
        return None
    left = dense - (costs.dynamic.value - sent)
    return left / sent if left > 0 else None


def _neurons(graph: IntegerGraph, layer: str) -> int:
    node = graph.nodes[layer]
    if node.kind == "scan":
        return node.neurons * (4 * node.state_words + 2)
    return 0 if node.kind in ("relay", "graded") else node.neurons

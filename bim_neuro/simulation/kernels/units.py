"""Units: the kernels that a run calls by their addresses, each compiled by itself, and only where it is needed."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...nodes.arithmetic import Array
from . import layout
from .laws import (
    cuba_law,
    current_law,
    lif_law,
    narrow_readout_law,
    narrow_relay_law,
    plane_lif_law,
    scan_law,
    wide_law,
)
from .layer import count, gather_narrow, gather_wide, join, play
from .layout import (
    ARRIVE,
    CONVOLVE,
    COUNT,
    CURRENT,
    FILL,
    GATHER,
    JOIN,
    KEEP,
    KIND,
    LAW,
    NARROW,
    PLAY,
    RARE,
    SEND,
    SHIFT,
    SOURCE,
    VALUES,
    WIDE_GATHER,
    WIDE_VALUES,
    Call,
    Listed,
    Tables,
    Work,
)
from .rare import arrive, convolve, fill
from .source import send
from .state import keep
from .stock import arrive_shifted, graded_law
from .values import arrive_values, arrive_wide_values

KERNELS: dict[int, Any] = {
    PLAY: play,
    SEND: send,
    GATHER: gather_narrow,
    WIDE_GATHER: gather_wide,
    ARRIVE: arrive,
    CONVOLVE: convolve,
    SHIFT: arrive_shifted,
    FILL: fill,
    VALUES: arrive_values,
    WIDE_VALUES: arrive_wide_values,
    CURRENT: current_law,
    COUNT: count,
    KEEP: keep,
    JOIN: join,
    LAW + layout.LIF: lif_law,
    LAW + layout.PLANE_LIF: plane_lif_law,
    LAW + layout.SCAN: scan_law,
    LAW + layout.NARROW_RELAY: narrow_relay_law,
    LAW + layout.NARROW_READOUT: narrow_readout_law,
    LAW + layout.CUBA: cuba_law,
    LAW + layout.WIDE_LIF: wide_law,
    LAW + layout.RELAY: wide_law,
    LAW + layout.READOUT: wide_law,
    LAW + layout.WIDE_SCAN: wide_law,
    LAW + layout.GRADED: graded_law,
    LAW + layout.PRODUCT_NEURON: graded_law,
}

SECONDS = {
    play: 0.8, send: 0.4, gather_narrow: 0.7, gather_wide: 0.7, arrive: 1.2, convolve: 4, count: 0.6, keep: 0.4,
    join: 0.3, lif_law: 0.5, current_law: 0.4, scan_law: 0.6, narrow_relay_law: 0.3, narrow_readout_law: 0.4,
    cuba_law: 0.6, wide_law: 2.0, graded_law: 0.4, arrive_shifted: 0.5, arrive_values: 1.1, arrive_wide_values: 1.1,
    fill: 2, plane_lif_law: 0.8,
}  # fmt: skip
"""What the compiler takes, on one core of an AMD EPYC; it only decides who compiles what."""


def places_needed(tables: Tables, *, probed: bool, shared: bool) -> list[int]:
    """Return the places of the units that a run calls: ``shared`` if several threads share a sample."""
    nodes = tables.nodes[tables.nodes[:, KIND] != SOURCE]
    asked = {
        PLAY: len(nodes) > 0,
        SEND: True,
        GATHER: bool((nodes[:, NARROW] != 0).any()),
        WIDE_GATHER: bool((nodes[:, NARROW] == 0).any()),
        COUNT: len(nodes) > 0,
        KEEP: probed,
        JOIN: shared,
        CURRENT: _any_current(tables, nodes),
    }
    laws, ways = {LAW + kind for kind in nodes[:, KIND].tolist()}, set(tables.edges[:, RARE].tolist()) - {0}
    return [place for place, wanted in asked.items() if wanted] + sorted(laws | ways)


def _any_current(tables: Tables, nodes: Array) -> bool:
    """Whether a LIF of 32 bits has a current that its kernel for the others does not know."""
    places = nodes[nodes[:, KIND] == layout.LIF, layout.WORDS] + layout.CALM
    return bool((tables.words32[places] == 0).any())


def call_of(tables: Tables, work: Work) -> Call:
    """Return a call without input, of the types that every call has."""
    row, lines = np.zeros((1, 0), np.int64), np.zeros((1, 0, 0), np.int8)
    return Call(tables, work, Listed(row, np.zeros(0, np.int32), lines, 0), row, row, 0, 0, 0)

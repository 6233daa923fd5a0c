"""Ready: the units that a run calls, from the disk or compiled, the dearer half of them in a process of its own.

Numba compiles one kernel at a time in a process, whatever its threads. So what is missing is shared with a helper,
which leaves its machine code where this process then reads it; whatever it could not leave is compiled here.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..graph import Edge, IntegerGraph
from ..jit import address_of, can_keep, is_kept, type_of
from ..nodes import Dense, Encoder, IntegerLIF, Source
from ..nodes.node import IntegerNode
from .kernels import Tables
from .kernels.units import KERNELS, SECONDS, call_of, places_needed
from .plan import Plan
from .tables import lay_out

START = 0.9  # seconds until a helper begins to compile
THERE = 1.5  # times what a unit takes here: a second process slows this one, and what it leaves must be read
REST = 1.0  # seconds for what is compiled here in any case: the entry and the lists of input
HELPER_LIMIT = 60.0  # seconds; a helper that has not ended is ended, and its units are compiled here

_addresses: dict[int, int] = {}


def with_units(plan: Plan, tables: Tables, *, probed: bool, shared: bool) -> Tables:
    """Return the tables with the addresses of all units that a run calls; what is not there is compiled.

    ``shared``: several threads play a sample.
    """
    places = places_needed(tables, probed=probed, shared=shared)
    if missing := [place for place in places if place not in _addresses]:
        _make(plan, missing)
    units = np.zeros_like(tables.units)
    units[places] = [_addresses[place] for place in places]
    return tables._replace(units=units)


def make_all() -> None:
    """Make every unit ready."""
    _make(lay_out(tiny_graph()), [place for place in KERNELS if place not in _addresses])


def are_kept(plan: Plan, *, probed: bool) -> bool:
    """Whether no unit that a run of the plan calls needs compiling."""
    places = places_needed(plan.tables, probed=probed, shared=False)
    return all(place in _addresses or is_kept(KERNELS[place]) for place in places)


def _make(plan: Plan, places: list[int]) -> None:
    cold = [place for place in places if not is_kept(KERNELS[place])]
    theirs = for_helper(cold) if usable_cores() > 1 and all(can_keep(KERNELS[place]) for place in cold) else []
    helper = _start_helper(theirs) if theirs else None
    kind = type_of(call_of(plan.tables, plan.work(1)))
    try:
        for place in places:
            if place not in theirs:
                _addresses[place] = address_of(KERNELS[place], kind)
    finally:
        if helper:
            _end(helper)
    for place in theirs:
        _addresses[place] = address_of(KERNELS[place], kind)


def for_helper(cold: Iterable[int]) -> list[int]:
    """Return the units that a helper compiles, so that both end at about the same time; none if that gains little."""
    kernels = sorted({KERNELS[place] for place in cold}, key=lambda kernel: (-SECONDS[kernel], kernel.__name__))
    theirs: list[Any] = []
    ours_s, theirs_s = REST, START
    for kernel in kernels:
        if theirs_s <= ours_s:
            theirs.append(kernel)
            theirs_s += THERE * SECONDS[kernel]
        else:
            ours_s += SECONDS[kernel]
    return [place for place in cold if KERNELS[place] in theirs] if theirs_s > 2 * START else []


def _start_helper(places: list[int]) -> subprocess.Popen[bytes] | None:
    """Start a process that compiles units and leaves them on the disk."""
    code = f"import sys; sys.path[:] = {sys.path!r}; from bim_neuro.simulation import ready; ready.help_with({places})"
    try:
        return subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    except OSError:
        return None


def _end(helper: subprocess.Popen[bytes]) -> None:
    try:
        helper.wait(HELPER_LIMIT)
    except subprocess.TimeoutExpired:
        helper.kill()
        helper.wait()


def help_with(places: list[int]) -> None:
    """Compile units; another process waits for them."""
    plan = lay_out(tiny_graph())
    kind = type_of(call_of(plan.tables, plan.work(1)))
    for place in places:
        address_of(KERNELS[place], kind)


def tiny_graph() -> IntegerGraph:
    """Return an aligned graph of one LIF neuron: every graph has tables and memory of the same types."""
    lif = IntegerLIF(1, 0, 0, 0, np.zeros(1, np.int64))
    nodes: dict[str, IntegerNode] = {"input": Source(1, graded=False), "lif": lif}
    edge = Edge("input", "lif", "i", Dense(np.ones((1, 1), np.int8)))
    encoder = Encoder("spikes", np.ones(1), np.zeros(1))
    return IntegerGraph(nodes, (edge,), 1.0, encoder, depth={"input": 0, "lif": 1})


def usable_cores() -> int:
    """Return the cores this process may use; a worker among others is told how many by BIM_NEURO_THREADS."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    told = os.environ.get("BIM_NEURO_THREADS", "")
    return max(1, min(cores, int(told))) if told.isdecimal() else cores

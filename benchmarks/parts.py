"""Parts: where the time of one graph goes, kernel by kernel, on the messages of a real run, each beside its C limit."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from bim_neuro.engine.kernels import layout, run
from bim_neuro.engine.tables import lay_out
from bim_neuro.nodes import Dense, IntegerScan
from bim_neuro.nodes.arithmetic import Array

from .c_yardstick import pointer

_run: Any = importlib.import_module("bim_neuro.engine.kernels.run")
_loop: Any = numba.njit(_nrt=False, nogil=True)
CHUNK = 64
ROUNDS = 15

_gather, _count_arrivals = _run._gather, _run._count_arrivals
_word_step, _lif_step, _compact = _run._word_step, _run._lif_step, _run._compact
SUMS, SUM_WIDTH, WIDTH, MESSAGES, KIND, LIF = (
    layout.SUMS, layout.SUM_WIDTH, layout.WIDTH, layout.MESSAGES, layout.KIND, layout.LIF
)  # fmt: skip


@_loop  # type: ignore[untyped-decorator]
def _synapses(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    node = tables.nodes[index]
    first, last = node[SUMS], node[SUMS] + node[SUM_WIDTH]
    for t in range(t0, t1):
        if node[KIND] == LIF:
            _gather(tables, work, node, work.sums32[first:last], t, t0)
        else:
            _gather(tables, work, node, work.sums64[first:last], t, t0)


@_loop  # type: ignore[untyped-decorator]
def _counters(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    node = tables.nodes[index]
    for t in range(t0, t1):
        _count_arrivals(tables, work, node, work.counters[index], 0, t)


@_loop  # type: ignore[untyped-decorator]
def _neurons(tables: Any, work: Any, index: int, t0: int, t1: int) -> None:
    node = tables.nodes[index]
    width, first, last = node[WIDTH], node[SUMS], node[SUMS] + node[SUM_WIDTH]
    message = work.messages[node[MESSAGES] : node[MESSAGES] + width]
    for _ in range(t0, t1):
        if node[KIND] == LIF:
            _lif_step(tables, work, node, work.sums32[first:last], width)
            _compact(work, message, width)
        else:
            _word_step(tables, work, node, work.sums64[first:last], message, width)


def parts(graph: Any, x: Array) -> dict[str, float]:
    """Return microseconds a step of synapses, counters, and every kind of node; 'whole' is the same in one run."""
    plan = lay_out(graph)
    work, output, probes = plan.work(10_000), np.zeros((1, 10_000), np.int64), np.zeros((1, 0), np.int64)
    output = output[:, : graph.nodes[graph.output].neurons]
    stages, period = (0, len(plan.tables.stages)), graph.period(x.shape[1])
    steps = (0, x.shape[1])
    whole = _best(lambda: run(plan.tables, work, x[:1], output, probes, stages, steps, period, CHUNK), x.shape[1])
    t1 = x.shape[1] // CHUNK * CHUNK
    found: dict[str, float] = {"whole": whole, "synapses": 0.0, "counters": 0.0}
    for index, name in enumerate(plan.names):
        kind = graph.nodes[name].kind
        if kind == "source":
            continue
        arguments = (plan.tables, work, index, t1 - CHUNK, t1)
        found["synapses"] += _best(lambda a=arguments: _synapses(*a), CHUNK)
        found["counters"] += _best(lambda a=arguments: _counters(*a), CHUNK)
        found[kind] = found.get(kind, 0.0) + _best(lambda a=arguments: _neurons(*a), CHUNK)
    return found


def c_limits(library: Any, graph: Any, sent: dict[str, float]) -> dict[str, float]:
    """Return microseconds a step of the same in C: all states of the scans (gates given), all dense synapses.

    ``sent`` is how many messages a node sends a step, on average.
    """
    scans = [_c_scan(library, node) for node in graph.nodes.values() if isinstance(node, IntegerScan)]
    dense = [
        _c_dense(library, edge.synapse.weight, graph.nodes[edge.source].message_bits > 1, sent[edge.source])
        for edge in graph.edges
        if isinstance(edge.synapse, Dense)
    ]
    return {"scan": sum(scans), "synapses": sum(dense)}


def _c_dense(library: Any, weight: Array, graded: bool, active: float) -> float:
    post, pre = weight.shape
    rows, sums, block = np.ascontiguousarray(weight.T), np.zeros(post, np.int32), np.zeros(post, np.int16)
    count = round(active)
    if graded:
        messages = np.ones(pre, np.int32)
        return _best(
            lambda: library.products(CHUNK, pointer(rows), pointer(messages), count & ~3, post, pointer(sums)), CHUNK
        )
    fired = np.sort(np.random.default_rng(0).choice(pre, count, replace=False)).astype(np.int32)
    return _best(
        lambda: library.rows(CHUNK, pointer(rows), pointer(fired), count, post, pointer(block), pointer(sums)), CHUNK
    )


def _c_scan(library: Any, node: IntegerScan) -> float:
    draw = np.random.default_rng(0)
    channels, states = node.alpha.shape
    exp2 = np.array([round(2.0 ** (20 - i / 64)) for i in range(65)])
    left, step = exp2[:64].astype(np.int32), np.diff(exp2).astype(np.int32)
    alpha = np.ascontiguousarray(node.alpha.T)
    delta, du = draw.integers(0, 2**19, channels), draw.integers(-(2**20), 2**20, channels)
    b, c = draw.integers(-(2**15), 2**15, states), draw.integers(-(2**15), 2**15, states)
    h, y = np.zeros((states, channels), np.int64), np.zeros(channels, np.int64)

    def once() -> None:
        library.scan(
            CHUNK, states, channels, pointer(alpha), node.alpha_shift, pointer(delta), pointer(du), pointer(b),
            node.b_shift, pointer(c), node.c_shift, pointer(left), pointer(step), pointer(h), pointer(y),
        )  # fmt: skip

    return _best(once, CHUNK)


def _best(call: Callable[[], object], steps: int) -> float:
    """Return the best of several rounds in microseconds a step, processor time."""
    call()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        call()
        best = min(best, time.process_time() - start)
    return best / steps * 1e6

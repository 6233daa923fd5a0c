"""The plain numpy law: one step after another, each node by its own `step`, vectorised over samples.

Time is the chip's: a message sent at step t arrives at t + hop + delay, and a sample's first step reaches a node at
the node's depth. A missing delay therefore gives wrong integers here, exactly as it would on the chip.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
import threadpoolctl  # type: ignore[import-untyped,unused-ignore]

from .. import arguments
from ..errors import InputError
from ..graph import FloatGraph, Graph, IntegerGraph
from ..nodes import Dense
from ..nodes.arithmetic import Array
from ..nodes.node import IntegerNode, Node, State
from ..record import LayerCount, RunRecord, merge
from .narrow import narrowed
from .probes import ROOM, WORD_BYTES, Probe, Watch, check_whole, watching, words

BATCH = 256
LARGE_PRODUCT = 2**24
"""Products of one step and synapse from which on a second thread is worth the meeting: a millisecond of one core."""

Progress = Callable[[int], None]


def simulate(
    graph: IntegerGraph,
    x: Array,
    *,
    probe: Probe = False,
    watch: Watch | None = None,
    batch: int = BATCH,
    progress: Progress | None = None,
) -> RunRecord:
    """Run an aligned integer graph on encoded input (samples, steps, channels) and count everything.

    ``probe`` keeps every message and state of every node, or those it names; ``watch`` sees all of them pass;
    ``progress`` is called with the samples done.
    """
    check_input(graph, x)
    batch = arguments.whole(batch, "batch", 1)
    check_progress(progress)
    return _in_batches(_run_integer, graph, x, probe, watch, batch, graph.period(x.shape[1]), progress)


def simulate_float(
    graph: FloatGraph, x: Array, *, probe: Probe = True, watch: Watch | None = None, batch: int = BATCH,
    bits: int = 64,
) -> RunRecord:  # fmt: skip
    """Run the float law on input as the float model reads it; messages take no time, taps do.

    ``probe`` and ``watch`` are as in `simulate`. With 32 ``bits`` every number of the graph, every sum and every state
    is rounded to 32 bits, as in the frameworks that train on them; a sum of products is rounded once.
    """
    from ..denormals import denormals_flushed  # brings numba, which --help need not wait for

    check_input(graph, x)
    batch = arguments.whole(batch, "batch", 1)
    if bits not in (32, 64):
        raise InputError(f"bits is {arguments.said(bits)}, allowed: 32, 64")
    with denormals_flushed():
        if bits == 32:
            return _in_batches(_run_float32, narrowed(graph), x, probe, watch, batch, x.shape[1])
        return _in_batches(_run_float, graph, x, probe, watch, batch, x.shape[1])


def _in_batches(
    law: Any, graph: Any, x: Array, probe: Probe, watch: Watch | None, batch: int, period: int,
    progress: Progress | None = None,
) -> RunRecord:  # fmt: skip
    """Run a law batch by batch; windows are as long as `ROOM` allows."""
    kept, watches = watching(graph, probe, watch, len(x), period, _NUMBERS.get(law, np.int64))
    if probe is True:
        check_whole(graph, len(x), period)
    span = max(1, min(period, ROOM // (WORD_BYTES * words(graph) * min(batch, len(x)))))
    whole: RunRecord | None = None
    for first in range(0, len(x), batch):
        part = x[first : first + batch]
        window = _Window(watches, slice(first, first + len(part)), span, period) if watches else None
        with threads_for_products(graph, len(part)):
            record = law(graph, part, probe is True, window)
        whole = merge([whole, record]) if whole else record
        if progress:
            progress(len(part))
    assert whole is not None, "check_input refuses no samples"
    return replace(whole, probes=kept.arrays) if kept else whole


def threads_for_products(graph: Graph[Any], samples: int) -> AbstractContextManager[Any]:
    """Keep BLAS to one thread where products are so small that its threads wait for each other longer than they work.

    On a busy machine such a product takes ten to fifty times as long on two threads as on one.
    """
    weights = max((edge.synapse.count for edge in graph.edges if isinstance(edge.synapse, Dense)), default=0)
    if samples * weights >= LARGE_PRODUCT:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(1, user_api="blas")
    return limits


class _Window:
    """The last phases of every node of a batch; handed out when there are ``span`` of them, and at the end."""

    def __init__(self, watches: list[Watch], samples: slice, span: int, period: int) -> None:
        self.watches, self.samples, self.span, self.period = watches, samples, span, period
        self.rows: dict[str, Array] = {}

    def take(self, name: str, message: Array, state: State, phase: int) -> None:
        """Take what a node sent and holds at a phase."""
        row, values = phase % self.span, {"message": message, **state}
        _keep(self.rows, name, message, state, len(message), self.span, row)
        if row == self.span - 1 or phase == self.period - 1:
            for watch in self.watches:
                watch(
                    self.samples, name, phase - row, {key: self.rows[f"{name}.{key}"][:, : row + 1] for key in values}
                )


def check_progress(progress: Progress | None) -> None:
    """Refuse what a run could not call with the samples done."""
    if progress is not None:
        arguments.function(progress, "progress")


def check_input(graph: Graph[Node] | Graph[IntegerNode], x: Array) -> None:
    """Refuse input that does not fit the graph's source."""
    arguments.instance(graph, Graph, "graph", "a program's is program.graph")
    channels = graph.nodes[graph.source].neurons
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "fiub":
        found = f"holds {x.dtype}" if isinstance(x, np.ndarray) else f"is {arguments.said(x)}"
        raise InputError(f"input {found}, an array of encoded numbers is needed", "encode() gives one")
    if x.ndim != 3 or x.shape[2] != channels or 0 in x.shape:
        raise InputError(
            f"input has shape {x.shape}, the model wants (samples, steps, {channels}) with at least one of each"
        )
    if x.dtype.kind == "f":  # sample by sample, as x may lie in a file larger than memory
        wrong = sum(np.count_nonzero(~np.isfinite(sample)) for sample in x)
        if wrong:
            raise InputError(f"input holds {wrong} values that are not finite")


class _History:
    """The last messages of a node, oldest forgotten: ``at(t)`` is zero before the first."""

    def __init__(self, neurons: int, samples: int, reach: int, dtype: type) -> None:
        self.ring: Array = np.zeros((reach + 1, samples, neurons), dtype=dtype)

    def put(self, t: int, message: Array) -> None:
        self.ring[t % len(self.ring)] = message

    def at(self, t: int) -> Array:
        return np.asarray(self.ring[t % len(self.ring)])


def histories(graph: Graph[Node] | Graph[IntegerNode], samples: int, dtype: type, hop: int) -> dict[str, _History]:
    """Return the messages of each node that are still to arrive, none yet; a synapse takes ``hop`` steps per hop."""
    reach = dict.fromkeys(graph.nodes, 0)
    for edge in graph.edges:
        reach[edge.source] = max(reach[edge.source], hop * edge.synapse.hop + edge.delay)
    return {name: _History(node.neurons, samples, reach[name], dtype) for name, node in graph.nodes.items()}


def _run_integer(graph: IntegerGraph, x: Array, probe: bool, window: _Window | None = None) -> RunRecord:
    samples, steps, _ = x.shape
    period = graph.period(steps)
    history = histories(graph, samples, np.int64, hop=1)
    states = {name: node.initial((samples,)) for name, node in graph.nodes.items()}
    counts = {name: LayerCount.zeros(period) for name in graph.nodes}
    probes: dict[str, Array] = {}
    output = np.zeros((samples, graph.nodes[graph.output].neurons), dtype=np.int64)
    for t in range(period + max(graph.depth.values())):
        for name in graph.order:
            node, phase = graph.nodes[name], t - graph.depth[name]
            inputs = _accumulate(graph, name, history, t, counts[name], phase, samples)
            if name == graph.source:
                inputs["input"] = x[:, phase] if 0 <= phase < steps else np.zeros_like(x[:, 0])
            if phase == 0 or (node.gated and not 0 <= phase < steps):
                states[name] = node.initial((samples,))
            if node.gated and not 0 <= phase < steps:
                message = np.zeros((samples, node.neurons), dtype=np.int64)
            else:
                states[name], message, saturated = node.step(states[name], inputs)
                if 0 <= phase < period:
                    counts[name].updates[phase] += samples * node.neurons
                    counts[name].saturations[phase] += saturated
            history[name].put(t, message)
            if 0 <= phase < period:
                counts[name].messages[phase] += np.count_nonzero(message)
                if probe:
                    _keep(probes, name, message, states[name], samples, period, phase)
                if window:
                    window.take(name, message, states[name], phase)
                if name == graph.output and phase < steps:
                    output += message
    return RunRecord("reference", samples, steps, period, counts, output, probes)


def _accumulate(
    graph: IntegerGraph,
    name: str,
    history: dict[str, _History],
    t: int,
    count: LayerCount,
    phase: int,
    samples: int,
) -> dict[str, Array]:
    inputs = {port: np.zeros((samples, width), np.int64) for port, width in graph.nodes[name].ports.items()}
    for edge in graph.into(name):
        message = history[edge.source].at(t - edge.synapse.hop - edge.delay)
        inputs[edge.port] = inputs[edge.port] + edge.synapse.apply(message)
        if 0 <= phase < len(count.updates):
            hardware, effective = edge.synapse.synops(np.count_nonzero(message, axis=0))
            count.synops_hardware[phase] += hardware
            count.synops_effective[phase] += effective
    return inputs


def _run_float(
    graph: FloatGraph, x: Array, probe: bool, window: _Window | None = None, dtype: type = np.float64
) -> RunRecord:
    samples, steps, _ = x.shape
    history = histories(graph, samples, dtype, hop=0)
    states = {name: as_dtype(dtype, node.initial((samples,))) for name, node in graph.nodes.items()}
    counts = {name: LayerCount.zeros(steps) for name in graph.nodes}
    probes: dict[str, Array] = {}
    output = np.zeros((samples, graph.nodes[graph.output].neurons))
    for t in range(steps):
        for name in graph.order:
            node = graph.nodes[name]
            inputs: State = {port: np.zeros((samples, width), dtype) for port, width in node.ports.items()}
            for edge in graph.into(name):
                inputs[edge.port] = inputs[edge.port] + edge.synapse.apply(history[edge.source].at(t - edge.delay))
            if name == graph.source:
                inputs["input"] = x[:, t]
            state, message, _ = node.step(states[name], as_dtype(dtype, inputs))
            states[name] = as_dtype(dtype, state)
            history[name].put(t, message)
            counts[name].updates[t] += samples * node.neurons
            counts[name].messages[t] += np.count_nonzero(message)
            if probe:
                _keep(probes, name, message, states[name], samples, steps, t)
            if window:
                window.take(name, message, states[name], t)
            if name == graph.output:
                output += message
    return RunRecord("float", samples, steps, steps, counts, output, probes)


def _run_float32(graph: FloatGraph, x: Array, probe: bool, window: _Window | None = None) -> RunRecord:
    return _run_float(graph, x, probe, window, np.float32)


def as_dtype(dtype: type, state: State) -> State:
    """Return states or inputs as numbers of a type."""
    return {key: value.astype(dtype, copy=False) for key, value in state.items()}


_NUMBERS: dict[Any, type] = {_run_float: np.float64, _run_float32: np.float32}
"""What the probes of a law hold."""


def _keep(
    probes: dict[str, Array], name: str, message: Array, state: State, samples: int, period: int, phase: int
) -> None:
    for key, value in {"message": message, **state}.items():
        key = f"{name}.{key}"
        if key not in probes:
            probes[key] = np.zeros((samples, period, *value.shape[1:]), dtype=value.dtype)
        probes[key][:, phase] = value

"""The engine: the same integers as `reference`, from compiled kernels, over all cores.

Samples are dealt out in blocks of ``batch`` to threads; where there are fewer samples than threads, several share the
neurons of one. A thread has its own counters. Integers are summed in whatever order they come, so the record does not
depend on the threads or the batch.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import Edge, IntegerGraph
from ..nodes import Dense, Encoder, IntegerLIF, Source
from ..nodes.arithmetic import Array, ceil_div
from ..nodes.node import IntegerNode
from ..record import LayerCount, RunRecord
from .crew import ALONE, Crew, Team, layer_seconds, worth_splitting
from .dense import PATHS, Product, blas_threads, choose_products, multiply, products_of
from .forms import LINE_MAX
from .kernels import run
from .kernels.layout import SENT, TEAM_MAX, UPDATES
from .probes import ROOM, WORD_BYTES, Kept, Probe, Watch, check_whole, shapes, watching
from .reference import Progress, check_input
from .tables import CHUNK, Plan, lay_out

BATCH = 64
FEW_STEPS = 2**11  # fewer run on one thread
SPAN = 2**15  # steps a kernel runs before Python may look up: an interrupt, the progress bar


def simulate_engine(
    graph: IntegerGraph,
    x: Array,
    *,
    probe: Probe = False,
    watch: Watch | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
) -> RunRecord:
    """Run an aligned integer graph on encoded input (samples, steps, channels) and count everything."""
    return Engine(graph).run(x, probe=probe, watch=watch, threads=threads, progress=progress)


class Engine:
    """A graph made ready once and run often.

    >>> engine = Engine(program.graph)                                   # doctest: +SKIP
    >>> engine.run(program.encode(raw)).predicted                         # doctest: +SKIP
    """

    def __init__(self, graph: IntegerGraph) -> None:
        self.graph = arguments.instance(graph, IntegerGraph, "graph", "a program's is program.graph")
        self.plan = lay_out(graph)
        self._chosen: dict[str, _Choice] = {"events": _Choice(self.plan, [], [])}
        self._measured: dict[str, float] = {}

    def run(
        self,
        x: Array,
        *,
        probe: Probe = False,
        watch: Watch | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        batch: int = BATCH,
        path: str = "auto",
        probe_folder: Path | None = None,
        neuron_threads: int | None = None,
        room: int = ROOM,
    ) -> RunRecord:
        """Run encoded input (samples, steps, channels) and count everything.

        ``probe`` keeps every message and state, in memory or, with ``probe_folder``, in a file there, or those that it
        names; ``watch`` sees them pass, in windows that take ``room`` bytes. ``threads`` is by default one for each
        core; ``neuron_threads`` of them share one sample, by default those that have none of their own, where the first
        steps say that it pays. ``path`` says how dense synapses add up: 'events' (rows of those who fired), 'gemm'
        (BLAS over all), or 'auto', which decides by the first steps this engine sees. ``extra`` of the record tells
        what was chosen and why.
        """
        check_input(self.graph, x)
        arguments.choice(path, PATHS, "path")
        batch = arguments.whole(batch, "batch", 1)
        threads = None if threads is None else arguments.whole(threads, "threads", 1)
        if neuron_threads is not None:
            neuron_threads = arguments.whole(neuron_threads, "neuron_threads", 1, TEAM_MAX)
        if probe_folder is not None and not arguments.path(probe_folder, "probe_folder").is_dir():
            raise InputError(f"probe_folder {probe_folder} is no folder")
        probe_folder = None if probe_folder is None else Path(probe_folder)
        choice, threads = self._choose(path, x), threads or cores()
        kept, watches = watching(self.graph, probe, watch, len(x), self.graph.period(x.shape[1]), np.int64)
        run = _Run(choice.plan, choice.products, x, probe is True, probe_folder, watches)
        batch = max(1, min(batch, SPAN // run.total, _fair(len(x), run.total, threads)))
        blocks = [slice(first, min(first + batch, len(x))) for first in range(0, len(x), batch)]
        workers = min(max(1, threads // (neuron_threads or 1)), len(blocks))
        blocks = run.make_windows(blocks, room // workers)
        team = self._team(choice, neuron_threads, threads // workers, x)
        with blas_threads(threads // workers) if choice.products else nullcontext():
            run.play(blocks, workers, team, progress)
        told = {"paths": choice.paths} if choice.paths else {}
        return run.record(told | ({"neuron_threads": team.size} if team.size > 1 else {}), kept)

    def _choose(self, path: str, x: Array) -> _Choice:
        if path not in self._chosen:
            paths = choose_products(self.plan, self._activity(x), path)
            products = products_of(self.plan, paths)
            plan = lay_out(self.graph, multiplied=frozenset(p.place for p in products)) if products else self.plan
            self._chosen[path] = _Choice(plan, products, paths)
        return self._chosen[path]

    def _team(self, choice: _Choice, asked: int | None, spare: int, x: Array) -> Team:
        """Return how many threads share a sample and which layers they split; BLAS has threads of its own."""
        if choice.products or (asked or spare) == 1:
            return ALONE
        if asked:
            return Team(asked, np.ones(len(choice.plan.names), bool))
        size = min(spare, idle_cores(), TEAM_MAX)
        if size == 1:
            return ALONE
        seconds = layer_seconds(choice.plan, self._activity(x))
        split = worth_splitting(choice.plan, seconds, size, len(x) * x.shape[1])
        return Team(size if split.any() else 1, split)

    def _activity(self, x: Array) -> dict[str, float]:
        """Return the share of neurons that speak in a step, by name, on the first piece of input this engine saw."""
        if not self._measured:
            run = _Run(self.plan, [], x[:1, :CHUNK], False, None, [])
            run.play([slice(0, 1)], 1, ALONE, None)
            updates = np.maximum(run.counters[:, UPDATES].sum(axis=1), 1)
            share = run.counters[:, SENT].sum(axis=1) / updates
            self._measured = dict(zip(self.plan.names, share.tolist(), strict=True))
        return self._measured


def _fair(samples: int, steps: int, threads: int) -> int:
    """Return how many samples give every thread a block; a run of a few milliseconds is not worth a second thread."""
    return ceil_div(samples, threads) if samples * steps >= FEW_STEPS else samples


@dataclass(frozen=True)
class _Choice:
    """Which synapses BLAS multiplies, the plan that leaves them out, and the reasons as the record tells them."""

    plan: Plan
    products: list[Product]
    paths: list[dict[str, Any]]


def load_kernels() -> None:
    """Compile the kernels, once on a machine (some 10 s), or read them from the disk cache (half a second)."""
    lif = IntegerLIF(1, 0, 0, 0, np.zeros(1, np.int64))
    encoder = Encoder("spikes", np.ones(1), np.zeros(1))
    edge = Edge("input", "lif", "i", Dense(np.ones((1, 1), np.int8)))
    nodes: dict[str, IntegerNode] = {"input": Source(1, graded=False), "lif": lif}
    graph = IntegerGraph(nodes, (edge,), 1.0, encoder, depth={"input": 0, "lif": 1})
    Engine(graph).run(np.ones((1, 1, 1), np.int8), path="gemm", threads=1)


def cores() -> int:
    """Return the cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def idle_cores() -> int:
    """Return the cores that others leave to us at this moment: threads that meet lose more than they gain by waiting.

    Linux counts what runs now; elsewhere all cores are taken for idle.
    """
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
    except (OSError, ValueError, IndexError):
        return cores()
    return max(1, cores() - (running - 1))


def check_lines(graph: IntegerGraph, x: Array) -> Array:
    """Return input as int8; what the source's lines cannot carry is refused."""
    graded = graph.nodes[graph.source].message_bits > 1
    low, high = (-LINE_MAX, LINE_MAX - 1) if graded else (0, 1)
    if x.dtype == np.bool_:
        x = x.view(np.int8)
    if x.dtype.kind not in "iuf":
        raise InputError(f"input holds {x.dtype}, the engine wants integers")
    if x.size == 0:  # the last steps, which only wait for answers
        return np.zeros(x.shape, np.int8)
    smallest, largest = x.min(), x.max()
    if not (low <= smallest and largest <= high):
        kind = "graded lines carry" if graded else "spike lines carry"
        raise InputError(f"input runs from {smallest} to {largest}, {kind} {low} to {high}")
    lines = x.astype(np.int8, copy=False)
    if x.dtype.kind == "f" and not (lines == x).all():
        raise InputError(f"input holds {int((lines != x).sum())} values that are not whole numbers")
    return np.require(lines, requirements=["C", "W"])  # of read-only input the kernels would be compiled again


@dataclass
class _Run:
    """One call of `simulate_engine`: what all threads share."""

    plan: Plan
    products: list[Product]
    x: Array
    probe: bool
    probe_folder: Path | None
    watches: list[Watch]

    def __post_init__(self) -> None:
        self.graph = self.plan.graph
        self.steps = self.x.shape[1]
        self.period = self.rows = self.graph.period(self.steps)
        self.total = self.period + max(self.graph.depth.values())
        samples, words = len(self.x), self.plan.tables.probe_words * self.period * self.probe
        if self.probe and self.probe_folder is None:
            check_whole(self.graph, samples, self.period)
        self.output = np.zeros((samples, self.graph.nodes[self.graph.output].neurons), np.int64)
        self.probes = _probe_array((samples, words), self.probe_folder)
        self.counters = np.zeros((len(self.plan.names), 5, self.period), np.int64)

    def make_windows(self, blocks: list[slice], room: int) -> list[slice]:
        """Where the run is watched, choose windows that a worker has ``room`` for; return blocks that fit them.

        A block of samples is one window, or a sample is many: of each node's phases the last two windows are held.
        """
        if self.probe or not self.watches:
            return blocks
        a_phase = self.plan.tables.probe_words * WORD_BYTES
        if (fit := room // (a_phase * self.period)) >= 1:
            return [slice(at, min(at + fit, b.stop)) for b in blocks for at in range(b.start, b.stop, fit)]
        self.rows = 2 * max(1, max(self.graph.depth.values()), room // (2 * a_phase))
        return [slice(at, at + 1) for at in range(len(self.x))]

    def play(self, blocks: list[slice], workers: int, team: Team, progress: Progress | None) -> None:
        """Run blocks of samples, each on the crew that is free; an interrupt stops after the blocks that run."""
        self.tables = team.mark(self.plan.tables)
        crews = [Crew.of(self.plan, team.size, self.period) for _ in range(workers)]
        idle: SimpleQueue[Crew] = SimpleQueue()
        for crew in crews:
            idle.put(crew)
        if workers == 1:
            for block in blocks:
                _report(self._play_block(block, idle), progress)
        else:
            for done in _in_threads(self._play_block, blocks, idle, workers):
                _report(done, progress)
        for crew in crews:
            self.counters += sum(work.counters for work in crew.works)
        self.plan.idle += crews

    def record(self, extra: dict[str, Any], kept: Kept | None) -> RunRecord:
        layers = {name: LayerCount(*self.counters[self.plan.names.index(name)]) for name in self.graph.nodes}
        probes = _by_name(self.plan, self.probes, self.period) if self.probe else kept.arrays if kept else {}
        return RunRecord("engine", len(self.x), self.steps, self.period, layers, self.output, probes, extra)

    def _play_block(self, block: slice, idle: SimpleQueue[Crew]) -> int:
        """Run some samples, window by window; a window is read and checked when its turn comes."""
        crew = idle.get()
        windows = _Windows(self, block) if self.watches else None
        probes = windows.probes if windows and not self.probe else self.probes[block]
        span = min(SPAN, self.rows // 2 if self.rows != self.period else SPAN)
        try:
            for t0 in range(0, self.total, span):
                t1 = min(t0 + span, self.total)
                lines = check_lines(self.graph, self.x[block, t0:t1])
                if self.products:
                    self._play_products(crew, block, lines, probes, t0, t1)
                else:
                    self._run(crew, block, lines, probes, (0, len(self.tables.stages)), (t0, t1))
                if windows:
                    windows.hand_out(t1)
        finally:
            idle.put(crew)
        return len(self.x[block])

    def _play_products(self, crew: Crew, block: slice, lines: Array, probes: Array, start: int, stop: int) -> None:
        """Run sample by sample, stopping in front of every stage that BLAS feeds."""
        for sample in range(len(lines)):
            one = slice(block.start + sample, block.start + sample + 1)
            for t0 in range(start, stop, CHUNK):
                t1, stage = min(t0 + CHUNK, stop), 0
                some, kept = lines[sample : sample + 1, t0 - start : t1 - start], probes[sample : sample + 1]
                for product in self.products:
                    if product.stage > stage:
                        self._run(crew, one, some, kept, (stage, product.stage), (t0, t1))
                        stage = product.stage
                    multiply(self.tables, crew.works[0], product, t0, t1)
                self._run(crew, one, some, kept, (stage, len(self.tables.stages)), (t0, t1))

    def _run(
        self, crew: Crew, block: slice, lines: Array, probes: Array, stages: tuple[int, int], steps: tuple[int, int]
    ) -> None:
        output, length = self.output[block], (self.steps, self.period, self.rows)
        crew.run(lambda work, place, sync: run(
            self.tables, work, lines, output, probes, stages, steps, length, CHUNK, place, sync
        ))  # fmt: skip


class _Windows:
    """What a block of samples hands to those who watch: of every node the phases since the last time."""

    def __init__(self, run: _Run, block: slice) -> None:
        self.run, self.block = run, block
        words = run.plan.tables.probe_words * run.rows
        self.probes = run.probes[block] if run.probe else np.empty((len(run.x[block]), words), np.int64)
        self.views = _by_node(run.plan, self.probes, run.rows)
        self.span = run.rows // 2 if run.rows != run.period else run.period
        self.first = dict.fromkeys(run.plan.names, 0)

    def hand_out(self, stop: int) -> None:
        """Hand out every window that is complete when the run has come to the step ``stop``."""
        run = self.run
        for name, values in self.views.items():
            known = min(stop - run.graph.depth[name], run.period)
            while (last := min(self.first[name] + self.span, run.period)) <= known and self.first[name] < last:
                at = self.first[name] % run.rows
                window = {key: value[:, at : at + last - self.first[name]] for key, value in values.items()}
                for watch in run.watches:
                    watch(self.block, name, self.first[name], window)
                self.first[name] = last


def _in_threads(play: Any, blocks: list[slice], idle: SimpleQueue[Crew], threads: int) -> Iterator[int]:
    """Yield the samples of each finished block; blocks that have not begun are dropped when the caller leaves."""
    with ThreadPoolExecutor(threads, thread_name_prefix="engine") as pool:
        waiting: set[Future[int]] = {pool.submit(play, block, idle) for block in blocks}
        try:
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    yield future.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _report(samples: int, progress: Progress | None) -> None:
    if progress:
        progress(samples)


def _probe_array(shape: tuple[int, int], folder: Path | None) -> Array:
    if folder is None or shape[1] == 0:
        return np.zeros(shape, np.int64)
    return np.lib.format.open_memmap(folder / "probes.npy", mode="w+", dtype=np.int64, shape=shape)


def _by_name(plan: Plan, probes: Array, period: int) -> dict[str, Array]:
    """Cut what the kernels wrote into views (samples, period, ...) keyed 'layer.message' and 'layer.<state>'."""
    views = _by_node(plan, probes, period)
    return {f"{name}.{key}": value for name in plan.graph.nodes for key, value in views[name].items()}


def _by_node(plan: Plan, probes: Array, rows: int) -> dict[str, dict[str, Array]]:
    """Cut the same into views (samples, rows, ...) by node, 'message' first."""
    views: dict[str, dict[str, Array]] = {}
    place = 0
    for name in plan.names:
        views[name] = {}
        for key, shape in shapes(plan.graph.nodes[name]).items():
            size = rows * int(np.prod(shape))
            views[name][key] = probes[:, place : place + size].reshape(len(probes), rows, *shape)
            place += size
    return views

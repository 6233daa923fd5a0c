"""Playing: one run of the engine, blocks of samples on the threads that are free, span after span of steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np

from ..nodes.arithmetic import Array
from ..record import LayerCount, RunRecord
from .crew import Crew, Team
from .dense import DenseProduct, multiply
from .kernels import Listed, run
from .lines import Input, cut, only
from .plan import Plan
from .probes import WORD_BYTES, Kept, Watch, check_whole
from .ready import with_units
from .reference import Progress
from .tables import CHUNK
from .windows import Windows, by_name, probe_array

WORKERS_BYTES = 2**31  # of all workers; where a graph takes more of it, its threads share samples
LEAST_WINDOW = 4  # phases of a node that are handed out at once, however large the graph
SPAN = 2**15  # steps a kernel runs before Python may look up: an interrupt, the progress bar


@dataclass
class Playing:
    """One call of `simulate_engine`: what all threads share."""

    plan: Plan
    products: list[DenseProduct]
    x: Input
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
        self.probes = probe_array((samples, words), self.probe_folder)
        self.counters = np.zeros((len(self.plan.names), 5, self.period), np.int64)

    def affordable_workers(self) -> int:
        """Return how many workers take no more memory than a run may: a ring of messages each, and windows."""
        windows = 2 * LEAST_WINDOW * self.plan.tables.probe_words * WORD_BYTES if self.watches else 0
        return max(1, WORKERS_BYTES // (4 * self.plan.sizes["messages"] + windows))

    def make_windows(self, blocks: list[slice], room: int) -> list[slice]:
        """Where the run is watched, choose windows that a worker has ``room`` for; return blocks that fit them.

        A block of samples is one window, or a sample is many: of each node's phases the last two windows are held,
        the one that is being filled, up to its own depth late, and the one before.
        """
        if self.probe or not self.watches:
            return blocks
        a_phase = self.plan.tables.probe_words * WORD_BYTES
        if (fit := room // (a_phase * self.period)) >= 1:
            return [slice(at, min(at + fit, b.stop)) for b in blocks for at in range(b.start, b.stop, fit)]
        self.rows = min(self.period, 2 * max(LEAST_WINDOW, room // (2 * a_phase)))
        return [slice(at, at + 1) for at in range(len(self.x))]

    def play(self, blocks: list[slice], workers: int, team: Team, progress: Progress | None) -> None:
        """Run blocks of samples, each on the crew that is free; an interrupt stops after the blocks that run."""
        probed = self.probe or bool(self.watches)
        self.tables = with_units(self.plan, team.mark(self.plan.tables), probed=probed, shared=team.size > 1)
        self.team = team
        self.idle: SimpleQueue[Crew | None] = SimpleQueue()
        for _ in range(workers):
            self.idle.put(None)
        _in_threads(self._play_block, blocks, workers, progress)
        crews = [crew for crew in (self.idle.get() for _ in range(workers)) if crew]
        for crew in crews:
            self.counters += sum(work.counters for work in crew.works)
        self.plan.idle += crews

    def record(self, extra: dict[str, Any], kept: Kept | None) -> RunRecord:
        layers = {name: LayerCount(*self.counters[self.plan.names.index(name)]) for name in self.graph.nodes}
        probes = by_name(self.plan, self.probes, self.period) if self.probe else kept.arrays if kept else {}
        order = self.plan.orders.get(self.graph.output)
        output = order.put_back(self.output) if order else self.output
        return RunRecord("engine", len(self.x), self.steps, self.period, layers, output, probes, extra)

    def _play_block(self, block: slice) -> int:
        """Run some samples, window by window; a window is read, checked and listed when its turn comes.

        A thread makes the memory it works in, which then lies near its core.
        """
        crew = self.idle.get() or Crew.of(self.plan, self.team.size, self.period)
        samples: int = block.stop - block.start
        probes, windows = self.probes[block], None
        if self.watches:
            words = self.plan.tables.probe_words * self.rows
            probes = probes if self.probe else np.empty((samples, words), np.int64)
            windows = Windows(self.plan, probes, block, (self.rows, self.period), self.watches)
        span = min(SPAN, self.rows // 2 if self.rows != self.period else SPAN)
        try:
            for t0 in range(0, self.total, span):
                t1 = min(t0 + span, self.total)
                lines = cut(self.graph, self.x, block, slice(t0, t1))
                if self.products:
                    self._play_products(crew, block, lines, probes, t0, t1)
                else:
                    self._run(crew, block, lines, probes, (0, len(self.tables.stages)), (t0, t1))
                if windows:
                    windows.hand_out(t1)
        finally:
            self.idle.put(crew)
        return samples

    def _play_products(self, crew: Crew, block: slice, lines: Listed, probes: Array, start: int, stop: int) -> None:
        """Run sample by sample, stopping in front of every stage that BLAS feeds."""
        for sample in range(block.stop - block.start):
            one, some = slice(block.start + sample, block.start + sample + 1), only(lines, sample)
            for t0 in range(start, stop, CHUNK):
                t1, stage = min(t0 + CHUNK, stop), 0
                kept = probes[sample : sample + 1]
                for product in self.products:
                    if product.stage > stage:
                        self._run(crew, one, some, kept, (stage, product.stage), (t0, t1))
                        stage = product.stage
                    multiply(self.tables, crew.works[0], product, t0, t1)
                self._run(crew, one, some, kept, (stage, len(self.tables.stages)), (t0, t1))

    def _run(
        self, crew: Crew, block: slice, lines: Listed, probes: Array, stages: tuple[int, int], steps: tuple[int, int]
    ) -> None:
        output, length = self.output[block], (self.steps, self.period, self.rows)
        crew.run(lambda work, place, sync: run(
            self.tables, work, lines, output, probes, stages, steps, length, CHUNK, place, sync
        ))  # fmt: skip


def _in_threads(play: Callable[[slice], int], blocks: list[slice], threads: int, progress: Progress | None) -> None:
    """Let threads, this one among them, take one block after the other; whoever fails leaves none for the others.

    Only this thread tells the progress, the others' with its own: to wait for every block of a pool took some 60 us.
    """
    waiting, ended, faults = deque(blocks), deque[int](), list[BaseException]()

    def take() -> None:
        try:
            while (block := _next(waiting)) is not None:
                ended.append(play(block))
        except BaseException as fault:  # noqa: BLE001  the thread that calls raises it
            waiting.clear()
            faults.append(fault)

    others = [Thread(target=take, name=f"engine {k}") for k in range(1, threads)]
    for other in others:
        other.start()
    try:
        while (block := _next(waiting)) is not None:
            ended.append(play(block))
            _report(ended, progress)
    finally:
        waiting.clear()
        for other in others:
            other.join()
    _report(ended, progress)
    if faults:
        raise faults[0]


def _next(waiting: deque[slice]) -> slice | None:
    try:
        return waiting.popleft()
    except IndexError:
        return None


def _report(ended: deque[int], progress: Progress | None) -> None:
    while ended:
        samples = ended.popleft()
        if progress:
            progress(samples)

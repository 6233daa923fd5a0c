"""The engine: the same integers as `reference`, from compiled kernels, over all cores.

Threads take blocks of at most ``batch`` samples, one after the other; where there are fewer samples than threads,
several share the neurons of one. A thread has its own counters. Integers are summed in whatever order they come, so the
record does not depend on the threads or the batch.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..denormals import check_compiles
from ..errors import InputError
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array, ceil_div
from ..record import RunRecord
from .crew import ALONE, Team, layer_seconds, worth_splitting
from .dense import PATHS, DenseProduct, blas_threads, choose_products, products_of
from .kernels.layout import KIND, PLANE_LIF, SENT, TEAM_MAX, UPDATES
from .lines import Input, InputEvents, beginning
from .plan import Plan
from .playing import SPAN, Playing
from .probes import ROOM, Probe, Watch, watching
from .ready import make_all, tiny_graph, usable_cores, with_units
from .reference import Progress, check_input, check_progress
from .tables import CHUNK, lay_out

BATCH = 64
FEW_STEPS = 2**11  # fewer run on one thread
LEAST_STEPS = 2**9  # that a thread takes at a time


@dataclass(frozen=True)
class Tuning:
    """How the engine plays; its record does not depend on it.

    ``path`` says how dense synapses add up: 'events' (rows of those who fired), 'gemm' (BLAS over all), or 'auto',
    which decides by the first steps this engine sees. So many ``neuron_threads`` share one sample, by default those
    that have none of their own, where the first steps say that it pays. A thread takes ``batch`` samples at a time;
    what is watched passes in windows of ``room`` bytes.
    """

    path: str = "auto"
    neuron_threads: int | None = None
    batch: int = BATCH
    room: int = ROOM

    def __post_init__(self) -> None:
        arguments.choice(self.path, PATHS, "path")
        arguments.whole(self.batch, "batch", 1)
        arguments.whole(self.room, "room", 1)
        if self.neuron_threads is not None:
            arguments.whole(self.neuron_threads, "neuron_threads", 1, TEAM_MAX)


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

    >>> import bim_neuro
    >>> program = bim_neuro.compile("examples/digits.pt")
    >>> engine = Engine(program.graph)
    >>> engine.run(program.encode(bim_neuro.load_task("digits").test.x[:2]))
    <RunRecord of 2 samples of 8 steps, engine: input, block1.u, block1.B, block1.C, block1.scan, block1.lif, readout>
    """

    def __init__(self, graph: IntegerGraph) -> None:
        check_compiles()
        self.graph = arguments.instance(graph, IntegerGraph, "graph", "a program's is program.graph")
        self.quiet = lay_out(graph, watched=False)
        self._chosen: dict[str, tuple[Plan | None, list[DenseProduct], list[dict[str, Any]]]] = {}
        self._measured: dict[str, float] = {}

    @cached_property
    def plan(self) -> Plan:
        """The plan of runs that are watched; a quiet one's may have layers in plane order."""
        in_plane_order = (self.quiet.tables.nodes[:, KIND] == PLANE_LIF).any()
        return lay_out(self.graph) if in_plane_order else self.quiet

    def run(
        self,
        x: Input,
        *,
        probe: Probe = False,
        watch: Watch | None = None,
        threads: int | None = None,
        progress: Progress | None = None,
        probe_folder: Path | None = None,
        tuning: Tuning | None = None,
    ) -> RunRecord:
        """Run encoded input (samples, steps, channels), or the same listed (`InputEvents`), and count everything.

        ``probe`` keeps every message and state, in memory or, with ``probe_folder``, in a file there, or those that it
        names; ``watch`` sees them pass. ``threads`` is by default one for each core. ``extra`` of the record tells
        what was chosen of ``tuning``, and why.
        """
        if isinstance(x, InputEvents):
            x.check(self.graph)
        else:
            check_input(self.graph, x)
        tuning = Tuning() if tuning is None else arguments.instance(tuning, Tuning, "tuning")
        threads = None if threads is None else arguments.whole(threads, "threads", 1)
        check_progress(progress)
        if probe_folder is not None and not arguments.path(probe_folder, "probe_folder").is_dir():
            raise InputError(f"probe_folder {probe_folder} is no folder")
        probe_folder = None if probe_folder is None else Path(probe_folder)
        kept, watches = watching(self.graph, probe, watch, len(x), self.graph.period(x.shape[1]), np.int64)
        quiet = not watches and probe is not True and (tuning.neuron_threads or 1) == 1
        choice, threads = self._choose(tuning.path, x, quiet=quiet), threads or usable_cores()
        playing = Playing(choice.plan, choice.products, x, probe is True, probe_folder, watches)
        blocks = _blocks(len(x), playing.total, threads, max(1, min(tuning.batch, SPAN // playing.total)))
        workers = min(max(1, threads // (tuning.neuron_threads or 1)), len(blocks), playing.affordable_workers())
        blocks = playing.make_windows(blocks, tuning.room // workers)
        team = self._team(choice, tuning.neuron_threads, threads // workers, x)
        with blas_threads(threads // workers) if choice.products else nullcontext():
            playing.play(blocks, workers, team, progress)
        told = {"paths": choice.paths} if choice.paths else {}
        return playing.record(told | ({"neuron_threads": team.size} if team.size > 1 else {}), kept)

    def _choose(self, path: str, x: Input, *, quiet: bool) -> _Choice:
        if path not in self._chosen:
            paths = choose_products(self.quiet, self._activity(x), path) if path != "events" else []
            products = products_of(self.quiet, paths)
            places = frozenset(product.place for product in products)
            plan = lay_out(self.graph, multiplied=places) if products else None
            self._chosen[path] = plan, products, paths
        plan, products, paths = self._chosen[path]
        return _Choice(plan or (self.quiet if quiet else self.plan), products, paths)

    def _team(self, choice: _Choice, asked: int | None, spare: int, x: Input) -> Team:
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

    def _activity(self, x: Input) -> dict[str, float]:
        """Return the share of neurons that speak in a step, by name, on the first piece of input this engine saw."""
        if not self._measured:
            playing = Playing(self.quiet, [], beginning(x, CHUNK), False, None, [])
            playing.play([slice(0, 1)], 1, ALONE, None)
            updates = np.maximum(playing.counters[:, UPDATES].sum(axis=1), 1)
            share = playing.counters[:, SENT].sum(axis=1) / updates
            self._measured = dict(zip(self.quiet.names, share.tolist(), strict=True))
        return self._measured


def _blocks(samples: int, steps: int, threads: int, most: int) -> list[slice]:
    """Cut samples into blocks for threads to take, the smaller the fewer are left: all end at about the same time.

    A run of a few milliseconds is not worth a second thread, nor one of a fraction a turn of its own.
    """
    least = min(most, ceil_div(LEAST_STEPS, steps))
    shares = 1 if threads == 1 or samples * steps < FEW_STEPS else 2 * threads
    blocks: list[slice] = []
    at = 0
    while at < samples:
        size = max(least, min(most, ceil_div(samples - at, shares)))
        blocks.append(slice(at, min(at + size, samples)))
        at += size
    return blocks


@dataclass(frozen=True)
class _Choice:
    """Which synapses BLAS multiplies, the plan that leaves them out, and the reasons as the record tells them."""

    plan: Plan
    products: list[DenseProduct]
    paths: list[dict[str, Any]]


def load_kernels(engine: Engine | None = None) -> None:
    """Compile what an engine's runs call, or all kernels, once on a machine, or read them from the disk cache."""
    if engine:
        for plan in (engine.quiet, engine.plan):
            with_units(plan, plan.tables, probed=True, shared=False)
    else:
        make_all()
    Engine(tiny_graph()).run(np.ones((1, 1, 1), np.int8), threads=1, tuning=Tuning(path="events" if engine else "gemm"))


def idle_cores() -> int:
    """Return the cores that others leave to us at this moment: threads that meet lose more than they gain by waiting.

    Linux counts what runs now; elsewhere all cores are taken for idle.
    """
    try:
        running = int(Path("/proc/loadavg").read_text().split()[3].split("/")[0])
    except (OSError, ValueError, IndexError):
        return usable_cores()
    return max(1, usable_cores() - (running - 1))

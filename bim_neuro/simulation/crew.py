"""Crew: the threads that share one sample, and which layers are worth it, from the work its first steps measured.

Members meet twice after a layer they share, once a chunk of steps. A layer is split where that costs a small part of
what it takes; a run is, where all it saves is more than starting the threads.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from ..nodes import Conv, Dense
from ..nodes.arithmetic import Array
from .dense import event_seconds
from .kernels import SYNC_WORDS, Tables, Work, give_up, layout
from .plan import Plan, zeros
from .tables import CHUNK

NO_SYNC = np.zeros(SYNC_WORDS, np.int64)  # nobody to meet

# Seconds, measured on one core of an AMD EPYC with AVX-512 (docs/engine.md); only their ratios matter for the choice.
MEETING = 1e-6  # two threads that are both on a core
START = 300e-6  # threads, and the memory of each
WORTH = 8  # how many times a meeting a layer must take
UPDATE = {
    layout.SOURCE: 0.2e-9,
    layout.LIF: 0.15e-9,
    layout.PLANE_LIF: 0.2e-9,
    layout.WIDE_LIF: 1e-9,
    layout.CUBA: 3e-9,
    layout.RELAY: 0.4e-9,
    layout.READOUT: 2e-9,
    layout.NARROW_RELAY: 0.3e-9,
    layout.NARROW_READOUT: 0.4e-9,
    layout.SCAN: 1.2e-9,
    layout.WIDE_SCAN: 5e-9,
    layout.GRADED: 1e-9,
    layout.PRODUCT_NEURON: 1.5e-9,
}
STATE = 0.4e-9  # one state of a scan
TAP = 20e-12  # one weight of a convolution, of a neuron that fired


@dataclass(frozen=True)
class Team:
    """How many threads share a sample, and which nodes they split, (nodes,)."""

    size: int
    split: Array

    def mark(self, tables: Tables) -> Tables:
        """Return the tables with the nodes marked that are split."""
        nodes = tables.nodes.copy()
        nodes[: len(self.split), layout.SPLIT] = self.split
        return tables._replace(nodes=nodes)


ALONE = Team(1, np.zeros(0, bool))


@dataclass(eq=False)
class Crew:
    """The threads of one sample and the memory of each, the first is the thread that calls."""

    works: list[Work]
    others: ThreadPoolExecutor | None

    @classmethod
    def of(cls, plan: Plan, size: int, columns: int) -> Crew:
        """Return a crew with counters for ``columns`` steps: an idle one, as fresh memory is slow to touch."""
        with plan.lock:
            found = next((crew for crew in plan.idle if len(crew.works) == size), None)
            if found:
                plan.idle.remove(found)
        if found:
            counters = (len(plan.names), 5, columns)
            return cls([work._replace(counters=zeros(counters, np.int64)) for work in found.works], found.others)
        leader = plan.work(columns)
        others = ThreadPoolExecutor(size - 1, thread_name_prefix="neurons") if size > 1 else None
        return cls([leader, *(plan.member(leader) for _ in range(size - 1))], others)

    def run(self, play: Callable[[Work, tuple[int, int], Array], None]) -> None:
        """Let all members make the same call; whoever fails releases those who would wait for him."""
        size = len(self.works)
        if self.others is None:
            play(self.works[0], (0, 1), NO_SYNC)
            return
        sync = np.zeros(SYNC_WORDS, np.int64)
        try:
            playing = [self.others.submit(play, self.works[k], (k, size), sync) for k in range(1, size)]
            play(self.works[0], (0, size), sync)
        except BaseException:
            give_up(sync)
            raise
        for other in playing:
            other.result()


def layer_seconds(plan: Plan, activity: dict[str, float]) -> Array:
    """Return the seconds each node takes for a step on one thread, (nodes,), from the share of neurons that speak."""
    nodes = plan.tables.nodes
    updates = np.array([UPDATE[kind] for kind in nodes[:, layout.KIND].tolist()])
    seconds: Array = nodes[:, layout.WIDTH] * (updates + nodes[:, layout.STATES] * STATE)
    for place, edge in enumerate(plan.edges):
        if isinstance(edge.synapse, Dense):
            event = event_seconds(plan, edge.source)
            seconds[plan.names.index(edge.target)] += activity[edge.source] * edge.synapse.weight.size * event
        elif isinstance(edge.synapse, Conv) and _tiles(plan, place) > 1:  # of one tile a member takes the whole
            seconds[plan.names.index(edge.target)] += activity[edge.source] * edge.synapse.count * TAP
    return seconds


def _tiles(plan: Plan, place: int) -> int:
    """Return the tiles of a convolution, which members of a team share."""
    words = plan.tables.words64[plan.tables.edges[place, layout.SHAPE] :]
    return int(words[layout.GROUPS] * words[layout.TILES])


def worth_splitting(plan: Plan, seconds: Array, threads: int, steps: int) -> Array:
    """Say for every node whether ``threads`` should share it, (nodes,); none where all they save is too little."""
    alone = np.ones(len(plan.names), bool)
    for first, last, loop in plan.tables.stages.tolist():
        alone[first:last] = bool(loop) or plan.tables.nodes[first, layout.KIND] == layout.PLANE_LIF
    wide = plan.tables.nodes[:, layout.WIDTH] >= 2 * layout.LINE
    chosen: Array = ~alone & wide & (seconds * CHUNK > WORTH * MEETING)
    saved = (seconds * chosen).sum() * (1 - 1 / threads) * steps
    return chosen if saved > 2 * START else np.zeros_like(chosen)

"""Run: steps through a graph, layer by layer within a chunk of steps, step by step where layers form a loop.

A layer's weights stay in the core's own cache while it runs through a chunk; its messages wait in a ring.
"""

from __future__ import annotations

from ...jit import entry, kernel
from ...nodes.arithmetic import Array
from .layer import join, play
from .layout import KIND, SOURCE, SPLIT, Listed, Tables, Work
from .source import send
from .synapses import clear
from .team import meet


@entry
def run(
    tables: Tables,
    work: Work,
    lines: Listed,
    output: Array,
    probes: Array,
    stages: tuple[int, int],
    steps: tuple[int, int],
    length: tuple[int, int, int],
    chunk: int,
    team: tuple[int, int],
    sync: Array,
) -> None:
    """Run every sample, a row of ``lines.starts``, through ``stages`` and ``steps``.

    ``length`` is the steps of input a sample has, its period, and how many phases of a node ``probes`` holds, the later
    in the place of the earlier. With period 0 ``lines`` is one step of an endless stream: no sample ever ends, and
    all steps count as one. ``team`` says which member of how many this thread is; all members make the same call and
    meet after every layer.
    """
    member, size = team
    met = 0
    for sample in range(len(lines.starts)):
        if steps[0] == 0 and stages[0] == 0:
            if member == 0:
                _rest(work)
            met = meet(sync, size, met)
        for t0 in range(steps[0], steps[1], chunk):
            t1 = min(t0 + chunk, steps[1])
            for stage in range(stages[0], stages[1]):
                first, last, loop = tables.stages[stage]
                source = tables.nodes[first, KIND] == SOURCE
                split = size > 1 and loop == 0 and tables.nodes[first, SPLIT] != 0 and not source
                many = size if split else 1
                stride = 1 if last - first > 1 else t1 - t0
                if source and member == 0:
                    send(tables, work, lines, sample, output[sample], probes[sample], first, (t0, t1), length)
                for i in range(0 if source else (t1 - t0) // stride * (last - first)):
                    node, t = first + i % (last - first), t0 + i // (last - first) * stride
                    if member < many:
                        times, place = (t, t + stride, t0), (member, many)
                        play(tables, work, output[sample], probes[sample], node, times, length, place)
                met = meet(sync, size, met)
                if split:
                    join(tables, work, first, (t0, t1), length[1], team)
                    met = meet(sync, size, met)


@kernel
def _rest(work: Work) -> None:
    clear(work.state32)
    clear(work.state64)

"""Run: steps through a graph, layer by layer within a chunk of steps, step by step where layers form a loop.

A layer's weights stay in the core's own cache while it runs through a chunk; its messages wait in a ring.
"""

from __future__ import annotations

from ...jit import entry, kernel
from ...nodes.arithmetic import Array
from .calls import call, lay_down
from .layout import JOIN, KIND, PLAY, SEND, SOURCE, SPLIT, Call, Listed, Tables, Work
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
    at = lay_down(Call(tables, work, lines, output, probes, length[0], length[1], length[2]))
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
                unit = tables.units[SEND if source else PLAY]
                stride = 1 if last - first > 1 else t1 - t0
                for i in range((t1 - t0) // stride * (last - first)):
                    node, t = first + i % (last - first), t0 + i // (last - first) * stride
                    if member < many:
                        call(unit, at, (sample, node, t, t + stride, t0, member, many))
                met = meet(sync, size, met)
                if split:
                    call(tables.units[JOIN], at, (first, t0, t1, member, size))
                    met = meet(sync, size, met)


@kernel
def _rest(work: Work) -> None:
    clear(work.state32)
    clear(work.state64)

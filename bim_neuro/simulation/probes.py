"""Probes: the messages and states of a run, all kept, some kept by name, or handed out window by window and forgotten.

Every message and state of a long run takes more memory than there is. So a run can be watched: a window is some phases
of one node, and lives as long as the call that hands it out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import Graph
from ..intake import check_available, check_run_memory, memory_of_a_run
from ..nodes.arithmetic import Array
from ..nodes.node import sends_one

Probe = bool | Collection[str]
"""Whether all messages and states are kept, or the names of those that are, as 'block1.lif.message'."""
Watch = Callable[[slice, str, int, dict[str, Array]], None]
"""Called with samples, node, first phase, and its message and states, each (samples, phases, ...).

Several threads may call at once, but the windows of one node and sample come in order."""
ROOM = 16 * 2**20
"""Bytes that the windows of a run may take."""
WORD_BYTES = 8
_ENCODING = 8
"""Words that a line of input takes while it is encoded and read by both laws."""


def shapes(node: Any) -> dict[str, tuple[int, ...]]:
    """Return the shape of a node's message and of each of its states, for one sample and phase."""
    return {"message": (node.neurons,), **{key: value.shape for key, value in node.initial(()).items()}}


def words(graph: Graph[Any]) -> int:
    """Return how many numbers all messages and states are, for one sample and phase."""
    return sum(int(np.prod(shape)) for node in graph.nodes.values() for shape in shapes(node).values())


def check_whole(graph: Graph[Any], samples: int, period: int) -> None:
    """Refuse to keep everything where the machine has no memory for it."""
    what = f"every message and state of {samples:,} samples of {period:,} steps"
    check_available(what, WORD_BYTES * words(graph) * samples * period)


def check_kept(graph: Graph[Any], samples: int, steps: int) -> None:
    """Refuse a comparison, or a run on Lava, that would keep more messages and states than a run may."""
    what = f"all messages and states of {samples:,} samples of {steps:,} steps, which Lava and --verify keep,"
    check_run_memory(what, WORD_BYTES * words(graph) * samples * steps)


def samples_at_once(graph: Graph[Any], kept: Collection[str], samples: int, steps: int) -> int:
    """Return how many samples a run may take at a time, with the probes ``kept`` of the float law and of the integers.

    `InputError` where the steps of one are more than a run may keep.
    """
    probed = sum(_kept_bytes(node, key) for name, node in graph.nodes.items() for key in shapes(node)
                 if f"{name}.{key}" in kept)  # fmt: skip
    a_sample = steps * (_ENCODING * WORD_BYTES * graph.nodes[graph.source].neurons + 2 * probed)
    check_run_memory(f"the messages of one sample of {steps:,} steps, kept to compare,", a_sample)
    at_once: int = max(1, min(samples, memory_of_a_run() // a_sample))
    return at_once


def _kept_bytes(node: Any, key: str) -> int:
    """Return the bytes of one kept probe of a sample and phase."""
    return int(np.prod(shapes(node)[key])) * (1 if key == "message" and sends_one(node) else WORD_BYTES)


class Kept:
    """The probes that were asked for by name; spikes are bool."""

    def __init__(self, graph: Graph[Any], wanted: Collection[str], samples: int, period: int, dtype: type) -> None:
        known = {f"{name}.{key}" for name, node in graph.nodes.items() for key in shapes(node)}
        if unknown := [key for key in wanted if key not in known]:
            raise InputError(
                f"there is nothing called '{unknown[0]}' to probe", f"there are: {', '.join(sorted(known))}"
            )
        self.arrays: dict[str, Array] = {}
        for name, node in graph.nodes.items():
            for key, shape in shapes(node).items():
                if f"{name}.{key}" in wanted:
                    spikes = key == "message" and sends_one(node)
                    self.arrays[f"{name}.{key}"] = np.zeros((samples, period, *shape), bool if spikes else dtype)

    def __call__(self, samples: slice, name: str, first: int, values: dict[str, Array]) -> None:
        for key, window in values.items():
            if (kept := self.arrays.get(f"{name}.{key}")) is not None:
                kept[samples, first : first + window.shape[1]] = window


def watching(
    graph: Graph[Any], probe: Probe, watch: Watch | None, samples: int, period: int, dtype: type
) -> tuple[Kept | None, list[Watch]]:
    """Return who keeps the probes named, if any are, and all to whom windows are handed."""
    if not isinstance(probe, bool):
        named = not isinstance(probe, str | bytes | np.ndarray) and isinstance(probe, Collection)
        if not named or not all(isinstance(key, str) for key in probe):
            hint = "True, False, or names as {'block1.lif.message'}"
            raise InputError(f"probe is {arguments.said(probe)}, names of what to keep are needed", hint)
    if watch is not None:
        arguments.function(watch, "watch")
    kept = None if isinstance(probe, bool) else Kept(graph, probe, samples, period, dtype)
    return kept, [one for one in (kept, watch) if one is not None]

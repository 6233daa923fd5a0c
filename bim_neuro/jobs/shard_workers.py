"""The shards of one long run, by the workers of an executor: the same parts as one process computes, in any order.

The program and the raw samples lie in the run's folder of shards while it runs, and travel by their path; workers that
do not see that folder are sent the program once, where the library can, and each shard its own samples.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import write
from ..errors import BackendFailed, first_line
from ..executors import Pool, one_thread
from ..graph import FloatGraph, IntegerGraph, PlacedGraph
from ..hardware import load_profile
from ..intake import read_npz
from ..nodes.arithmetic import Array
from ..pack import pack, unpack
from ..program import Program
from ..ran import Ran

PROGRAM, INPUT = "program.npz", "input.npy"
TRIES = 3
_SIMULATION = "lava_cpu"  # a profile without cores: a worker only plays


def computed(
    pool: Pool, program: Program, raw: Array, backend: str, wanted: list[tuple[int, slice]], folder: Path
) -> Iterator[tuple[int, Ran]]:
    """Give the shards that are ``wanted``, (index, samples), as they end; a lost worker's runs again, three times."""
    content = _packed(program)
    write(folder / PROGRAM, content)
    np.save(folder / INPUT, raw)
    try:
        digest = hashlib.sha256(content).hexdigest()

        def caller() -> Callable[[slice], Future[Ran]]:
            """Return what hands out a shard to the workers of now, who see the folder or are sent the program."""
            shared = pool.sees(folder / INPUT)
            place = str(folder.absolute()) if shared else pool.scatter(content)

            def call(part: slice) -> Future[Ran]:
                samples = (part.start, part.stop) if shared else raw[part]
                return pool.submit(play_shard, place, digest, samples, backend, os.getpid())

            return call

        yield from _heard(pool, caller, list(reversed(wanted)))
    finally:
        for name in (PROGRAM, INPUT):
            (folder / name).unlink(missing_ok=True)


def _heard(
    pool: Pool, caller: Callable[[], Callable[[slice], Future[Ran]]], left: list[tuple[int, slice]]
) -> Iterator[tuple[int, Ran]]:
    """Hand out the shards that are ``left``, the last first, and give their results."""
    flying: dict[Future[Ran], tuple[int, slice]] = {}
    tries: dict[int, int] = {}
    call = caller()
    while left or flying:
        while left and len(flying) < pool.most:
            index, part = left.pop()
            flying[call(part)] = (index, part)
        for future in wait(flying, return_when=FIRST_COMPLETED).done:
            index, part = flying.pop(future)
            error = None if future.cancelled() else future.exception()
            if future.cancelled():
                left += [(index, part), *flying.values()]
                flying.clear()
                pool.renew()
                call = caller()
                break
            if error is None:
                yield index, future.result()
                continue
            tries[index] = tries.get(index, 0) + 1
            if tries[index] == TRIES:
                raise BackendFailed(f"shard {index} failed on {TRIES} workers, the last: {first_line(error)}")
            left.append((index, part))


def play_shard(place: Any, digest: str, samples: Any, backend: str, process: int) -> Ran:
    """Play some samples on a worker; ``place`` is the folder of shards, or the packed program itself."""
    if os.getpid() != process:
        one_thread()
    if isinstance(place, str):
        program = _program(Path(place) / PROGRAM, digest)
        raw = np.load(Path(place) / INPUT, mmap_mode="r", allow_pickle=False)[slice(*samples)]
    else:
        program, raw = _unpacked(place), samples
    return program.play(np.array(raw), backend=backend)


@lru_cache(1)
def _program(file: Path, digest: str) -> Program:
    """Return the program of a file; the engine of one is built once a process."""
    return _made(read_npz(file))


@lru_cache(1)
def _unpacked(content: bytes) -> Program:
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        return _made(dict(arrays))


def _packed(program: Program) -> bytes:
    header: dict[str, Any] = {}
    content: dict[str, Any] = {}
    for name, graph in (("graph", program.graph), ("reference", program.reference)):
        header[name], arrays = pack(graph)
        content |= {f"{name}:{array}": value for array, value in arrays.items()}
    memory = io.BytesIO()
    np.savez(memory, header=np.array(json.dumps(header)), **content)
    return memory.getvalue()


def _made(content: dict[str, Array]) -> Program:
    """Return a program that plays: its cores stay where it was compiled."""
    header = json.loads(str(content["header"]))
    graphs = {
        name: unpack(header[name], {k.partition(":")[2]: v for k, v in content.items() if k.startswith(f"{name}:")})
        for name in ("graph", "reference")
    }
    graph, reference = graphs["graph"], graphs["reference"]
    assert isinstance(graph, IntegerGraph)
    assert isinstance(reference, FloatGraph)
    return Program(reference, PlacedGraph(graph, _SIMULATION, ()), load_profile(_SIMULATION))

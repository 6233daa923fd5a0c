"""The run of one command: integers and the float model, part by part, each part kept until the folder is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple

import numpy as np

from .. import kept
from ..compilers.to_lava.compat import check_installed
from ..errors import InputError
from ..estimates.neurobench import Activity
from ..excerpts import Excerpts
from ..nodes.arithmetic import Array
from ..program import Program
from ..ran import Ran, joined
from ..record import RunRecord
from ..simulation.agreement import LAYOUT, Agreement
from ..stopwatch import Stopwatch
from .request import Request
from .shards import Shards, from_arrays, run_key, to_arrays

_GOES_ON = "run the same command again to resume"
SHARD = 2048  # samples; a longer run leaves its finished shards beside the output until that is written
SHARD_STEPS = 2**20  # steps of all samples of a shard: long samples come in smaller ones


def run_request(
    program: Program,
    raw: Array,
    request: Request,
    watch: Stopwatch,
    advance: Callable[[int], None],
    shards: Shards | None,
) -> Ran:
    """Run the integers and the float model; an interrupted run with shards resumes where it stopped."""
    if shards is None:
        return _run_part(program, raw, request, watch, advance)
    if request.executor is not None:
        _run_on_workers(program, raw, request, advance, shards)
    parts: list[Ran] = []
    size = _shard_size(raw, request)
    starts = range(0, len(raw), size)
    for index, first in enumerate(starts):
        part = raw[first : first + size]
        done = _parsed(shards.load(index))
        if done is None:
            arrays = _to_arrays(*_run_part(program, part, request, watch, advance))
            shards.save(index, arrays)
            done = _parsed(arrays)
            assert done is not None
        elif request.executor is None:
            advance(len(part))
        kept.say("shards", f"{index + 1} of {len(starts)} shards are kept in {shards.folder}: {_GOES_ON}")
        parts.append(done)
    return joined(parts)


def _run_on_workers(
    program: Program, raw: Array, request: Request, advance: Callable[[int], None], shards: Shards
) -> None:
    """Let the workers of an executor compute the shards that are not there yet."""
    from ..executors import open_pool
    from .shard_workers import computed

    size = _shard_size(raw, request)
    parts = [slice(first, min(first + size, len(raw))) for first in range(0, len(raw), size)]
    wanted = [(index, part) for index, part in enumerate(parts) if _parsed(shards.load(index)) is None]
    advance(len(raw) - sum(part.stop - part.start for _, part in wanted))
    assert request.executor is not None
    with open_pool(request.executor, shards.folder) as pool:
        for index, ran in computed(pool, program, raw, request.backend, wanted, shards.folder):
            shards.save(index, _to_arrays(*ran))
            done = parts[index].stop - parts[index].start
            advance(done)
            kept.say("shards", f"{len(parts)} shards are computed by workers and kept in {shards.folder}: {_GOES_ON}")


def _to_arrays(record: RunRecord, reference: RunRecord, agreement: Agreement, counted: Activity) -> dict[str, Array]:
    sums = {f"agreement/{layer}": np.array(row) for layer, row in agreement.sums.items()}
    return (
        to_arrays(record, "integer") | to_arrays(reference, "float") | sums | {"activity": np.array(astuple(counted))}
    )


def _parsed(arrays: dict[str, Array] | None) -> Ran | None:
    """Return what `_to_arrays` took apart; None where it is damaged."""
    if arrays is None:
        return None
    try:
        sums = {key.removeprefix("agreement/"): row.tolist() for key, row in arrays.items() if "agreement/" in key}
        counted = Activity(*arrays["activity"].tolist())
        return Ran(from_arrays(arrays, "integer"), from_arrays(arrays, "float"), Agreement(sums), counted)
    except (LookupError, TypeError, ValueError):
        return None


def _run_part(program: Program, raw: Array, request: Request, watch: Stopwatch, advance: Callable[[int], None]) -> Ran:
    """Run the requested samples; keep all probes only for a verification."""
    return program.play(
        raw,
        backend=request.backend,
        keep=bool(request.verify),
        time_limit=request.lava_timeout,
        stage=watch.stage,
        advance=advance,
    )


def shards_for(program: Program, raw: Array, request: Request) -> Shards | None:
    """Return where the parts of a long run are kept until the folder is written; None for a run of one part."""
    size = _shard_size(raw, request)
    whole = len(raw) <= size and request.backend != "lava" and request.executor is None
    if request.verify or whole:
        return None
    key = run_key((program.graph, program.reference), raw, request.backend, LAYOUT, str(size))
    return Shards(request.output.with_name(request.output.name + ".resume"), key)


def _shard_size(raw: Array, request: Request) -> int:
    """Return how many samples a shard has; a run on Lava is one."""
    return len(raw) if request.backend == "lava" else min(SHARD, max(1, SHARD_STEPS // max(1, raw.shape[1])))


def excerpts(program: Program, raw: Array, request: Request) -> Excerpts:
    """Return what runs some samples once more, for the report's pictures; Lava's integers are the reference's."""
    return Excerpts(program, raw, "reference" if request.backend == "lava" else request.backend)


def check_backends(request: Request) -> None:
    """Refuse, before any work, a backend that is not installed or cannot do what is asked."""
    if "lava" not in (request.backend, request.verify):
        return
    check_installed()
    if request.thresholds.strict and request.backend == "lava":
        raise InputError("--strict counts saturated values, which Lava does not report", "use --backend reference")

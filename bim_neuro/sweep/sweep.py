"""One bim-sweep: from a request to a folder of finished trials and their table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import kept
from ..atomic import write
from ..errors import InputError
from ..executors import Slurm, open_pool
from ..tasks import TASKS
from .names import PATHS, Knob, find, names, read
from .objectives import Objective
from .proposals import KINDS, Combinations, Proposals, check_effects
from .run import Sweep
from .space import Space, space_of
from .store import Store
from .table import write_table
from .tally import Tally
from .trial import Maker, WithoutEffect

REQUEST = "request.toml"
_TRIALS = 100
"""Trials of random and optuna, unless another number is asked for."""


@dataclass(frozen=True)
class SweepRequest:
    """A request to bim-sweep."""

    output: Path
    objectives: tuple[Objective, ...]
    vary: tuple[str, ...]
    fix: tuple[str, ...] = ()
    model: Path | None = None
    train: str | None = None
    seeds: int | None = None
    proposals: str = "grid"
    trials: int | None = None
    executor: str = "processes:1"
    slurm: Slurm = field(default_factory=Slurm)
    keep: str = "all"
    seed: int = 0
    command: str = ""
    file: str = ""


def run_sweep(
    request: SweepRequest, without_effect: WithoutEffect, say: Callable[[Tally], None] = lambda progress: None
) -> dict[str, Any]:
    """Compute the trials that are not finished yet, and write the table; return it."""
    if (request.model is None) == (request.train is None):
        raise InputError("a sweep is over a model or over a training", "give MODEL, or --train TASK")
    if request.train is not None and request.train not in TASKS:
        raise InputError(f"no task is called '{request.train:.60}'", f"one of: {', '.join(TASKS)}")
    known = names(request.train is not None)
    space = space_of(request.vary, request.seeds, known)
    maker = Maker(request.model, request.train, _fixed(request.fix, space, known), known, without_effect)
    check_effects(space, maker)
    _check_files(space, maker)
    with Store(request.output).opened() as store, open_pool(request.executor, store.folder, request.slurm) as pool:
        if request.file:
            write(store.folder / REQUEST, request.file)
        kept.say("sweep", f"finished trials are kept in {request.output}: the same command goes on")
        proposals = _proposals(request, space, maker, store)
        Sweep(store, pool, proposals, request.keep, say).run()
        table = write_table(store, request.objectives, request.command)
    kept.forget("sweep")
    return table


def _check_files(space: Space, maker: Maker) -> None:
    """Refuse, before anything is written, a file or a chip that cannot be read."""
    first = space.at(0)
    for axis in space.axes:
        named = axis.name.full in (*PATHS, "target")
        for value in axis.values if named else axis.values[:1]:
            maker.trial({**first, axis.name.full: value}).key  # noqa: B018  (it hashes what it reads)


def _fixed(pairs: tuple[str, ...], space: Space, known: dict[str, Knob]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    varied = {axis.name.full for axis in space.axes}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise InputError(f"--fix {pair:.60} gives no value", "write it as samples=200")
        name = find(key.strip(), known)
        if name.full in varied or name.full in found:
            raise InputError(f"--fix {key:.60} is given twice, or varied", "leave one of them out")
        found[name.full] = read(name, text.strip(), key.strip())
    return found


def _proposals(request: SweepRequest, space: Space, maker: Maker, store: Store) -> Proposals:
    if request.proposals == "grid":
        return Combinations(space, maker, trials=request.trials)
    if request.proposals == "random":
        return Combinations(space, maker, request.seed, request.trials or _TRIALS)
    if request.proposals != "optuna":
        raise InputError(f"--proposals is '{request.proposals:.60}'", f"one of: {', '.join(KINDS)}")
    from .optuna_study import Study

    return Study(space, maker, store, request.objectives, request.seed, request.trials or _TRIALS)

"""Learning before a run: its stream, its result, and where that is kept until the folder is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import kept
from ..atomic import sweep
from ..errors import InputError
from ..intake import check_available
from ..plasticity.replay import learnt_in_all
from ..plasticity.request import Plasticity
from ..program import Program
from ..reading import read_model
from ..simulation.probes import WORD_BYTES
from ..stopwatch import Stopwatch
from ..tasks import Dataset
from .chosen import Chosen
from .learn import Learned, learn, learning_key, lessons, load_learned, save_learned
from .request import Request, Stage
from .sequences import note_learnt, to_learn


def plasticity_for(model: Path, dt: float | None, rule: str, dialect: Any = None, **wanted: Any) -> Plasticity:
    """Return the requested plasticity: the default, or the model's own ('described'), with the given settings."""
    base = Plasticity()
    if rule == "described":
        stored = read_model(model, dt, dialect).extra.get("plasticity")
        if stored is None:
            raise InputError(f"{model} describes no plasticity", "name a rule, as --learn hybrid")
        try:
            base = Plasticity.from_dict(stored)
        except InputError as error:
            raise InputError(f"{model}: {error.message}", error.hint) from None
        rule = base.rule
    if isinstance(wanted.get("synapses"), str):
        wanted["synapses"] = tuple(part.strip() for part in wanted["synapses"].split(","))
    return replace(base, rule=rule, **{name: value for name, value in wanted.items() if value is not None})


def learn_first(
    program: Program, request: Request, stage: Stage, advance: Callable[[int], None], watch: Stopwatch
) -> tuple[Learned, Chosen]:
    """Learn on the stream; return the learnt program and the sequences it was tested on before and after."""
    assert request.plasticity is not None
    given = to_learn(program, request.wanted)
    stream = given.stream.data
    kept_samples = request.plasticity.replay
    _check_room_to_learn(program, stream, learnt_in_all(request.learn_samples, kept_samples))
    order = np.arange(len(stream))
    if request.input is None or given.stream.split:  # samples of a split are ordered by patient or class
        order = np.random.default_rng(request.plasticity.seed).permutation(len(stream))
    order = np.resize(order, request.learn_samples)
    stream = stream.take(order)
    stage("learn (kernels are compiled on the first run)", learnt_in_all(len(stream), kept_samples))
    file = learned_file(request)
    sweep(file)
    tests = {name: test.data for name, test in given.tests.items()}
    key = learning_key(program, request.plasticity, stream, tests)
    with watch.stage("learn"):
        learned = load_learned(file, key, program, stream)
        if learned is None:
            learned = learn(program, request.plasticity, stream, tests, advance)
            save_learned(learned, file, key)
    kept.say("learned", f"the learnt program is kept in {file}: run the same command again to resume")
    verified = None
    if request.verify == "lava":
        stage("verify the learning of the first samples on lava", None)
        with watch.stage("verify learning"):
            placement = str(learned.report["placement"])
            verified = lessons(program, request.plasticity, stream, placement, request.lava_timeout)
    program = note_learnt(learned.program, given.stream.hashes[order], stream.x.shape[1])
    facts = {**learned.report, "stream": given.stream.origin, "verify": verified}
    return replace(learned, program=program, report=facts), given.main.first(request.samples)


def _check_room_to_learn(program: Program, stream: Dataset, samples: int) -> None:
    """Refuse a stream that does not fit in memory: raw samples, encoded samples, and the block's input."""
    _, steps, channels = stream.x.shape
    widest = max(node.neurons for node in program.graph.nodes.values())
    size = samples * steps * (stream.x.itemsize * channels + 2 * WORD_BYTES * widest)
    check_available(f"{samples:,} samples of {steps:,} steps to learn from", size, "give a smaller learn.samples")


def learned_file(request: Request) -> Path:
    """Return the file that keeps the learnt program, beside the output folder."""
    return request.output.with_name(request.output.name + ".learned")

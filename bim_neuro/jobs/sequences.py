"""The sequences that a compiled model runs on, learns on and is tested on, and which of them were in its training data.

file with splits     the one the model was trained on (model.pt knows its samples), or one that holds `split` or
                     `x_test`: its test split, or the one --split names; learning streams its train split
file without         all of it, with the share that was seen in training
no file              the same splits of the model's own task
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import isclose
from pathlib import Path
from typing import cast

import numpy as np

from .. import arguments
from ..choices import NOT_ASKED
from ..compilers.calibrate import SAMPLES
from ..errors import Finding, InputError
from ..lowering import Typical
from ..nodes.arithmetic import Array
from ..program import Program
from ..stages import what_it_reads
from ..tasks import SPLITS, Dataset, Recordings, Task, load_task, read_recordings
from ..trained_on import KEY, TrainedOn, sample_hashes
from .by_head import check_labels, class_names
from .chosen import Chosen, LearningStream, Wanted

ALL = "all"
MOST_NOTED = 100_000  # samples of a task whose hashes a model holds
_DIGITS = 18  # that a number of samples may have
_UNKNOWN = "it is not known which of these samples the model was trained on: the model does not record it, and {why}"
_OTHER_SPLIT = "the array split differs from the splits used in training; those of training are used"


def to_run(program: Program, wanted: Wanted) -> Chosen:
    """Choose the sequences a model runs on."""
    _check_split(wanted.split)
    chosen = _chosen(wanted.input, program, wanted, wanted.split)
    return _labelled(chosen, program).first(wanted.samples)


def to_learn(program: Program, wanted: Wanted) -> LearningStream:
    """Choose the sequences a model learns on and is tested on; the stream itself is the last choice for a test."""
    if wanted.split is not None:
        hint = "learning uses the train split and is measured on the test split; leave --split out"
        raise InputError("--split has no effect with --learn", hint)
    given = _given(wanted.input, program, wanted, labels_for="learning")
    stream = _part(given, "train" if given.parts else None, program, wanted)
    tests: list[Chosen] = []
    if wanted.learn_test is not None:
        measured = _given(wanted.learn_test, program, wanted, labels_for="measuring")
        tests.append(_part(measured, "test" if measured.parts else None, program, wanted))
    elif wanted.input is not None and given.parts:
        tests.append(_part(given, "test", program, wanted))
    elif program.graph.task == "own":
        tests.append(stream)
    if program.graph.task != "own":
        tests.append(_chosen(None, program, wanted, "test"))
    judged = [_heard(_labelled(test, program), stream.hashes) for test in tests]
    return LearningStream(_labelled(stream, program), {test.origin: test for test in judged})


def training_input(program: Program, wanted: Wanted) -> Typical:
    """Return sequences to place the knots of a lowering by: the training split of the file or of the task, if any."""
    try:
        given = _given(wanted.input, program, wanted)
    except InputError:
        if wanted.input is not None or wanted.data is not None:
            raise
        return Typical(None, "random input")  # the task needs a file, and a check reads none
    name = "train" if "train" in given.parts else next(iter(given.parts), None)
    data = given.parts[name] if name else cast(Recordings, given.file).data
    return Typical(with_steps(data.x, wanted.steps), _origin(given, name))


def note_learnt(program: Program, hashes: Array, steps: int) -> Program:
    """Note in a program's float graph which samples it has learnt from."""
    known = TrainedOn.parse(program.reference.extra.get(KEY)) or TrainedOn.of(np.empty((0, steps, 1)), np.empty(0))
    graph = program.reference
    return replace(program, reference=graph.with_nodes(graph.nodes, **{KEY: known.after(hashes).plain}))


@dataclass(frozen=True, eq=False)
class _Given:
    """A file or a task: its splits, where it has any, and all of a file."""

    name: str
    parts: Mapping[str, Dataset]
    file: Recordings | None = None
    known: TrainedOn | None = None


def _given(file: Path | None, program: Program, wanted: Wanted, labels_for: str = "") -> _Given:
    if file is None:
        return _task(program, wanted)
    known, unknown = _trained_on(program)
    steps = None if known is None else known.steps
    reads = what_it_reads(program.reference, wanted.events)
    recordings = read_recordings(file, wanted.layout, steps, labels_for=labels_for, reads=reads)
    recordings = replace(recordings, notes=(*recordings.notes, *unknown))
    split: Array | None = recordings.split
    if known is not None:
        own = known.split_of(sample_hashes(recordings.data.x))
        if own is not None and split is not None and not np.array_equal(own, split):
            recordings = replace(recordings, notes=(*recordings.notes, _OTHER_SPLIT))
        split = split if own is None else own
    if split is None:
        return _Given(str(file), {}, recordings, known)
    codes = {name: np.flatnonzero(split == code) for code, name in enumerate(SPLITS)}
    parts = {name: recordings.data.take(places) for name, places in codes.items() if len(places)}
    return _Given(str(file), parts, recordings, known)


def _task(program: Program, wanted: Wanted) -> _Given:
    name = program.graph.task
    if name == "own":
        raise InputError("this model has no task with data of its own", "give --input FILE.npz")
    if wanted.layout is not None and wanted.learn_test is None:
        raise InputError("--layout has no effect without --input", "leave it out: the layout of a task is known")
    task = load_task(name, wanted.data)
    return _Given(name, {split: getattr(task, split) for split in SPLITS if len(getattr(task, split))})


def _trained_on(program: Program) -> tuple[TrainedOn | None, tuple[str, ...]]:
    """Return what the model was trained on, and a note where that is not known though its task has data of its own.

    Models record it since 0.2; for an older one it follows from the splits of its task, if those can be loaded.
    """
    noted = TrainedOn.parse(program.reference.extra.get(KEY))
    if program.graph.task == "own" or (noted is not None and len(noted.hashes)):
        return noted, ()
    try:
        known = trained_on(load_task(program.graph.task))
    except InputError as refusal:
        return noted, (_UNKNOWN.format(why=refusal.message),)
    return known if known is None or noted is None else known.after(noted.learnt), ()


def trained_on(task: Task) -> TrainedOn | None:
    """Record the samples of a task and their splits: for task 'own' in the order of the file, else split by split.

    Not for ecg: hashes of its 100,000 beats would take thirty times the size of its model; nor for others of more.
    """
    parts = [task.train, task.validation, task.test]
    if task.name == "ecg" or sum(map(len, parts)) > MOST_NOTED:
        return None
    places = [part.place for part in parts if part.place is not None]
    order = np.argsort(np.concatenate(places)) if len(places) == len(SPLITS) else np.arange(sum(map(len, parts)))
    return TrainedOn.of_parts([part.x for part in parts], order)


def _chosen(file: Path | None, program: Program, wanted: Wanted, split: str | None) -> Chosen:
    """Take the named split; the default is the test split if there are splits."""
    given = _given(file, program, wanted)
    taken = split or ("test" if given.parts else None)
    chosen = _part(given, taken, program, wanted)
    return replace(chosen, named=split is not None, aside=_aside(given, taken, wanted))


def _aside(given: _Given, taken: str | None, wanted: Wanted) -> tuple[Array, str] | None:
    """Return samples to measure ranges on that are not in the split of the run, and their origin."""
    others = [name for name in SPLITS if name in given.parts and taken not in (None, ALL, name)]
    if not others:
        return None
    x = with_steps(given.parts[others[0]].x[:SAMPLES], wanted.steps)
    return x, _origin(given, others[0])


def _part(given: _Given, split: str | None, program: Program, wanted: Wanted) -> Chosen:
    """Take a split, or all samples (None, or 'all')."""
    if split in (None, ALL):
        data = given.file.data if given.file else _joined(tuple(given.parts.values()))
    elif split in given.parts:
        data = given.parts[str(split)]
    elif given.parts:
        raise InputError(f"{given.name} has no samples in the {split} split", f"it has: {', '.join(given.parts)}")
    else:
        hint = "leave --split out to take all of it, or add the array split or x_test (docs/inputs.md)"
        raise InputError(f"{given.name} has no splits, and is not the file the model was trained on", hint)
    origin = _origin(given, split)
    cut = _cut(data, wanted.steps)
    chosen = Chosen(cut, origin, sample_hashes(data.x), split if given.parts else None, whole=len(data))
    if given.file is None:
        return chosen
    hits = None if given.known is None else given.known.seen(chosen.hashes)
    odd = tuple(_mismatches(given.file, program))
    return replace(chosen, hits=hits, layout=given.file.layout, why=given.file.why, notes=given.file.notes, odd=odd)


def _origin(given: _Given, split: str | None) -> str:
    if given.file is None:
        return f"{given.name}, {'all splits' if split == ALL else f'{split} split'}"
    whole = f"all splits of {given.name}" if given.parts else given.name
    return f"{split} split of {given.name}" if split in SPLITS else whole


def _cut(data: Dataset, steps: int | None) -> Dataset:
    """Keep the first ``steps`` steps; labels of steps are cut with them."""
    x, y, lengths = with_steps(data.x, steps), data.y, data.lengths
    if steps is not None and y is not None and y.ndim == 2 and y.shape[1] == data.x.shape[1]:
        y = y[:, :steps]
    lengths = None if lengths is None else np.minimum(lengths, x.shape[1])
    return Dataset(x, y, data.group, data.place, lengths)


def with_steps(raw: Array, steps: int | None) -> Array:
    """Keep the first ``steps`` steps of every sample."""
    if steps is None:
        return raw
    if not 1 <= arguments.whole(steps, "steps") <= raw.shape[1]:
        raise InputError(f"--steps {steps}: the samples have {raw.shape[1]} steps")
    return raw[:, :steps]


def _joined(parts: tuple[Dataset, ...]) -> Dataset:
    """Put splits behind each other, padded to the longest of them."""
    labels = [part.y for part in parts if part.y is not None]
    y = _as_wide(labels, NOT_ASKED) if len(labels) == len(parts) else None
    padded = any(part.lengths is not None for part in parts) or len({part.x.shape[1] for part in parts}) > 1
    lengths = np.concatenate([part.valid for part in parts]) if padded else None
    return Dataset(_as_wide([part.x for part in parts], 0), y, lengths=lengths)


def _as_wide(arrays: list[Array], fill: int) -> Array:
    """Concatenate arrays whose second axes (steps, or symbols) differ."""
    if arrays[0].ndim == 1:
        return np.concatenate(arrays)
    most = max(array.shape[1] for array in arrays)
    ends = [((0, 0), (0, most - array.shape[1]), *[(0, 0)] * (array.ndim - 2)) for array in arrays]
    return np.concatenate([np.pad(array, end, constant_values=fill) for array, end in zip(arrays, ends, strict=True)])


def _heard(test: Chosen, heard: Array) -> Chosen:
    """Warn of test samples that are in the learning stream too."""
    both = int(np.isin(test.hashes, heard).sum())
    if not both:
        return test
    every = both == len(test.data)
    message = f"{both:,} of {len(test.data):,} test samples ({test.origin}) are in the learning stream too"
    hint = "give other test samples with --set learn.test=FILE, or a file with splits"
    finding = Finding("measured-on-the-stream", "input", message, both, 0, hint, "warning")
    origin = f"{test.origin}, on the stream itself" if every else test.origin
    return replace(test, origin=origin, odd=(*test.odd, finding))


def _mismatches(file: Recordings, program: Program) -> Iterator[Finding]:
    """Warn if the file states another step or other classes than the model."""
    graph = program.graph
    if file.dt is not None and not isclose(file.dt, graph.dt, rel_tol=1e-6):
        message = f"the step of '{file.path}' is {file.dt:g} s, the step of the model {graph.dt:g} s"
        hint = "resample the sequences to the model's step"
        yield Finding("input-dt", "input", message, file.dt, graph.dt, hint, "warning")
    known = class_names(program)
    if file.class_names and known and file.class_names != known:
        theirs, ours = (", ".join(names[:6]) for names in (file.class_names, known))
        message = f"the classes of '{file.path}' are {theirs}; the model's are {ours}: labels may not match"
        yield Finding("input-classes", "input", message, None, None, "number the labels as the model does", "warning")


def _labelled(chosen: Chosen, program: Program) -> Chosen:
    """Refuse labels that the model has no class for, or that do not answer its head."""
    chosen.data.of_classes(program.graph.nodes[program.graph.output].neurons)
    check_labels(program, chosen.data)
    return chosen


def _check_split(split: str | None) -> None:
    if split is not None and split not in (*SPLITS, ALL):
        raise InputError(f"no split is called '{split}'", f"one of: {', '.join((*SPLITS, ALL))}")


def count_or_all(text: str) -> int | None:
    """Read a number of samples, or 'all', which is None."""
    if text == ALL:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS and int(text) > 0):
        raise InputError(f"--samples is '{text:.60}'", "give a number from 1, or all")
    return int(text)


def task_for(name: str, data: Path | None, layout: str | None = None) -> Task:
    """Load a task's data, a large x of which may stay in its file; the split's seed is always 0."""
    return load_task(name, data, layout=layout, stored=True)

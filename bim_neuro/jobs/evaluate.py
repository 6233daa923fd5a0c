"""A labelled split as a network reads it, and how well a trained model answers it, in float and in integers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from ..choices import NOT_ASKED
from ..compilers.align import align
from ..compilers.quantise import quantise_with_units
from ..errors import InputError
from ..intake import is_stored
from ..model.checkpoint import Checkpoint
from ..model.export import export
from ..model.network import BIMNetwork
from ..nodes import Encoder
from ..nodes.arithmetic import Array
from ..simulation import Engine
from ..simulation.readings import Readings
from ..simulation.reference import Progress
from ..tasks import Dataset, majority
from ..tasks.answers import Answers
from ..tasks.scores import figures
from ..training.batches import Sequences
from ..training.predict import answers

AT_ONCE = 2**28
"""Bytes of an encoded split that is kept; of a larger one, and of samples that stay in their file, rows are encoded
when they are asked for. Events of delta are kept: they are found step by step, which takes long in every epoch."""
ENCODED_AT_ONCE, EVENTS_AT_ONCE = 2**17, 2**20
"""Numbers that are encoded at a time, and of delta: 64-bit integers and floats lie in between."""
NUMBERS_A_RUN = 2**24
"""Numbers that the engine is given at a time, or that its readout gives."""


@dataclass(frozen=True, eq=False)
class Encoded:
    """SequenceRows of ``raw`` sequences as the float model reads them, made when they are asked for."""

    encoder: Encoder
    raw: Array

    dtype = np.dtype(np.float32)

    @property
    def shape(self) -> tuple[int, ...]:
        return (*self.raw.shape[:2], 1 if self.encoder.kind == "table" else self.encoder.source.neurons)

    @property
    def told_by(self) -> Iterable[Array]:
        """Whose content names these rows in a resume file: their own, where it is one that could be kept."""
        return self.raw if self.dtype.itemsize * prod(self.shape) > AT_ONCE else self

    @property
    def at_once(self) -> int:
        """How many numbers are encoded at a time."""
        return EVENTS_AT_ONCE if self.encoder.kind == "delta" else ENCODED_AT_ONCE

    def __iter__(self) -> Iterator[Array]:
        for part in _parts(len(self), prod(self.shape[1:]), self.at_once):
            yield from self[part]

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, rows: Any) -> Array:
        """Encode the samples of a slice, a mask or positions, some at a time."""
        chosen = np.arange(len(self))[rows]
        x = np.empty((len(chosen), *self.shape[1:]), np.float32)
        for part in _parts(len(x), prod(x.shape[1:]), self.at_once):
            x[part] = self.encoder.for_network(self.raw[chosen[part]])
        return x


def encoded(encoder: Encoder, data: Dataset) -> Sequences:
    """Return a split as training reads it; a task for training has labels."""
    if data.y is None:
        raise InputError("these sequences have no labels")
    rows = Encoded(encoder, data.x)
    asked = (is_stored(data.x) and encoder.kind != "delta") or rows.told_by is not rows
    return Sequences(rows if asked else rows[:], data.y, data.lengths)


def evaluate(
    checkpoint: Checkpoint,
    network: BIMNetwork,
    data: Dataset,
    progress: Progress | None = None,
    field: Callable[[Answers], Mapping[str, Any]] = lambda found: {},
) -> dict[str, Any]:
    """Return {samples, float, integer} of a labelled split, figures by the task's head (tasks/scores.py).

    ``field`` gives further figures of the answers. Of classes it has accuracy, which is float's, majority, a
    constant's, and majority_class too.
    """
    x, y, lengths = encoded(checkpoint.encoder, data)
    head, names = checkpoint.head, checkpoint.labels
    floats = answers(network, x, y, head=head, lengths=lengths)
    integers = _integers(checkpoint, data, progress)
    laws = {"float": floats, "integer": integers}
    found = {law: {**figures(head, y, said, names), **field(said)} for law, said in laws.items()}
    return {"samples": len(y), **_constant(head, y, names, found["float"]), **found}


def _constant(head: str, y: Array, names: tuple[str, ...], floats: dict[str, Any]) -> dict[str, Any]:
    """Return what always answering one class would reach, of heads that ask for classes, beside float's accuracy."""
    if "accuracy" not in floats:
        return {"head": head}
    share, name = majority(np.asarray(y[y != NOT_ASKED], np.int64), names)
    told = {} if head == "class" else {"head": head}
    return {**told, "majority": share, "majority_class": name, "accuracy": floats["accuracy"]}


def _integers(checkpoint: Checkpoint, data: Dataset, progress: Progress | None) -> Answers:
    """Return the answers of the integers, which the readout holds at each step that counts."""
    graph, units = quantise_with_units(export(checkpoint))
    engine = Engine(align(graph))
    steps, worth = data.x.shape[1], 2.0 ** -units.exponents[graph.output]
    config = checkpoint.config
    found = Answers(checkpoint.head, data.valid, (steps, config.classes), data.y, worth, adaptive=config.adaptive)
    for part in _parts(len(data), steps * max(graph.nodes[graph.source].neurons, config.classes)):
        x = checkpoint.encoder.encode(data.x[part])
        if checkpoint.head == "class" and data.lengths is None:  # summed in the kernels
            found.count(part.start, engine.run(x, progress=progress).output)
        else:
            engine.run(x, watch=Readings(graph.output, found, steps, part.start), progress=progress)
    return found


def _parts(samples: int, numbers: int, most: int = NUMBERS_A_RUN) -> Iterator[slice]:
    size = max(1, most // max(1, numbers))
    for first in range(0, samples, size):
        yield slice(first, min(first + size, samples))

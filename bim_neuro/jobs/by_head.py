"""What a compiled model answers where that is no single class: read from the readout at each step that counts.

The mean over the steps, which every run sums up, is the answer to one class a sequence of one length. All else needs
the readout step by step: integers and float are played once more, and what is read is compared with the labels.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import InputError
from ..nodes.arithmetic import Array
from ..program import Program
from ..ran import Ran
from ..simulation.readings import Readings
from ..simulation.reference import simulate_float
from ..stages import float_input
from ..tasks import Dataset
from ..tasks.answers import Answers
from ..tasks.clusters import CLUSTERS
from ..tasks.heads import check_targets
from ..tasks.scores import figures

NUMBERS_A_RUN = 2**24
"""Numbers of the input, or of the readout, that are played at a time."""


def head_of(program: Program) -> str:
    """Return what is asked of a sequence: one of choices.HEADS."""
    return program.reference.extra.get("head", "class")


def is_adaptive(program: Program) -> bool:
    """Whether the last rows of the readout are clusters of tokens."""
    return program.reference.extra.get("softmax") == "adaptive"


def class_names(program: Program) -> tuple[str, ...]:
    """Return the names of what the model answers, without its clusters."""
    labels = program.graph.labels
    return labels[: len(labels) - CLUSTERS * is_adaptive(program)]


def check_labels(program: Program, data: Dataset) -> None:
    """Refuse labels that do not answer the model's head."""
    if data.y is not None:
        classes = program.graph.nodes[program.graph.output].neurons
        classes -= CLUSTERS * is_adaptive(program)
        check_targets(head_of(program), data.y, data.valid, data.x.shape[1], classes)


def answered(program: Program, data: Dataset, ran: Ran, backend: str) -> tuple[Ran, dict[str, Any] | None]:
    """Return the run with what the steps that count add up to, and the figures of the labels by head.

    None of a model that is asked for one class a sequence, whose figures are the summary's accuracy. The integers are
    those of the engine, or with backend 'reference' of the numpy law.
    """
    head = head_of(program)
    if head == "class" and data.lengths is None:
        return ran, None
    graph, floats = program.graph, program.reference
    shape = (data.x.shape[1], graph.nodes[graph.output].neurons)
    worth = 2.0 ** -program.exponents[graph.output]
    adaptive = is_adaptive(program)
    integer, real = (Answers(head, data.valid, shape, data.y, scale, adaptive=adaptive) for scale in (worth, 1.0))
    size = max(1, NUMBERS_A_RUN // (shape[0] * max(graph.nodes[graph.source].neurons, shape[1])))
    for first in range(0, len(data), size):
        raw = data.x[first : first + size]
        at = {"steps": shape[0], "first": first}
        played = "reference" if backend == "reference" else "engine"
        program.run(raw, backend=played, watch=Readings(graph.output, integer, **at))
        simulate_float(floats, float_input(floats, raw), probe=False, watch=Readings(floats.output, real, **at))
    if head == "class":
        return _with_sums(ran, integer.total, real.total), None
    if data.y is None:
        return ran, None
    said = {
        "float": _scalars(head, data.y, real, graph.labels),
        "integer": _scalars(head, data.y, integer, graph.labels),
    }
    return ran, {"head": head, **said}


def _with_sums(ran: Ran, integer: Array, real: Array) -> Ran:
    return ran._replace(record=replace(ran.record, output=integer), floats=replace(ran.floats, output=real))


def _scalars(head: str, y: Array, answers: Answers, labels: tuple[str, ...]) -> dict[str, float] | None:
    """Return the figures that are one number each; None where these samples do not have them."""
    names = labels or tuple(map(str, range(answers.classes)))
    try:
        found = figures(head, y, answers, names)
    except InputError:  # no area under the curve where every label has one value
        return None
    return {name: value for name, value in found.items() if isinstance(value, float)}

"""Shapes in types: what runs, models and learning leave has the axes that the fields' types name."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from beartype.door import is_bearable
from jaxtyping import Bool, Int, Num, jaxtyped
from small_models import small_graphs, small_input

import bim_neuro
from bim_neuro import shapes
from bim_neuro.nodes import LIF
from bim_neuro.plasticity.record import LearnRecord
from bim_neuro.record import LayerCount, RunRecord
from bim_neuro.simulation.reference import simulate, simulate_float

KINDS = {shapes.Bool: Bool, shapes.Int: Int, shapes.Real: Num}


def checked(hint: Any) -> Any:
    """A type with every array of a shape in it made one of jaxtyping's."""
    if get_origin(hint) is Annotated:
        shape = get_args(hint)[1]
        return KINDS[type(shape)][np.ndarray, shape.axes]
    if get_origin(hint) is dict:
        key, value = get_args(hint)
        return dict[key, checked(value)]  # type: ignore[valid-type, misc]
    return hint


def wrong(value: Any) -> list[str]:
    """Names of the fields with a shape that do not have it; a whole number says how long the axis of its name is."""
    hints = get_type_hints(type(value), include_extras=True)
    shaped = {name: checked(hint) for name, hint in hints.items() if "Annotated" in str(hint)}
    assert shaped, f"{type(value).__name__} names no shape"
    with jaxtyped("context"):  # one name, one length
        for field in dataclasses.fields(value):
            number = getattr(value, field.name)
            if hints[field.name] is int and number >= 0:
                assert isinstance(np.broadcast_to(0, (number,)), Int[np.ndarray, field.name])
        return [name for name, hint in shaped.items() if not all(is_bearable(v, hint) for v in each(value, name))]


def each(value: Any, name: str) -> list[Any]:
    """A dict one entry at a time: beartype looks at one of it."""
    found = getattr(value, name)
    return [{key: item} for key, item in found.items()] if isinstance(found, dict) else [found]


def graphs_and_runs() -> tuple[list[Any], list[RunRecord]]:
    reference, integer = small_graphs()
    x = small_input()
    program = bim_neuro.compile(reference)
    runs = [
        program.run(x),
        simulate(program.graph, program.encode(x), probe=True),
        simulate_float(program.reference, x, probe=True),
    ]
    return [*reference.nodes.values(), *integer.nodes.values()], runs


def test_every_run_leaves_arrays_of_the_named_shapes() -> None:
    _, runs = graphs_and_runs()
    assert {run.backend for run in runs} == {"engine", "reference", "float"}
    for run in runs:
        assert wrong(run) == []
        assert [name for name, count in run.layers.items() if wrong(count)] == []


def test_parameters_of_nodes_have_the_named_shapes() -> None:
    nodes = [node for node in graphs_and_runs()[0] if node.kind != "source"]
    assert {type(node).__name__ for node in nodes} >= {"LIF", "Scan", "Relay", "Readout", "IntegerLIF", "IntegerScan"}
    assert [type(node).__name__ for node in nodes if wrong(node)] == []


@pytest.mark.parametrize("placement", ["neurons", "host"])
def test_learning_leaves_one_answer_a_sample(placement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    records: list[LearnRecord] = []
    made = LearnRecord.__init__

    def watched(self: LearnRecord, *values: Any, **named: Any) -> None:
        made(self, *values, **named)
        records.append(self)

    monkeypatch.setattr(LearnRecord, "__init__", watched)
    program = bim_neuro.compile(small_graphs()[0])
    stream = bim_neuro.Dataset(small_input(samples=4), np.arange(4) % 2)
    bim_neuro.learn(program, bim_neuro.Plasticity(placement=placement), stream, {"the stream": stream})
    assert [len(record.correct) for record in records] == [4]
    assert wrong(records[0]) == []


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (RunRecord("", 2, 3, 4, {}, np.zeros((5, 7)), {}), ["output"]),
        (RunRecord("", 2, 3, 4, {}, np.zeros((2, 7)), {"good": np.zeros((2, 4)), "bad": np.zeros((2, 3))}), ["probes"]),
        (LayerCount(*(np.zeros(n, int) for n in (3, 3, 3, 4, 3))), ["messages"]),
        (LayerCount(*(np.zeros(3, kind) for kind in (int, int, float, int, int))), ["updates"]),
        (LearnRecord(np.zeros((2, 2), bool)), ["correct"]),
        (LIF(3, 0.5, 1.0, np.zeros(2)), ["bias"]),
    ],
)
def test_a_wrong_shape_is_found(value: Any, named: list[str]) -> None:
    assert wrong(value) == named

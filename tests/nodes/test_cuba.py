"""The switch neuron: a golden trace of every switch, worked out by hand, in floats and in integers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bim_neuro.nodes import LIF, Cuba, IntegerCuba, IntegerLIF
from bim_neuro.nodes.cuba import COUNT_MAX
from bim_neuro.nodes.switches import SWITCHES

UNIT = 1000  # an integer voltage of 1000 stands for 1.0

# switches, decay, threshold, v_reset, inputs -> voltages at the end of each step, messages
GOLDEN: dict[str, tuple[dict[str, Any], float, float, float, list[float], list[float], list[float]]] = {
    "defaults": ({}, 1, 2, 0, [1.5, 1.5, 1.5, 0], [1.5, 0, 1.5, 1.5], [0, 1, 0, 0]),
    "reset=value": ({}, 1, 2, 0.5, [1.5, 1.5, 1.5, 0], [1.5, 0.5, 2, 2], [0, 1, 0, 0]),
    "reset=subtract": ({"reset": "subtract"}, 1, 2, 0, [1.5, 1.5, 1.5, 0], [1.5, 1, 0.5, 0.5], [0, 1, 1, 0]),
    "reset_when=next": ({"reset_when": "next"}, 0.5, 2, 0, [3, 1, 1, 0], [3, 1, 1.5, 0.75], [1, 0, 0, 0]),
    "reset_when=after": ({"reset_when": "after"}, 0.5, 2, 0, [3, 1, 1, 0], [3, 0, 1, 0.5], [1, 0, 0, 0]),
    "subtract, next": (
        {"reset": "subtract", "reset_when": "next"}, 0.5, 2, 0, [3, 1, 1, 0], [3, 1.5, 1.75, 0.875], [1, 0, 0, 0],
    ),
    "subtract, after": (
        {"reset": "subtract", "reset_when": "after"}, 0.5, 2, 0, [3, 1, 1, 0], [3, 0.5, 1.25, 0.625], [1, 0, 0, 0],
    ),
    "compare=>=": ({"compare": ">="}, 1, 2, 0, [2, 1.5, 0.5, 0], [0, 1.5, 0, 0], [1, 0, 1, 0]),
    "compare=>": ({"compare": ">"}, 1, 2, 0, [2, 0, 0.5, 0], [2, 2, 0, 0], [0, 0, 1, 0]),
    "counts=many": (
        {"counts": "many", "reset": "subtract"}, 1, 1, 0, [3.5, 0.25, 0.5, -1], [0.5, 0.75, 0.25, -0.75], [3, 0, 1, 0],
    ),
    "many to v_reset": ({"counts": "many"}, 1, 1, 0.25, [3.5, 0.5, 0.5, 0], [0.25, 0.75, 0.25, 0.25], [3, 0, 1, 0]),
    "counts=none": ({"counts": "none"}, 0.5, 1, 0, [3, 1, 0, 0], [3, 2.5, 1.25, 0.625], [3, 2.5, 1.25, 0.625]),
    "lag=yes": ({"lag": True}, 1, 2, 0, [1.5, 1.5, 1.5, 0], [1.5, 0, 1.5, 1.5], [0, 0, 1, 0]),
    "lag, after": (  # spyx: fires at V[t-1], decays, then subtracts
        {"lag": True, "reset": "subtract", "reset_when": "after"},
        0.5, 2, 0, [3, 1, 1, 0], [3, 0.5, 1.25, 0.625], [0, 1, 0, 0],
    ),
}  # fmt: skip


def neuron(case: str) -> tuple[Cuba, list[float], list[float], list[float]]:
    switches, decay, threshold, v_reset, inputs, voltages, messages = GOLDEN[case]
    zero, one = np.zeros(1), np.ones(1)
    node = Cuba(decay * one, zero, one, zero, threshold * one, v_reset * one, zero, np.full(1, -np.inf), **switches)
    return node, inputs, voltages, messages


def in_integers(node: Cuba) -> IntegerCuba:
    def words(values: Any) -> Any:
        return np.rint(np.maximum(np.asarray(values), -8000) * UNIT).astype(np.int64)

    kept = {name: getattr(node, name) for name in ("reset", "reset_when", "compare", "counts", "lag")}
    voltages = {name: words(getattr(node, name)) for name in ("bias", "v_threshold", "v_reset", "v_start", "v_floor")}
    decay, current = (np.rint(value * 2**16).astype(np.int64) for value in (node.decay, node.current_decay))
    return IntegerCuba(decay, current, np.full(1, UNIT // 4), shift=0, **voltages, **kept)  # type: ignore[arg-type]


def run(node: Cuba | IntegerCuba, inputs: list[Any]) -> tuple[list[float], list[float], list[float]]:
    """Return u, v and messages of one neuron over the inputs."""
    state, trace = node.initial(()), []
    for a in inputs:
        state, message, _ = node.step(state, {"a": np.array([a])})
        trace.append((state["u"][0], state["v"][0], message[0]))
    u, v, m = zip(*trace, strict=True)
    return list(u), list(v), list(m)


@pytest.mark.parametrize("case", GOLDEN)
def test_the_float_law_by_hand(case: str) -> None:
    node, inputs, voltages, messages = neuron(case)
    _, v, m = run(node, inputs)
    assert v == voltages
    assert m == messages


@pytest.mark.parametrize("case", GOLDEN)
def test_n24_the_integer_law_by_hand(case: str) -> None:
    """Inputs in quarters, a multiplier of 250: the same numbers times 1000."""
    node, inputs, voltages, messages = neuron(case)
    _, v, m = run(in_integers(node), [int(4 * a) for a in inputs])
    assert v == [UNIT * volt for volt in voltages]
    assert m == ([UNIT * volt for volt in messages] if node.counts == "none" else messages)


def test_a_current_decays_before_it_is_added_to() -> None:
    """1 + .5 + .25 of a current; the voltage adds the current of the same step."""
    node = replace(neuron("defaults")[0], current_decay=np.full(1, 0.5), v_threshold=np.full(1, 9.0))
    assert run(node, [1, 0, 0])[:2] == ([1, 0.5, 0.25], [1, 1.5, 1.75])
    assert run(in_integers(node), [4, 0, 0])[:2] == ([1000, 500, 250], [1000, 1500, 1750])


def test_a_floor_holds_the_voltage_up_and_v_start_is_where_it_begins() -> None:
    node = replace(neuron("defaults")[0], v_floor=np.full(1, -1.0), v_start=np.full(1, 0.5))
    assert run(node, [-0.75, -2, 1.5])[1] == [-0.25, -1, 0.5]
    assert run(in_integers(node), [-3, -8, 6])[1] == [-250, -1000, 500]


def test_every_neuron_has_its_own_numbers() -> None:
    node = Cuba(
        np.array([1, 0.5]), np.zeros(2), np.array([1, 2.0]), np.array([0, 1.0]), np.array([2, 3.5]), np.zeros(2),
        np.zeros(2), np.full(2, -np.inf),
    )  # fmt: skip
    state, message, _ = node.step(node.initial((1,)), {"a": np.array([[1, 1.0]])})
    assert (state["v"].tolist(), message.tolist()) == ([[1, 3]], [[0, 0]])
    state, message, _ = node.step(state, {"a": np.array([[1.5, 0.5]])})
    assert (state["v"].tolist(), message.tolist()) == ([[0, 3.5]], [[1, 0]])


def test_n24_16_bit_weights_are_two_sums() -> None:
    """3 + 2 x 256 = 515, half of it is 257 (towards zero)."""
    node = replace(in_integers(neuron("counts=none")[0]), wide=True, multiplier=np.ones(1, int), shift=1)
    state, _, _ = node.step(node.initial(()), {"a": np.array([3]), "high": np.array([2])})
    assert state["v"].tolist() == [257]


def test_n24_saturates_and_counts() -> None:
    node = replace(in_integers(neuron("counts=many")[0]), multiplier=np.ones(1, int), v_threshold=np.ones(1, int))
    state, message, saturated = node.step(node.initial(()), {"a": np.array([2**24])})
    assert message.tolist() == [COUNT_MAX]
    assert saturated == 2  # the sum at 2^23 - 1, the count at 2^15 - 1
    assert state["v"].tolist() == [2**23 - 1 - COUNT_MAX]


def test_where_the_lif_fits_both_are_one_law() -> None:
    """The float LIF and the Cuba with its defaults, spike for spike; the LIF's 12-bit decays are the Cuba's 16."""
    rng = np.random.default_rng(0)
    lif = LIF(3, decay=0.75, v_threshold=1.0, bias=np.array([0, 0.1, -0.1]), current_decay=0.5)
    ones, zeros = np.ones(3), np.zeros(3)
    cuba = Cuba(0.75 * ones, 0.5 * ones, ones, lif.bias, ones, zeros, zeros, np.full(3, -np.inf))
    integers = IntegerLIF(3, du=2047, dv=1024, v_threshold=100, bias_mant=np.array([0, 5, -5]))
    ours = IntegerCuba(
        np.full(3, 2**16 - 2**14), np.full(3, 2**15), np.full(3, 64), 0, integers.bias, np.full(3, 6400),
        *(np.zeros(3, int),) * 2, np.full(3, 1 - 2**23),
    )  # fmt: skip
    for left, right, low, high in ((lif, cuba, -1, 2), (integers, ours, -100, 200)):
        states, port = [left.initial(()), right.initial(())], ("i", "a")
        for _ in range(50):
            a = rng.uniform(low, high, 3) if left is lif else rng.integers(low, high, 3)
            steps = [node.step(state, {p: a}) for node, state, p in zip((left, right), states, port, strict=True)]
            states = [step.state for step in steps]
            assert steps[0].message.tolist() == steps[1].message.tolist()
            assert states[0]["v"].tolist() == pytest.approx(states[1]["v"].tolist(), abs=1e-12)


def test_the_golden_traces_cover_every_switch_of_the_neuron() -> None:
    """The integrator, v0 and rec_first are switches of reading; the others are fields of the neuron."""
    played = {name: {getattr(neuron(case)[0], name) for case in GOLDEN} for name in ("reset_when", "compare")}
    assert all(SWITCHES[name].values.keys() - {"delayed"} == values for name, values in played.items())

"""What a sweep varies: names, values, every combination once, and fronts against all pairs."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.sweep.fronts import front, points
from bim_neuro.sweep.names import find, names
from bim_neuro.sweep.objectives import objectives_of
from bim_neuro.sweep.space import shuffled, space_of
from bim_neuro.sweep.table import best

KNOWN = names(training=False)


@pytest.mark.parametrize(
    ("given", "values"),
    [
        ("prune=0:.9:.1", (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)),
        ("weight_bits=8, 16", (8, 16)),
        ("steps=2:9:3", (2, 5, 8)),
        ("lowering=fused,stock", ("fused", "stock")),
        ("learn.rate=1e-3,1", (0.001, 1.0)),
    ],
)
def test_values_are_lists_or_ranges_with_both_ends(given: str, values: tuple[object, ...]) -> None:
    assert space_of([given], None, KNOWN).axes[0].values == values


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("weight_bits", "gives no values"),
        ("weight_bits=7", "allowed: a whole number from 8 to 16"),
        ("weight_bits=8,8", "a value twice"),
        ("prune=.9:0:.1", "leads nowhere"),
        ("prune=0:1:1e-9", "1,000,000,001 values"),
        ("weight_bit=8", "neither a setting nor an option"),
        ("seed=1,2", "'seed'"),
    ],
)
def test_what_cannot_be_varied_is_refused_in_words(given: str, said: str) -> None:
    if given == "seed=1,2":  # the last part of learn.seed alone
        assert find("seed", KNOWN).full == "learn.seed"
        return
    with pytest.raises(InputError) as refusal:
        space_of([given], None, KNOWN)
    assert said in refusal.value.message


def test_a_name_that_may_be_two_things_is_refused_with_both() -> None:
    with pytest.raises(InputError) as refusal:
        find("samples_", KNOWN)
    assert "neither" in refusal.value.message
    assert find("samples", KNOWN).full == "samples"  # the option, not learn.samples
    assert find("prune", KNOWN).full == "prune.share"
    assert find("prune", names(training=True)).trains


def test_every_combination_has_one_number() -> None:
    space = space_of(["weight_bits=8,16", "prune=0,0.5,0.9", "lowering=fused,stock"], 2, KNOWN)
    found = [tuple(space.at(index).values()) for index in range(space.size)]
    assert sorted(found, key=str) == sorted(
        itertools.product((8, 16), (0.0, 0.5, 0.9), ("fused", "stock"), (0, 1)), key=str
    )


@pytest.mark.parametrize("size", [1, 2, 3, 17, 64, 1000])
def test_a_drawn_order_has_each_number_once_and_is_the_same_for_a_seed(size: int) -> None:
    order = list(shuffled(size, 3))
    assert sorted(order) == list(range(size))
    assert order == list(shuffled(size, 3))
    assert size < 17 or order != list(shuffled(size, 4))


def rows(count: int, seed: int) -> list[dict[str, object]]:
    draw = np.random.default_rng(seed)
    return [
        {
            "key": f"{index:04d}",
            "status": "done",
            "source": "m",
            "model": "m.pt",
            "values": {"prune.share": index},
            "metrics": {"accuracy": float(draw.integers(0, 8)) / 8, "energy_uj": float(draw.integers(1, 8))},
        }
        for index in range(count)
    ]


@pytest.mark.parametrize("seed", range(5))
def test_a_front_is_what_a_comparison_of_all_pairs_leaves(seed: int) -> None:
    both = objectives_of("accuracy,energy")
    found = points(rows(60, seed), both)
    values = [(-point["accuracy"]["value"], point["energy"]["value"]) for point in found]
    left = {
        i
        for i, a in enumerate(values)
        if not any(all(x <= y for x, y in zip(b, a, strict=True)) and b != a for b in values)
    }
    assert set(front(found, both)) == left


def test_trials_that_differ_in_their_seed_are_one_point_with_their_range() -> None:
    made = rows(3, 0)
    for index, row in enumerate(made):
        row["values"] = {"prune.share": 0.5, "seed": index}
        row["metrics"] = {"accuracy": 0.5 + index / 10, "energy_uj": 2.0, "energy_uj_low": 1.0, "energy_uj_high": 9.0}
    (point,) = points(made, objectives_of("accuracy,energy"))
    assert point["accuracy"] == {"value": pytest.approx(0.6), "low": 0.5, "high": pytest.approx(0.7)}
    assert point["energy"] == {"value": 2.0, "low": 1.0, "high": 9.0}
    assert len(point["keys"]) == 3


def test_the_best_trial_is_the_least_within_the_limits() -> None:
    table = {"trials": rows(40, 1)}
    limits = [("accuracy", "min", 0.5)]
    chosen = best(table, "energy", limits)
    fits = [row["metrics"]["energy_uj"] for row in table["trials"] if row["metrics"]["accuracy"] >= 0.5]  # type: ignore[index]
    assert chosen is not None
    assert chosen["metrics"]["energy_uj"] == min(fits)
    assert best(table, "energy", [("accuracy", "min", 1.1)]) is None

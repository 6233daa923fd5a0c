"""`benchmarks.rules`: the p value, the table, what is trained, what is not trained again, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import permutation_test

from benchmarks import rules
from benchmarks.rules import ABLATIONS, BUDGETS, CONSTANT, PARTS, SELECTIVE, Budget, methods_of, p_value, table
from bim_neuro.errors import InputError
from bim_neuro.model.network import BIMNetwork
from bim_neuro.tasks import load_task
from bim_neuro.training.rules import RULES


@pytest.mark.parametrize(
    ("differences", "p"),
    [
        ([1, 2, 3], 2 / 8),  # of the sums 6 4 2 0, and their opposites, the two of 6
        ([1, -2], 1),  # no sum, 3 or 1, is nearer to 0 than 1
        ([0.0, 0.0], 1),
        ([0.1, 0.2, 0.3, 0.1, 0.5], 1 / 16),
        ([-0.3, 0.1, -0.2], 4 / 8),  # 6 6, 4 4, 2 2 and 0 0 tenths; four are at least 4
    ],
)
def test_p_by_hand(differences: list[float], p: float) -> None:
    assert p_value(differences) == p


def test_p_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    for size in (3, 5, 8):
        differences = rng.normal(0.5, 1, size)
        theirs = permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf)
        assert p_value(differences.tolist()) == pytest.approx(min(theirs.pvalue, 1))


def row(method: str, seed: int, score: float) -> dict[str, Any]:
    said = {"metric": "accuracy", "split": "test", "steps": 9, "updates": 4, "seconds": 1.0 + seed}
    return {"task": "copy", "method": method, "seed": seed, "score": score, **said}


def test_a_rule_stands_beside_backpropagation_with_the_seeds_of_both() -> None:
    lines = table(
        [row("bptt", 0, 0.5), row("bptt", 1, 0.7), row("rtrl", 0, 0.4), row("rtrl", 1, 0.8), row("rtrl", 2, 0)]
    )
    bptt, rtrl = lines
    assert (bptt["mean"], bptt["least"], bptt["most"], bptt["p"]) == (pytest.approx(0.6), 0.5, 0.7, None)
    assert (rtrl["seeds"], rtrl["seconds"], rtrl["difference"], rtrl["p"]) == (3, 2.0, pytest.approx(0.0), 1.0)
    alone = table([row("rtrl", 0, 0.4)])[0]
    assert (alone["difference"], alone["p"]) == (None, None)


def command(monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
    monkeypatch.setattr(sys, "argv", ["rules", *map(str, options)])
    rules.main()


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Give the methods and seeds that are trained from now on; the fifth is interrupted."""
    asked: list[tuple[str, int]] = []

    def train_one(_: Any, method: str, __: Any, seed: int) -> dict[str, Any]:
        asked.append((method, seed))
        if len(asked) == 5:
            raise KeyboardInterrupt
        return row(method, seed, 0.1 * len(asked))

    monkeypatch.setattr(rules, "train_one", train_one)
    return asked


def test_what_the_file_holds_is_not_trained_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked_for: list[tuple[str, int]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "rules.json"
    options = ("--json", file, "--tasks", "copy", "--methods", "bptt", "stdp", "rtrl")
    command(monkeypatch, *options, "--seeds", 1)
    assert asked_for == [("bptt", 0), ("rtrl", 0), ("stdp", 0)]
    with pytest.raises(KeyboardInterrupt):
        command(monkeypatch, *options, "--seeds", 2)
    assert asked_for[3:] == [("bptt", 1), ("rtrl", 1)]
    command(monkeypatch, *options, "--seeds", 2)
    assert asked_for[5:] == [("rtrl", 1), ("stdp", 1)]
    held = json.loads(file.read_text())
    assert [(line["method"], line["seed"]) for line in held["rows"]] == [
        *(("bptt", 0), ("rtrl", 0), ("stdp", 0)),
        *(("bptt", 1), ("rtrl", 1), ("stdp", 1)),
    ]
    assert held["table"] == table(held["rows"])
    capsys.readouterr()
    command(monkeypatch, "--json", file, "--table")
    assert len(asked_for) == 7
    assert "0.250 (0.100 to 0.400), 2 seeds" in capsys.readouterr().out


def test_a_training_that_diverges_is_left_out_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def train_one(_: Any, method: str, __: Any, seed: int) -> dict[str, Any]:
        if method == "rtrl":
            raise InputError("training diverged")
        return row(method, seed, 0.5)

    monkeypatch.setattr(rules, "train_one", train_one)
    file = tmp_path / "rules.json"
    with pytest.raises(SystemExit, match="2"):
        command(monkeypatch, "--json", file, "--tasks", "copy", "--methods", "rtrl", "stdp", "--seeds", 1)
    assert "copy rtrl seed 0 is left out: training diverged" in capsys.readouterr().out
    assert [line["method"] for line in json.loads(file.read_text())["rows"]] == ["stdp"]


def test_exact_traces_train_as_backpropagation_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of one block the gradients are the same, and so are the losses after 3 updates; without traces they differ."""
    monkeypatch.setitem(BUDGETS, "copy", Budget(2, max_updates=3, made=True, spiking=True))
    file = tmp_path / "rules.json"
    command(monkeypatch, "--json", file, "--tasks", "copy", "--methods", "bptt", "rtrl", "no-trace", "--seeds", 1)
    loss = {line["method"]: line["loss"] for line in json.loads(file.read_text())["rows"]}
    assert loss["rtrl"] == pytest.approx(loss["bptt"], rel=1e-5)
    assert abs(loss["no-trace"] - loss["bptt"]) > 1e-4 * loss["bptt"]
    assert {line["updates"] for line in json.loads(file.read_text())["rows"]} == {3}


def test_a_scan_that_does_not_select_stays_so(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, rule in PARTS.items():
        monkeypatch.setitem(RULES, name, rule)  # gone when this test is over
    found = rules.ablations()
    assert tuple(found) == ABLATIONS
    networks: list[BIMNetwork] = []
    real = rules.answers
    monkeypatch.setattr(rules, "answers", lambda network, *a, **k: networks.append(network) or real(network, *a, **k))
    monkeypatch.setitem(BUDGETS, "copy", Budget(1, max_updates=2, spiking=True))
    task = load_task("copy")
    for method in (CONSTANT, "bptt"):
        rules.train_one(task, method, found[method], 0)
    constant, plain = (network.blocks[0] for network in networks)
    for name in SELECTIVE:
        assert not getattr(constant, name).any(), name
        assert getattr(plain, name).all(), name
        assert not (getattr(constant, name.replace("w", "b")) == getattr(plain, name.replace("w", "b"))).all(), name


def test_pairs_of_spikes_are_not_asked_of_graded_input() -> None:
    left_out = set(rules.SIDE_BY_SIDE) - set(methods_of("digits", rules.SIDE_BY_SIDE))
    assert left_out == {"hybrid .9", "hybrid .5", "hybrid 0", "s-tllr", "stdp"}
    assert methods_of("copy", rules.SIDE_BY_SIDE) == rules.SIDE_BY_SIDE


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--methods", CONSTANT), f"'{CONSTANT}' is not in this table"),
        (("--data", "copy"), "--data copy: TASK=PATH is needed"),
        (("--data", "nothing=here"), "--data nothing=here: TASK=PATH is needed"),
        (("--tasks", "ecg"), "ecg is left out"),
    ],
)
def test_what_is_unknown_or_lacks_its_data_ends_in_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as ended:
        command(monkeypatch, "--json", tmp_path / "no.json", *options)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert message in said.out + said.err
    assert not (tmp_path / "no.json").exists()

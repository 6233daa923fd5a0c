"""The learning rules: what each learns, that each goes on after a kill, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import bim_train

from bim_neuro.errors import InputError
from bim_neuro.jobs.train import plan_for, train_task
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nodes import Dense
from bim_neuro.tasks import load_task
from bim_neuro.training.online import ForwardGradient
from bim_neuro.training.progress import Start
from bim_neuro.training.readout import Loss
from bim_neuro.training.rules import RULES, Learner, Learning
from bim_neuro.training.trainer import Epoch, Recipe, train

CONFIG = NetworkConfig(3, 3, channels=6, states=2, taps=2)
RECIPE = Recipe(epochs=4, batch=8, learning_rate=0.02)


def data(samples: int = 24, steps: int = 7) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    y = np.arange(samples) % 3
    return (rng.random((samples, steps, 3)) < 0.3).astype(np.float32) + np.eye(3, dtype=np.float32)[y][:, None], y


class Killed(Exception):
    """The process ends here."""


def trained(learning: Learning, resume: Path | None = None, kill_after: int | None = None, blocks: int = 1) -> Any:
    def report(epoch: Epoch) -> None:
        if epoch.epoch == kill_after:
            raise Killed

    config = replace(CONFIG, blocks=blocks)
    network, _ = train(config, RECIPE, data(), data(), learning=learning, start=Start(resume), on_epoch=report)
    return {name: value.numpy().tobytes() for name, value in network.state_dict().items()}


KINDS = {
    **{name: Learning(name) for name in RULES},
    "online": Learning("hybrid", online=3),
    "pruned": Learning("rtrl", sparsity=0.6),
    "pruned-bptt": Learning("bptt", sparsity=0.6),
    "local": Learning("rtrl", credit="local"),
    "deep-s-tllr": Learning("s-tllr"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_ends_with_the_same_weights(kind: str, tmp_path: Path) -> None:
    learning, blocks = KINDS[kind], 2 if kind in ("local", "deep-s-tllr", "hybrid") else 1
    whole = trained(learning, blocks=blocks)
    for epoch in (1, 3):
        resume = tmp_path / f"{epoch}.resume"
        with pytest.raises(Killed):
            trained(learning, resume, kill_after=epoch, blocks=blocks)
        assert trained(learning, resume, blocks=blocks) == whole


def test_a_resume_file_of_another_rule_is_refused(tmp_path: Path) -> None:
    resume = tmp_path / "run.resume"
    with pytest.raises(Killed):
        trained(Learning("rtrl"), resume, kill_after=1)
    with pytest.raises(InputError, match="other options"):
        trained(Learning("hybrid"), resume)


def gradients(rule: str, **options: Any) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    network = BIMNetwork(CONFIG)
    x, y = data()
    Learner(network, Learning(rule, **options)).gradients(torch.as_tensor(x).transpose(0, 1), torch.as_tensor(y))
    return {n: p.grad for n, p in network.named_parameters() if p.grad is not None}


def cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0))


def test_of_one_block_rtrl_is_bptt() -> None:
    exact, got = gradients("bptt"), gradients("rtrl")
    assert {name: pytest.approx(1, abs=1e-5) for name in exact} == {n: cosine(got[n], exact[n]) for n in exact}


def test_what_each_rule_leaves_out() -> None:
    exact = gradients("rtrl")
    changed = {rule: {n for n, g in gradients(rule).items() if cosine(g, exact[n]) < 0.9999} for rule in RULES}
    assert changed["hybrid"] == set()  # eq 4's second term is added after the optimiser's step
    assert changed["s-tllr"] == {"blocks.0.w_u"}
    for rule in ("e-prop", "e-prop-like"):
        assert {"blocks.0.w_b", "blocks.0.w_c"} <= changed[rule]
        assert not {"w_o", "b_o", "readout_logit"} & changed[rule]
    assert {"blocks.0.w_u", "blocks.0.a_log", "w_o"} <= changed["no-trace"]
    assert set(gradients("stdp")) == {"w_o", "b_o", "readout_logit"}


def w_u_after_a_step(mix: float, rule: str = "hybrid") -> torch.Tensor:
    torch.manual_seed(0)
    network = BIMNetwork(CONFIG)
    x, y = data()
    learner = Learner(network, Learning(rule, mix))
    learner.gradients(torch.as_tensor(x).transpose(0, 1), torch.as_tensor(y))
    before = learner.blocks[0].w_u.detach().clone()
    learner.step(torch.optim.SGD(network.parameters(), lr=0.1))
    return learner.blocks[0].w_u.detach() - before


def test_lambda_mixes_the_gradients_step_with_stdp() -> None:
    gradient, stdp, half = w_u_after_a_step(1.0), w_u_after_a_step(0.0), w_u_after_a_step(0.5)
    torch.testing.assert_close(half, (gradient + stdp) / 2)
    torch.testing.assert_close(stdp, w_u_after_a_step(0.3, "stdp"))
    torch.testing.assert_close(gradient, w_u_after_a_step(0.3, "rtrl"))
    assert float((gradient - stdp).abs().max()) > 1e-4


def test_pair_stdp_alone_stays_within_its_bound() -> None:
    torch.manual_seed(0)
    network = BIMNetwork(CONFIG)
    x, y = data()
    learner = Learner(network, Learning("stdp"))
    optimiser = torch.optim.SGD(network.parameters(), lr=100.0)
    for _ in range(5):
        learner.gradients(torch.as_tensor(x).transpose(0, 1), torch.as_tensor(y))
        learner.step(optimiser)
    assert float(learner.blocks[0].w_u.detach().abs().max()) <= 4.0


def test_online_learning_steps_inside_the_sequence() -> None:
    torch.manual_seed(0)
    learner = Learner(BIMNetwork(CONFIG), Learning("rtrl", online=3))
    x, y = data()
    steps = []
    learner.gradients(torch.as_tensor(x).transpose(0, 1), torch.as_tensor(y), step=lambda: steps.append(1))
    assert len(steps) == 2  # after steps 3 and 6 of 7; the last update is the caller's


def cue(rule: str, seed: int, path: Path) -> float:
    torch.set_num_threads(1)
    model = path / "cue.pt"
    record = train_task(plan_for(load_task("cue"), learning=Learning(rule), seed=seed), model, final=True).training
    assert record["rule"] == rule
    assert record["seed"] == seed
    assert record["trace_bytes"] > 0
    return float(record["test"]["accuracy"])


@pytest.mark.slow
@pytest.mark.parametrize(("rule", "least", "most"), [("rtrl", 0.95, 1), ("hybrid", 0.95, 1), ("no-trace", 0.15, 0.35)])
def test_the_delayed_cue_tells_the_rules_apart(rule: str, least: float, most: float, tmp_path: Path) -> None:
    assert least <= cue(rule, 0, tmp_path) <= most


def test_pruned_synapses_are_no_synapses_of_the_graph(tmp_path: Path) -> None:
    x, y = data()
    np.savez(tmp_path / "own.npz", x=x, y=y)
    model = tmp_path / "model.pt"
    small = ("--channels", 8, "--states", 2, "--set", "train.taps=2", "--epochs", 4, "--batch", 8)
    ended = bim_train("own", "--data", tmp_path / "own.npz", "-o", model, *small, "--rule", "rtrl", "--prune", 0.7,
                      "--json", tmp_path / "record.json")  # fmt: skip
    assert ended.code == 0, ended.err
    record = json.loads((tmp_path / "record.json").read_text())
    assert record["sparsity"] == pytest.approx(0.7, abs=0.02)
    dense = [edge.synapse.weight for edge in export(load_checkpoint(model)).edges if isinstance(edge.synapse, Dense)]
    zeros = sum(int((weight == 0).sum()) for weight in dense) / sum(weight.size for weight in dense)
    assert zeros == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--rule", "backprop"), "unknown rule 'backprop'"),
        (("--rule", "hybrid", "--set", "train.lambda=1.5"), "train.lambda is 1.5, allowed: a number from 0 to 1"),
        (("--rule", "hybrid", "--set", "train.lambda=nan"), "train.lambda is nan"),
        (
            ("--rule", "rtrl", "--set", "train.credit=global"),
            "train.credit is global, allowed: one of segment, spatial, local",
        ),
        (("--prune", "1"), "sparsity 1.0 is outside"),
        (("--set", "train.online=5"), "bptt needs the whole sequence"),
        (("--rule", "rtrl", "--set", "train.online=5", "--prune", "0.5"), "cannot be combined"),
    ],
)
def test_bad_options_are_one_clear_line(options: tuple[str, ...], says: str, tmp_path: Path) -> None:
    ended = bim_train("cue", "-o", tmp_path / "model.pt", *options)
    assert ended.code == 2
    assert len(ended.errors) == 1
    assert says in ended.err


def test_a_sequence_without_steps_is_refused() -> None:
    network = BIMNetwork(CONFIG)
    with pytest.raises(InputError, match="0 steps"):
        ForwardGradient(network, 2).sequence(torch.zeros(0, 2, 3), Loss(torch.zeros(2, dtype=torch.long)))


@pytest.mark.parametrize("name", ["cue", "copy"])
def test_made_tasks_are_the_same_for_everybody(name: str) -> None:
    first, again, other = load_task(name), load_task(name), load_task(name, seed=1)
    assert np.array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)
    assert set(np.unique(first.train.x)) == {0.0, 1.0}


def test_noise_alone_does_not_tell_the_cue() -> None:
    task = load_task("cue")
    counts = task.test.x[:, 1:, :4].sum(1)
    assert float((counts.argmax(1) == task.test.y).mean()) < 0.32

"""Learning rules side by side: tasks, rules and seeds on the same budget, and what the network loses without a part.

    python -m benchmarks.rules --json rules.json --tasks copy-60 copy-120 copy-250
    python -m benchmarks.rules --json rules.json --tasks cue-reckon ecg --data cue-reckon=reckon/ ecg=mitbih/
    python -m benchmarks.rules --json rules.json --tasks copy-60 digits --ablations
    python -m benchmarks.rules --json rules.json --table          what the file holds, nothing is trained

A row is one training; a row that the file holds is not trained again. Seeds are the outer loop, so that an interrupted
table has as many seeds of each rule. Every rule of a task has the same network, sequences, batches, optimiser and
number of updates (`BUDGETS`); made tasks draw new sequences in every epoch. The score is that of the last weights,
and no epoch is chosen: on the test split, and on validation for ecg, whose test patients are not read, text and eeg.
Tasks of strings (CTC) are not here: only backpropagation learns them.
`p` is a paired sign-flip test against bptt over the seeds that both have: with five seeds it is never below 1/16.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bim_neuro.atomic import write
from bim_neuro.errors import InputError
from bim_neuro.jobs.evaluate import encoded
from bim_neuro.jobs.plan import TrainingPlan, plan_for
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.tasks import Dataset, Task, load_task
from bim_neuro.training.predict import answers
from bim_neuro.training.progress import Progress
from bim_neuro.training.rules import RULES, Learning, Rule
from bim_neuro.training.traces import Keep
from bim_neuro.training.trainer import Run

REFERENCE = "bptt"
SELECTIVE = ("w_dt", "w_b", "w_c")
"""Projections that make dt, B and C depend on the input."""


@dataclass(frozen=True)
class Budget:
    """What every rule of a task gets. Of ``made`` tasks each epoch has new sequences; pair STDP needs ``spiking``."""

    epochs: int
    max_updates: int | None = None
    made: bool = False
    spiking: bool = False
    split: str = "test"


made = partial(Budget, made=True, spiking=True)
BUDGETS: dict[str, Budget] = {
    "copy-60": made(48),
    "copy-120": made(48),
    "copy-250": made(48),
    "cue-reckon": Budget(10, spiking=True),
    "cue": made(4),
    "copy": made(12),
    "digits": Budget(20),
    "ecg": Budget(2, split="validation"),
    "bonn-bands": Budget(10),
    "spoken-digits": Budget(2),
    "language": Budget(1, max_updates=60, split="validation"),
    "eeg": Budget(4, split="validation"),
}
SIDE_BY_SIDE: dict[str, Learning] = {
    REFERENCE: Learning(REFERENCE),
    "tbptt 32": Learning("tbptt", segment=32),
    "rtrl": Learning("rtrl"),
    "e-prop": Learning("e-prop"),
    "no-trace": Learning("no-trace"),
    "hybrid .9": Learning("hybrid", 0.9),
    "hybrid .5": Learning("hybrid", 0.5),
    "hybrid 0": Learning("hybrid", 0.0),
    "s-tllr": Learning("s-tllr"),
    "stdp": Learning("stdp"),
}
PARTS = {
    "reset without gradient": Rule(reset_gradient=False),
    "no scan trace": Rule(Keep(scan=False)),
    "no membrane trace": Rule(Keep(membrane=False)),
    "readout trace alone": Rule(Keep(scan=False, membrane=False)),
    "no trace of B and C": Rule(Keep(shared=False)),
}
"""Rules that lack one part each."""
CONSTANT = "constant dt, B, C"
"""W_dt, W_B and W_C stay 0: their biases learn, and the scan does not select."""
ABLATIONS = (REFERENCE, CONSTANT, *PARTS, "no-trace")


def ablations() -> dict[str, Learning]:
    """Return the rules of `ABLATIONS`; those that lack a part are known from now on, in this process only."""
    RULES.update(PARTS)
    return {name: Learning(REFERENCE if name == CONSTANT else name) for name in ABLATIONS}


def methods_of(task: str, asked: dict[str, Learning]) -> dict[str, Learning]:
    """Leave out the rules that pair spikes where the input is graded."""
    return {name: rule for name, rule in asked.items() if BUDGETS[task].spiking or rule.law.spikes is None}


def new_network(plan: TrainingPlan, *, constant: bool) -> BIMNetwork:
    """Return the network of a seed, the same for every rule."""
    torch.manual_seed(plan.default.recipe.seed)
    assert isinstance(plan.config, NetworkConfig)
    network = BIMNetwork(plan.config)
    for block in network.blocks:
        assert isinstance(block, BIMBlock)
        for name in SELECTIVE if constant else ():
            getattr(block, name).data.zero_()
    return network


def leave_constant(run: Run, network: BIMNetwork) -> None:
    """Keep the optimiser from what makes the scan selective; clipping still counts its gradient."""
    fixed = {id(getattr(block, name)) for block in network.blocks for name in SELECTIVE}
    group = run.optimiser.param_groups[0]
    group["params"] = [parameter for parameter in group["params"] if id(parameter) not in fixed]


def sequences_of(task: Task, budget: Budget, seed: int, epoch: int) -> Dataset:
    """Return the training sequences of an epoch; seed 0 of a made task is the task itself, with its test split."""
    return load_task(task.name, seed=1 + 1000 * seed + epoch).train if budget.made else task.train


def train_one(task: Task, method: str, learning: Learning, seed: int) -> dict[str, Any]:
    """Train a network on a budget; return the row."""
    budget, start = BUDGETS[task.name], time.process_time()
    plan = plan_for(task, None, learning, seed=seed, epochs=budget.epochs, patience=budget.epochs,
                    max_updates=budget.max_updates)  # fmt: skip
    network = new_network(plan, constant=method == CONSTANT)
    first = encoded(plan.encoder, task.train)
    network.measure_norms(
        torch.as_tensor(first.x[: plan.default.recipe.batch], dtype=torch.float32).transpose(0, 1),
        None if first.lengths is None else torch.as_tensor(first.lengths[: plan.default.recipe.batch]),
    )
    run = Run(network, plan.default.recipe, learning, len(first.x), head=task.head)
    if method == CONSTANT:
        leave_constant(run, network)
    progress, loss = Progress(), float("nan")
    while progress.goes_on(plan.default.recipe):
        loss = run.epoch(encoded(plan.encoder, sequences_of(task, budget, seed, progress.epoch)), progress)
        progress.epoch += 1
    spent = time.process_time() - start
    x, y, lengths = encoded(plan.encoder, task.split(budget.split))
    score = plan.score.of(y, answers(network.eval(), x, y, head=task.head, lengths=lengths))
    return {
        "task": task.name, "method": method, "seed": seed, "score": score, "metric": plan.score.name,
        "lower": plan.score.lower, "split": budget.split, "steps": x.shape[1], "updates": progress.updates,
        "loss": loss, "seconds": spent, "trace_bytes": run.learner.trace_bytes,
    }  # fmt: skip


def p_value(differences: list[float]) -> float:
    """Share of the sign flips of paired differences whose sum is at least as far from 0 as theirs."""
    sums = [abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
            for signs in itertools.product((1, -1), repeat=len(differences))]  # fmt: skip
    return sum(value >= abs(sum(differences)) - 1e-12 for value in sums) / len(sums)


def table(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Mean, range and seconds of each task and method, and the paired difference to backpropagation."""
    found: dict[tuple[str, str], dict[int, dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["task"], row["method"]), {})[row["seed"]] = row
    lines = []
    for (task, method), by_seed in found.items():
        scores = [row["score"] for row in by_seed.values()]
        truth = found.get((task, REFERENCE), {})
        pairs = [row["score"] - truth[seed]["score"] for seed, row in by_seed.items() if seed in truth]
        one = next(iter(by_seed.values()))
        lines.append({
            "task": task, "method": method, "metric": one["metric"], "split": one["split"], "steps": one["steps"],
            "updates": one["updates"], "seeds": len(scores), "mean": statistics.mean(scores), "least": min(scores),
            "most": max(scores), "seconds": statistics.mean(row["seconds"] for row in by_seed.values()),
            "difference": statistics.mean(pairs) if pairs and method != REFERENCE else None,
            "p": p_value(pairs) if pairs and method != REFERENCE else None,
        })  # fmt: skip
    return lines


def print_table(lines: list[dict[str, Any]]) -> None:
    """One line a task and method."""
    for line in lines:
        beside = "" if line["p"] is None else f"  {line['difference']:+.3f} (p {line['p']:.2f}) beside {REFERENCE}"
        print("{task:14}{method:24}{metric} on {split}, {updates} updates, {steps} steps: {mean:.3f} "
              "({least:.3f} to {most:.3f}), {seeds} seeds, {seconds:.0f} s".format(**line) + beside)  # fmt: skip


def asked() -> argparse.Namespace:
    """Return the command line's choices."""
    parser = argparse.ArgumentParser(description="Learning rules side by side.")
    parser.add_argument("--json", type=Path, required=True, help="rows are added to this file")
    parser.add_argument("--tasks", nargs="+", default=list(BUDGETS), choices=list(BUDGETS))
    parser.add_argument("--methods", nargs="+", choices=[*SIDE_BY_SIDE, *ABLATIONS], help="only these")
    parser.add_argument("--data", nargs="+", default=[], metavar="TASK=PATH", help="where a task's files lie")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--ablations", action="store_true", help="parts left out instead of rules")
    parser.add_argument("--table", action="store_true", help="print what the file holds")
    options = parser.parse_args()
    options.table_of = ablations() if options.ablations else SIDE_BY_SIDE
    for method in options.methods or ():
        if method not in options.table_of:
            parser.error(f"'{method}' is not in this table, which has: {', '.join(options.table_of)}")
    for item in options.data:
        if item.partition("=")[0] not in BUDGETS or "=" not in item:
            parser.error(f"--data {item}: TASK=PATH is needed, with one of {', '.join(BUDGETS)}")
    return options


def main() -> None:
    """Train what the file lacks, and print its table."""
    options = asked()
    torch.set_num_threads(1)
    rows = json.loads(options.json.read_text())["rows"] if options.json.exists() else []
    done = {(row["task"], row["method"], row["seed"]) for row in rows}
    places, left_out = dict(item.split("=", 1) for item in options.data), False
    for name in () if options.table else options.tasks:
        try:
            task = load_task(name, places.get(name))
        except InputError as error:
            print(f"{name} is left out: {error}")
            left_out = True
            continue
        methods = methods_of(name, options.table_of)
        chosen = [method for method in methods if options.methods is None or method in options.methods]
        for seed, method in itertools.product(range(options.seeds), chosen):
            if (name, method, seed) not in done:
                try:
                    rows.append(train_one(task, method, methods[method], seed))
                except InputError as error:  # it diverged
                    print(f"{name} {method} seed {seed} is left out: {error}", flush=True)
                    left_out = True
                    continue
                print("{task} {method} seed {seed}: {score:.3f}, {seconds:.0f} s".format(**rows[-1]), flush=True)
                write(options.json, json.dumps({"table": table(rows), "rows": rows}, indent=1) + "\n")
    print_table(table(rows))
    if left_out:
        raise SystemExit(2)


if __name__ == "__main__":
    main()

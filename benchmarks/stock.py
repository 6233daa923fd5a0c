"""Stock programs beside fused ones: accuracy of trained models, Lava's verdict, costs, and speed.

    python -m benchmarks.stock --json stock.json [--models DIR] [--data MITBIH] [--only digits_0]

    models{name}: score, float, fused, stock     accuracy, or macro-F1 of ecg, over the whole split
                  spikes{fused, stock}           slots of the somas that are those of float
                  saturated                      values of the stock program that wrapped or saturated, LIF apart
                  lava{messages, messages_equal, states, states_equal}
    digits        mean and spread of the seeds; difference of stock and float
    costs{name}   neurons, synapses, cores, latency, messages, energy and time of a sample (stock_costs.py)
    speed{name}   nanoseconds a neuron update of both programs, and steps a second of the engine and of Lava

Models are trained where DIR does not hold them, a minute each (held: ten). Everything is drawn with fixed seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped,unused-ignore]

import bim_neuro
from bim_neuro.atomic import replacing
from bim_neuro.errors import InputError
from bim_neuro.nodes import IntegerLIF
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.program import Program
from bim_neuro.record import RunRecord
from bim_neuro.tasks import metrics

from .engine import machine
from .stock_costs import cost, costs, show_cost
from .stock_models import SEEDS, Trained, models
from .stock_speed import show_speed, speed


def measure(model: Trained) -> dict[str, Any]:
    """Return the row of a trained model."""
    fused = bim_neuro.compile(model.file)
    stock = bim_neuro.compile(model.file, lowering="stock", input=model.train.x)
    scores, spikes = {}, {}
    for name, program in (("fused", fused), ("stock", stock)):
        ran = program.play(model.measured.x)
        scores["float"] = _score(model, ran.floats)
        scores[name] = _score(model, ran.record)
        spikes[name] = _equal_slots(ran.agreement.sums)
        saturated = _saturated(program, ran.record)
    checked = stock.verify(model.measured.x[: model.lava])
    said = ("messages", "messages_equal", "states", "states_equal")
    return {
        "what": model.what,
        "split": model.split,
        "samples": len(model.measured),
        "score": model.score,
        **scores,
        "spikes": spikes,
        "saturated": saturated,
        "lowered": next(line for line in stock.assumptions if "segments" in line),
        "lava": {"samples": model.lava, **{key: checked[key] for key in said}},
    }


def _score(model: Trained, record: RunRecord) -> float:
    assert model.measured.y is not None
    names = [str(label) for label in range(record.output.shape[1])]
    return float(metrics(model.measured.y, record.output.argmax(axis=1), names)[model.score])  # type: ignore[literal-required]


def _equal_slots(sums: dict[str, list[float]]) -> float:
    """Return the share of slots, of all somas, in which integers and float both fire or are both silent."""
    rows = np.array([row for key, row in sums.items() if key.startswith("spikes/")])
    slots, floats, integers, both = rows.sum(axis=0)
    return float(1 - (floats + integers - 2 * both) / slots)


def _saturated(program: Program, record: RunRecord) -> int:
    """Return how many values wrapped or saturated outside of a LIF, whose membrane saturates by Lava's own law."""
    nodes = program.graph.nodes
    counts = (count for name, count in record.layers.items() if not isinstance(nodes[name], IntegerLIF))
    return sum(int(count.saturations.sum()) for count in counts)


def show(name: str, row: dict[str, Any]) -> None:
    """Print a trained model."""
    scores = "  ".join(f"{key} {row[key]:.4f}" for key in ("float", "fused", "stock"))
    print(f"\n{name}  {row['what']}: {row['score']} on {row['samples']:,} of the {row['split']} split\n  {scores}")
    print("  slots equal to float: " + "  ".join(f"{key} {share:.2%}" for key, share in row["spikes"].items()))
    lava, equal = row["lava"], "{}_equal".format
    same = " and ".join(f"{lava[equal(what)]:,} of {lava[what]:,} {what}" for what in ("messages", "states"))
    print(f"  lava, {lava['samples']} samples: {same} equal; {row['saturated']} values saturated", flush=True)


def over_seeds(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return mean and spread of the digits seeds that were measured, and how far stock lies from float."""
    seeds = [row for name, row in rows.items() if name.startswith("digits_")]
    table: dict[str, Array] = {key: np.array([row[key] for row in seeds]) for key in ("float", "fused", "stock")}
    apart = table["stock"] - table["float"]
    return {
        "seeds": len(seeds),
        **{key: {"mean": float(values.mean()), "spread": float(values.std(ddof=1))} for key, values in table.items()},
        "stock_minus_float": {"mean": float(apart.mean()), "least": float(apart.min()), "most": float(apart.max())},
    }


def _show_seeds(found: dict[str, Any]) -> None:
    said = "  ".join(
        f"{key} {found[key]['mean']:.4f} (± {found[key]['spread']:.4f})" for key in ("float", "fused", "stock")
    )
    apart = found["stock_minus_float"]
    print(f"\ndigits, mean of {found['seeds']} seeds: {said}")
    print(f"  stock - float: {apart['mean']:+.4f} ({apart['least']:+.4f} to {apart['most']:+.4f})", flush=True)


def main() -> None:
    """Measure what is asked for; write the JSON after each part."""
    arguments = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    arguments.add_argument("--json", type=Path, help="write the results here")
    arguments.add_argument("--only", action="append", help="one model, costs or speed (may be repeated)")
    arguments.add_argument("--models", type=Path, default=Path("out/stock_models"), help="where trained models lie")
    arguments.add_argument("--data", type=Path, help="the folder of MIT-BIH recordings, for ecg")
    arguments.add_argument("--ecg-split", default="validation", help="of ecg; test is DS2, to be read once")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")
    made = models(given.models, given.data, given.ecg_split)
    parts = given.only or [*made, "costs", "speed"]
    if unknown := set(parts) - {*made, "costs", "speed"}:
        sys.exit(f"nothing is called {', '.join(sorted(unknown))}; there are: {', '.join(made)}, costs, speed")
    result: dict[str, Any] = {"machine": machine(), "models": {}, "skipped": {}}
    for name in (part for part in parts if part in made):
        try:
            result["models"][name] = measure(made[name]())
            show(name, result["models"][name])
        except InputError as reason:
            result["skipped"][name] = str(reason)
            print(f"\n{name}  skipped: {reason}")
        if sum(row.startswith("digits_") for row in result["models"]) == SEEDS:
            result["digits"] = over_seeds(result["models"])
        _write(result, given.json)
    if "digits" in result:
        _show_seeds(result["digits"])
    if "costs" in parts:
        _costs(result, given.data)
        _write(result, given.json)
    if "speed" in parts:
        result["speed"] = speed()
        show_speed(result["speed"])
        _write(result, given.json)


def _costs(result: dict[str, Any], data: Path | None) -> None:
    print("\n| | neurons | synapses | cores | steps | messages a step | uJ, dynamic | uJ | us |")
    result["costs"] = {}
    for name, make in costs(data).items():
        try:
            result["costs"][name] = cost(make())
            show_cost(name, result["costs"][name])
        except InputError as reason:  # noqa: PERF203
            result["skipped"][f"costs of {name}"] = str(reason)
            print(f"{name}  skipped: {reason}")


def _write(result: dict[str, Any], file: Path | None) -> None:
    if file:
        with replacing(file) as temporary:
            temporary.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()

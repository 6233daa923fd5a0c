"""How fast the engine plays stock programs: beside fused ones, by neuron update, and beside Lava, by step."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any

import bim_neuro
from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.record import RunRecord
from bim_neuro.simulation import Engine
from bim_neuro.tasks import load_task

from .cases import EXAMPLES
from .rivals import Skip, lava_steps_a_second, seconds

ROUNDS = 9
SAMPLES, LAVA_SAMPLES = 64, 8


def speed() -> dict[str, Any]:
    """Return the row of digits: both programs in turn on one thread, then the stock one on Lava."""
    x = load_task("digits").test.x[:SAMPLES]
    graphs = {
        "fused": bim_neuro.compile(EXAMPLES / "digits.pt").graph,
        "stock": bim_neuro.compile(EXAMPLES / "digits.pt", lowering="stock").graph,
    }
    plays = {name: _play(graph, graph.encoder.encode(x)) for name, graph in graphs.items()}
    times: dict[str, list[float]] = {name: [] for name in plays}
    for play in plays.values():
        play()
    for _ in range(ROUNDS):
        for name, play in plays.items():
            times[name].append(seconds(play))
    update = {name: 1e9 * median(found) / _updates(graphs[name], plays[name]()) for name, found in times.items()}
    row: dict[str, Any] = {"ns_an_update": update, "ratio_fused": update["fused"] / update["stock"]}
    stock = graphs["stock"]
    row["engine"] = SAMPLES * x.shape[1] / median(times["stock"])
    try:
        rate = lava_steps_a_second(stock, stock.encoder.encode(x[:LAVA_SAMPLES]))
        row["lava"] = rate * x.shape[1] / stock.period(x.shape[1])  # rows of input, without the gaps
        row["ratio_lava"] = row["engine"] / row["lava"]
    except Skip as reason:
        row["skipped"] = str(reason)
    return {"digits": row}


def _play(graph: IntegerGraph, x: Array) -> Callable[[], RunRecord]:
    engine = Engine(graph)
    return lambda: engine.run(x, threads=1)


def _updates(graph: IntegerGraph, record: RunRecord) -> int:
    """Return the neuron updates of a run, the steps between samples among them."""
    return sum(int(count.updates.sum()) for name, count in record.layers.items() if name != graph.source)


def show_speed(rows: dict[str, Any]) -> None:
    """Print the speeds."""
    for name, row in rows.items():
        update = row["ns_an_update"]
        print(f"\n{name}: {update['stock']:.2f} ns a neuron update of stock, {update['fused']:.2f} of fused: "
              f"{row['ratio_fused']:.2f} times the speed")  # fmt: skip
        if "lava" in row:
            print(f"  engine {row['engine']:,.0f} steps/s, lava {row['lava']:,.1f}: {row['ratio_lava']:,.0f} times")
        else:
            print(f"  lava  {row['skipped']}")

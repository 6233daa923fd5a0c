"""The report in a terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))


def show(summary: dict[str, Any], folder: Path | None, console: Console) -> None:
    """Print the report of a compile, and where its files are."""
    console.print(
        f"[bold]{escape(summary['model'])}[/] on [bold]{escape(summary['target'])}[/]: "
        f"{summary['samples']} samples of {summary['steps']} steps ({escape(summary['input'])}), "
        f"{escape(summary['backend'])} integers",
        soft_wrap=True,
    )
    console.print(_layers(summary, wide=console.width >= _WIDE))
    for line in _lines(summary):
        console.print(line, soft_wrap=True)
    if folder is not None:
        console.print(f"report: {escape(str(folder / 'summary.txt'))}", soft_wrap=True)


def show_training(record: dict[str, Any], model: Path, console: Console) -> None:
    """Print what a training run reached."""
    score, value = next((key, value) for key, value in record["validation"].items() if key != "samples")
    console.print(
        f"trained {record['epochs']} epochs in {record['seconds']:.0f} s; best {record['best_epoch']}: "
        f"validation {score} {value:.4f} on {record['validation']['samples']} samples"
    )
    for name, scores in _score_rows(record):
        sensitivity = "  ".join(f"{label} {share:.3f}" for label, share in scores["sensitivity"].items())
        console.print(f"{name:<22} accuracy {scores['accuracy']:.4f}  macro-F1 {scores['macro_f1']:.4f}  {sensitivity}")
    console.print(f"model: {escape(str(model))}", soft_wrap=True)


def _score_rows(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(f"test, {side}", record["test"][side]) for side in ("float", "integer")] if "test" in record else []
    return rows + ([("logistic regression", record["baseline"])] if "baseline" in record else [])


def energy(quantity: dict[str, Any] | None) -> str:
    """Write {low, value, high} in pJ as '1.2 uJ (0.7-2.4)'; 'unpriced' where there is no price."""
    if not quantity or quantity["value"] is None:
        return "unpriced"
    scale, unit = next(((s, u) for s, u in _UNITS if abs(quantity["value"]) >= s), _UNITS[-1])
    low, value, high = (_short(quantity[key] / scale) for key in ("low", "value", "high"))
    return f"{value} {unit} ({low}-{high})"


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def _layers(summary: dict[str, Any], wide: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = {heading: cell for heading, cell in _COLUMNS.items() if wide or heading not in _ONLY_WIDE}
    for heading in columns:
        table.add_column(heading, justify="left" if heading in ("layer", "judge") else "right", no_wrap=True)
    for layer in summary["layers"]:
        table.add_row(*(cell(layer, summary["samples"]) for cell in columns.values()))
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


_COLUMNS: dict[str, Callable[[dict[str, Any], int], str]] = {
    "layer": lambda layer, samples: escape(layer["name"]),
    "judge": lambda layer, samples: str(layer["judge"]),
    "neurons": lambda layer, samples: f"{layer['neurons']:,}",
    "synapses": lambda layer, samples: f"{layer['synapses']:,}",
    "cores": lambda layer, samples: str(layer["cores"]),
    "synops": lambda layer, samples: f"{layer['synops_hardware'] / samples:,.0f}",
    "effective": lambda layer, samples: _share(layer["synops_effective"], layer["synops_hardware"]),
    "sparsity": lambda layer, samples: f"{layer['sparsity']:.1%}",
    "energy": lambda layer, samples: energy(layer["energy_pj"]),
    "saturated": lambda layer, samples: f"{layer['saturations']:,}" if layer["saturations"] else "-",
}
"""The columns of the table; synops and energy are a sample's, the rest of the run's."""

_ONLY_WIDE = ("cores", "effective", "saturated")
_WIDE = 100


def _lines(summary: dict[str, Any]) -> list[str]:
    costs, cores = summary["energy"], summary["cores"]
    lines = [
        f"cores {cores['used']} of {cores['limit'] or 'unlimited'}; latency {summary['latency_steps']} steps, "
        f"one sample every {summary['period']} steps",
        f"energy a sample: dynamic {energy(costs['dynamic'])}, static {energy(costs['static'])}; "
        f"weakest basis: {costs['weakest_basis']}",
    ]
    if costs["unpriced"]:
        lines.append(f"unpriced: {', '.join(map(escape, costs['unpriced']))}")
    accuracy = summary["accuracy"]
    if accuracy:
        lines.append(f"accuracy: float {accuracy['float']:.4f}, integer {accuracy['integer']:.4f}")
    lines += [
        f"spikes equal to float in {escape(row['layer'])}: {row['share']:.2%} "
        f"(rate {row['rate_float']:.3f} float, {row['rate_integer']:.3f} integer)"
        for row in summary["agreement"]
    ]
    if summary["verify"]:
        lines.append(_verification(summary["verify"]))
    own = [name for name, judge in summary["judge"].items() if judge == "own"]
    if own:
        lines.append(f"Lava ships no process for {', '.join(map(escape, own))}: microcode neurons on the chip")
    return lines


def _verification(check: dict[str, Any]) -> str:
    equal = check["equal"] == check["spike_slots"] and check["states_equal"] == check["states"]
    colour = "green" if equal else "red"
    return (
        f"[{colour}]{check['backend']}: {check['equal']:,} of {check['spike_slots']:,} spike slots and "
        f"{check['states_equal']:,} of {check['states']:,} state values equal[/]"
    )

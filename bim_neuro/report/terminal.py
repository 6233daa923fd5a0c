"""The report in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ..printable import counted, escape, marked

_TIMES = ((1e6, "s"), (1e3, "ms"), (1.0, "us"))
_UNITS = ((1e12, "J"), (1e9, "mJ"), (1e6, "uJ"), (1e3, "nJ"), (1.0, "pJ"))
_MICROJOULES = tuple((scale / 1e6, unit) for scale, unit in _UNITS)


def show(summary: dict[str, Any], folder: Path | None, console: Console) -> None:
    """Print the report of a compile, and where its files are."""
    summary = marked(summary)
    console.print(
        f"[bold]{escape(summary['model'])}[/] on [bold]{escape(summary['target'])}[/]: "
        f"{counted(summary['samples'], 'sample')} of {counted(summary['steps'], 'step')} ({escape(summary['input'])}), "
        f"{escape(summary['backend'])} integers",
        soft_wrap=True,
    )
    console.print(_layers(summary, wide=console.width >= _WIDE))
    for line in (*_lines(summary), *_findings(summary)):
        console.print(line, soft_wrap=True)
    if folder is not None:
        console.print(f"report: {escape(str(folder / 'summary.txt'))}", soft_wrap=True)


def as_text(summary: dict[str, Any]) -> str:
    """Return the report as plain text: summary.txt."""
    text = io.StringIO()
    show(summary, folder=None, console=Console(file=text, width=_TEXT_WIDTH, highlight=False, emoji=False))
    return text.getvalue()


def energy(quantity: dict[str, Any] | None) -> str:
    """Write {low, value, high} in pJ as '1.2 uJ (0.7-2.4)'; 'unpriced' where there is no price."""
    return scaled(quantity, _UNITS)


def scaled(quantity: dict[str, Any] | None, units: tuple[tuple[float, str], ...]) -> str:
    """Write {low, value, high} in the largest of ``units``, (scale, name), that the value reaches."""
    if not quantity or quantity["value"] is None:
        return "unpriced"
    scale, unit = next(((s, u) for s, u in units if abs(quantity["value"]) >= s), units[-1])
    low, value, high = (_short(quantity[key] / scale) for key in ("low", "value", "high"))
    return f"{value} {unit} ({low}-{high})"


def _short(number: float) -> str:
    return f"{number:.3g}" if number < 1000 else f"{number:,.0f}"


def _layers(summary: dict[str, Any], wide: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = {heading: cell for heading, cell in _COLUMNS.items() if wide or heading not in _ONLY_WIDE}
    for heading in columns:
        table.add_column(heading, justify="left" if heading in ("layer", "law") else "right", no_wrap=True)
    for layer in summary["layers"]:
        table.add_row(*(cell(layer, summary["samples"]) for cell in columns.values()))
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


_LAW = {"lava": "Lava's", "own": "ours"}
_COLUMNS: dict[str, Callable[[dict[str, Any], int], str]] = {
    "layer": lambda layer, samples: escape(layer["name"]),
    "law": lambda layer, samples: escape(_LAW.get(layer["judge"], str(layer["judge"]))),
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
_TEXT_WIDTH = 140


def _learning(learning: dict[str, Any] | None) -> list[str]:
    if not learning:
        return []
    low, value, high = (learning["energy_pj"][end] for end in ("low", "value", "high"))
    cost = "not priced" if value is None else f"{value / 1e3:,.0f} nJ ({low / 1e3:,.0f}-{high / 1e3:,.0f}) a sample"
    rose = learning["accuracy_after"] > learning["accuracy_before"]
    lines = [
        f"learnt on the chip: {learning['rule']}, {learning['samples']:,} samples of {escape(learning['stream'])}; "
        f"traces: {learning['placement']}, {learning['trace_words']:,} words of {learning['trace_bits']} bits",
        f"  accuracy {learning['accuracy_before']:.4f} before, {learning['accuracy_during']:.4f} during, "
        f"[bold {'green' if rose else 'red'}]{learning['accuracy_after']:.4f} after[/] "
        f"({escape(learning['measured_on'])})",
    ]
    lines += [
        f"  {escape(name)}: {other['before']:.4f} before, {other['after']:.4f} after "
        f"({_forgotten(other['before'] - other['after'])})"
        for name, other in learning["others"].items()
    ]
    lines.append(f"  {learning['updates']:,} synapses visited; {cost}; weakest basis: {learning['weakest_basis']}")
    if learning["unpriced"]:
        lines.append(f"  unpriced: {', '.join(learning['unpriced'])}")
    return lines


def _forgotten(lost: float) -> str:
    return f"[yellow]{lost:.4f} forgotten[/]" if lost > 0 else "nothing forgotten"


def _lines(summary: dict[str, Any]) -> list[str]:
    cores = summary["cores"]
    lines = [
        f"cores {cores['used']} of {cores['limit'] or 'unlimited'}; "
        f"latency {counted(summary['latency_steps'], 'step')}, "
        f"one sample every {counted(summary['period'], 'step')}",
        *_placement(summary["placement"], summary["optimise"]),
        *_latency(summary["latency"]),
        *_energy(summary["energy"]),
        _dense(summary["dense"]),
        _neurobench(summary["neurobench"]),
    ]
    lines += _sequences(summary.get("sequences", {}))
    lines += _learning(summary.get("learning"))
    accuracy = summary["accuracy"]
    if accuracy:
        lines.append(_accuracy(accuracy))
    lines += [_agreement(row) for row in summary["agreement"]]
    if summary["verify"]:
        lines.append(_verification(summary["verify"]))
    if check := (summary.get("learning") or {}).get("verify"):
        lines.append(_lessons(check))
    own = [name for name, judge in summary["judge"].items() if judge == "own"]
    if own:
        lines.append(f"Lava ships no process for {', '.join(map(escape, own))}: microcode neurons on the chip")
    return lines


def _sequences(about: dict[str, Any]) -> list[str]:
    """Say which samples were run, how many of them the model was trained on, and how their file was read."""
    if not about:
        return []
    chosen = f"{about['samples']:,}" if about["samples"] == about["of"] else f"{about['samples']:,} of {about['of']:,}"
    seen = about["seen_in_training"]
    known = f"; {seen:,} of them ({seen / about['samples']:.0%}) seen in training" if seen else ""
    if seen == 0:
        known = "; none of them a copy of one seen in training"
    return [escape(line) for line in (f"input: {about['origin']}, {chosen} samples{known}", *about["notes"])]


def _findings(summary: dict[str, Any]) -> Iterator[str]:
    """Write each finding in a line, and its hint in one more."""
    for finding in summary.get("findings", ()):
        colour = "red" if finding["severity"] == "error" else "yellow"
        yield f"[bold {colour}]{finding['severity']}:[/] {escape(finding['message'])}"
        if finding["hint"]:
            yield f"  hint: {escape(finding['hint'])}"


def _accuracy(accuracy: dict[str, Any]) -> str:
    always = f"; always '{escape(accuracy['majority_class'])}': {accuracy['majority']:.4f}"
    return f"accuracy: float {accuracy['float']:.4f}, integer {accuracy['integer']:.4f}{always}"


def _agreement(row: dict[str, Any]) -> str:
    line = f"{row['measure']} equal to float in {escape(row['layer'])}: "
    line += "nothing to compare" if row["share"] is None else f"{row['share']:.2%}"
    line += f" of {row['of']:,}" if row["of"] else ""
    if row["measure"] == "spikes":
        return f"{line} (rate {row['rate_float']:.3f} float, {row['rate_integer']:.3f} integer)"
    return line if row["relative_rms"] is None else f"{line} (relative RMS error {row['relative_rms']:.2%})"


def _placement(placement: dict[str, Any] | None, wanted: str | None) -> list[str]:
    if placement is None:
        return []
    worst, hops = placement["worst_core"], [f"{placement[key]:,.0f}" for key in _HOPS]
    chosen = f", chosen by --optimise {wanted}" if wanted else ""
    return [
        f"placement{chosen}: {counted(placement['cores'], 'core')}, at least {placement['lower_bound']} "
        f"({escape(placement['binding'].replace('_', ' '))}); messages x hops {hops[0]}, row by row {hops[1]}, "
        f"at least {hops[2]}; fullest core {worst['index']}: {worst['used']:,.0f} of {worst['limit']:,.0f} "
        f"{worst['resource'].replace('_', ' ')} ({escape(worst['layer'])})"
    ]


_HOPS = ("traffic_hops", "naive_traffic_hops", "traffic_lower_bound")


def _latency(times: dict[str, Any]) -> list[str]:
    if times["answer_us"]["value"] is None:
        return []
    at_least = "at least " if times["untimed"] else ""
    rate = {end: round(value) if value else None for end, value in times["samples_per_second"].items()}
    busiest = times["busiest"]
    lines = [
        f"a sample is answered after {counted(times['answer_steps'], 'step')}, "
        f"{at_least}{scaled(times['answer_us'], _TIMES)}; "
        f"{scaled(rate, ((1.0, 'samples/s'),))}; weakest basis: {times['weakest_basis']}",
        f"the longest step: core {busiest['core']} ({escape(', '.join(busiest['layers']))}) works "
        f"{scaled(busiest['total'], _TIMES)}; {times['floor_steps']} of {times['steps_per_sample']} steps take the "
        "least a step can",
    ]
    return lines + ([f"untimed: {', '.join(map(escape, times['untimed']))}"] if times["untimed"] else [])


def _energy(costs: dict[str, Any]) -> list[str]:
    kinds = ", ".join(f"{kind} {energy(cost)}" for kind, cost in costs["events"].items() if cost["high"])
    beside = ", ".join(f"{name} {energy(costs[key])}" for key, name in _BESIDE if costs[key]["value"] is not None)
    lines = [f"energy a sample: {_whole(costs)}; weakest basis: {costs['weakest_basis']}"]
    lines += [f"  dynamic: {kinds}"] if kinds else []
    lines += [f"  beside that: {beside}"] if beside else []
    return lines + ([f"unpriced: {', '.join(map(escape, costs['unpriced']))}"] if costs["unpriced"] else [])


def _whole(costs: dict[str, Any]) -> str:
    """Write dynamic and static energy and their sum, or what keeps them from being added."""
    if costs["dynamic"]["value"] is None:
        return "unpriced"
    at_least = "at least " if costs["unpriced"] else ""
    if costs["energy_uj"]["value"] is None:
        return f"dynamic {at_least}{energy(costs['dynamic'])}, static power unpublished"
    if costs["static"]["value"] is None:
        return f"{at_least}{energy(costs['dynamic'])}, static power in it"
    parts = f"dynamic {energy(costs['dynamic'])}, static {energy(costs['static'])}"
    return f"{at_least}{scaled(costs['energy_uj'], _MICROJOULES)}: {parts}"


_BESIDE = (("host", "host"), ("io", "I/O"))


def _dense(dense: dict[str, Any]) -> str:
    costs = sorted((row["energy"]["value"], row["name"]) for row in dense["processors"])
    (least, simplest), (most, dearest) = costs[0], costs[-1]
    return (
        f"another scope, the same model computed densely: {dense['macs']:,} MACs a sample, "
        f"{_point(least)} ({simplest}) to {_point(most)} ({dearest})"
    )


def _point(pj: float) -> str:
    scale, unit = next(((s, u) for s, u in _UNITS if pj >= s), _UNITS[-1])
    return f"{_short(pj / scale)} {unit}"


def _neurobench(metrics: dict[str, Any]) -> str:
    operations = metrics["SynapticOperations"]
    return (
        f"NeuroBench: footprint {metrics['Footprint']:,} bytes, "
        f"connection sparsity {metrics['ConnectionSparsity']:.1%}, "
        f"activation sparsity {metrics['ActivationSparsity']:.1%}; a sample: "
        f"{operations['Effective_ACs']:,.0f} ACs and {operations['Effective_MACs']:,.0f} MACs "
        f"of {operations['Dense']:,.0f} dense, "
        f"{metrics['MembraneUpdates']:,.0f} membrane updates"
    )


def _verification(check: dict[str, Any]) -> str:
    equal = check["equal"] == check["spike_slots"] and check["states_equal"] == check["states"]
    colour = "green" if equal else "red"
    return (
        f"[{colour}]{check['backend']}: {check['messages_equal']:,} of {check['messages']:,} messages, "
        f"{check['equal']:,} of {check['spike_slots']:,} spike slots and "
        f"{check['states_equal']:,} of {check['states']:,} state values equal[/]"
    )


def _lessons(check: dict[str, Any]) -> str:
    """Say how much of the learning of the first samples was compared, and is equal."""
    if check["left_out"]:
        return f"[yellow]{check['backend']}, learning: not compared; {check['left_out']}[/]"
    equal = all(row["equal"] == row["values"] for row in check["rows"])
    whose = "ours" if check["synapses"] == "ours" else "Lava's, with its noise"
    rows = ", ".join(f"{row['equal']:,} of {row['values']:,} {row['what']}" for row in check["rows"])
    return (
        f"[{'green' if equal else 'red'}]{check['backend']}, learning of the first {check['samples']} samples "
        f"(synapses: {whose}): {rows} equal[/]"
    )

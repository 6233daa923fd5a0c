"""The report in a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from ..printable import counted, escape, marked
from .amounts import energy
from .assumed import READ_AS, assumed_lines
from .expect_lines import expect_lines
from .models import (
    Accuracy,
    Agreement,
    Finding,
    Layer,
    Learning,
    LearningVerification,
    MapCut,
    NeuroBench,
    Placement,
    Range,
    Sequences,
    Summary,
    Verification,
    made,
)  # fmt: skip
from .terminal_answers import answer_lines
from .terminal_costs import deciding_lines, dense_line, energy_lines, power_lines, time_lines


def show(summary: Summary, folder: Path | None, console: Console) -> None:
    """Print the report of a compile, and where its files are."""
    summary = made(Summary, marked(summary.as_dict()))
    console.print(
        f"[bold]{escape(summary.model)}[/] on [bold]{escape(summary.target)}[/]: "
        f"{counted(summary.samples, 'sample')} of {counted(summary.steps, 'step')} ({escape(summary.input)}), "
        f"{escape(summary.backend)} integers",
        soft_wrap=True,
    )
    for line in answer_lines(summary):
        console.print(line, soft_wrap=True)
    for line in summary.assumptions[:1]:
        if line.startswith(READ_AS):
            console.print(line, soft_wrap=True)
    console.print(_layers(summary, wide=console.width >= _WIDE))
    assumed = assumed_lines(summary.assumptions, expected=summary.expect is not None)
    for line in (*_lines(summary), *assumed, *_findings(summary.findings)):
        console.print(line, soft_wrap=True)
    if folder is not None:
        console.print(f"report: {escape(str(folder / 'report.html'))}", soft_wrap=True)


def report_text(summary: Summary) -> str:
    """Return the report as plain text: summary.txt."""
    text = io.StringIO()
    show(summary, folder=None, console=Console(file=text, width=_TEXT_WIDTH, highlight=False, emoji=False))
    return text.getvalue()


def _layers(summary: Summary, wide: bool) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = {heading: cell for heading, cell in _COLUMNS.items() if wide or heading not in _ONLY_WIDE}
    for heading in columns:
        table.add_column(heading, justify="left" if heading in ("layer", "law") else "right", no_wrap=True)
    for layer in summary.layers:
        table.add_row(*(cell(layer, summary.samples) for cell in columns.values()))
    return table


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


_LAW = {"lava": "Lava's", "own": "ours"}  # of results written before there were three words
_COLUMNS: dict[str, Callable[[Layer, int], str]] = {
    "layer": lambda layer, samples: escape(layer.name),
    "law": lambda layer, samples: escape(layer.law or _LAW.get(layer.judge, layer.judge)),
    "neurons": lambda layer, samples: f"{layer.neurons:,}",
    "synapses": lambda layer, samples: f"{layer.synapses:,}",
    "cores": lambda layer, samples: str(layer.cores),
    "synops": lambda layer, samples: f"{layer.synops_hardware / samples:,.0f}",
    "effective": lambda layer, samples: _share(layer.synops_effective, layer.synops_hardware),
    "sparsity": lambda layer, samples: f"{layer.sparsity:.1%}",
    "energy": lambda layer, samples: energy(layer.energy_pj),
    "saturated": lambda layer, samples: f"{layer.saturations:,}" if layer.saturations else "-",
}
"""The columns of the table; synops and energy are a sample's, the rest of the run's."""

_ONLY_WIDE = ("cores", "effective", "saturated")
_WIDE = 100
_TEXT_WIDTH = 140


def _learning(learning: Learning | None) -> list[str]:
    if learning is None:
        return []
    rose = learning.accuracy_after > learning.accuracy_before
    lines = [
        f"learnt on the chip: {learning.rule}, {learning.samples:,} samples of {escape(learning.stream)}; "
        f"traces: {learning.placement}, {learning.trace_words:,} words of {learning.trace_bits} bits",
        f"  accuracy {learning.accuracy_before:.4f} before, {learning.accuracy_during:.4f} during, "
        f"[bold {'green' if rose else 'red'}]{learning.accuracy_after:.4f} after[/] "
        f"({escape(learning.measured_on)})",
    ]
    lines += [
        f"  {escape(name)}: {other.before:.4f} before, {other.after:.4f} after "
        f"({_forgotten(other.before - other.after)})"
        for name, other in learning.others.items()
    ]
    cost = _nanojoules(learning.energy_pj)
    lines.append(f"  {learning.updates:,} synapses visited; {cost}; weakest basis: {learning.weakest_basis}")
    if learning.unpriced:
        lines.append(f"  unpriced: {', '.join(learning.unpriced)}")
    return lines


def _nanojoules(cost: Range) -> str:
    if cost.low is None or cost.value is None or cost.high is None:
        return "not priced"
    return f"{cost.value / 1e3:,.0f} nJ ({cost.low / 1e3:,.0f}-{cost.high / 1e3:,.0f}) a sample"


def _forgotten(lost: float) -> str:
    return f"[yellow]{lost:.4f} forgotten[/]" if lost > 0 else "nothing forgotten"


def _lines(summary: Summary) -> list[str]:
    cores, learning = summary.cores, summary.learning
    lines = [
        f"cores {cores.used} of {cores.limit or 'unlimited'}; "
        f"latency {counted(summary.latency_steps, 'step')}, "
        f"one sample every {counted(summary.period, 'step')}",
        *_placement(summary.placement, summary.optimise),
        *time_lines(summary.latency, summary.time),
        *energy_lines(summary.energy),
        *power_lines(summary),
        *deciding_lines(summary),
        dense_line(summary.dense),
        _neurobench(summary.neurobench),
    ]
    lines += _sequences(summary.sequences)
    lines += _learning(learning)
    if summary.accuracy:
        lines.append(_accuracy(summary.accuracy))
    lines += [_agreement(row) for row in summary.agreement]
    lines += expect_lines(summary.expect)
    if summary.verify:
        lines.append(_verification(summary.verify))
    if learning and learning.verify:
        lines.append(_lessons(learning.verify))
    own = [name for name, judge in summary.judge.items() if judge == "own"]
    if own:
        lines.append(f"Lava ships no process for {', '.join(map(escape, own))}: microcode neurons on the chip")
    return lines


def _sequences(about: Sequences) -> list[str]:
    """Say which samples were run, how many of them the model was trained on, and how their file was read."""
    chosen = f"{about.samples:,}" if about.samples == about.of else f"{about.samples:,} of {about.of:,}"
    seen = about.seen_in_training
    known = f"; {seen:,} of them ({seen / about.samples:.0%}) seen in training" if seen else ""
    if seen == 0:
        known = "; none of them a copy of one seen in training"
    return [escape(line) for line in (f"input: {about.origin}, {chosen} samples{known}", *about.notes)]


def _findings(findings: tuple[Finding, ...]) -> Iterator[str]:
    """Write each finding in a line, and its hint in one more."""
    for finding in findings:
        colour = "red" if finding.severity == "error" else "yellow"
        yield f"[bold {colour}]{finding.severity}:[/] {escape(finding.message)}"
        if finding.hint:
            yield f"  hint: {escape(finding.hint)}"


def _accuracy(accuracy: Accuracy) -> str:
    always = f"; always '{escape(accuracy.majority_class)}': {accuracy.majority:.4f}"
    return f"accuracy: float {accuracy.float:.4f}, integer {accuracy.integer:.4f}{always}"


def _agreement(row: Agreement) -> str:
    line = f"{row.measure} equal to float in {escape(row.layer)}: "
    line += "nothing to compare" if row.share is None else f"{row.share:.2%}"
    line += f" of {row.of:,}" if row.of else ""
    if row.measure == "spikes":
        return f"{line} (rate {row.rate_float:.3f} float, {row.rate_integer:.3f} integer)"
    return line if row.relative_rms is None else f"{line} (relative RMS error {row.relative_rms:.2%})"


def _placement(placement: Placement | None, wanted: str | None) -> list[str]:
    if placement is None:
        return []
    worst = placement.worst_core
    chosen = f", chosen by --optimise {wanted}" if wanted else ""
    return [
        f"placement{chosen}: {counted(placement.cores, 'core')}, at least {placement.lower_bound} "
        f"({escape(placement.binding.replace('_', ' '))}); messages x hops {placement.traffic_hops:,.0f}, "
        f"row by row {placement.naive_traffic_hops:,.0f}, at least {placement.traffic_lower_bound:,.0f}; "
        f"fullest core {worst.index}: {worst.used:,.0f} of {worst.limit:,.0f} "
        f"{worst.resource.replace('_', ' ')} ({escape(worst.layer)})",
        *(f"  {escape(layer)} is cut {_cut(cut)}" for layer, cut in (placement.cuts or {}).items()),
    ]


def _cut(cut: MapCut) -> str:
    """Say how a feature map is cut, and what that saves."""
    other = "channels" if cut.by == "rows" else "rows"
    more = "more than " if cut.more else ""
    return f"by {cut.by}: so it fills {counted(cut.parts, 'core')}, by {other} {more}{cut.other:,}"


def _neurobench(metrics: NeuroBench) -> str:
    operations = metrics.SynapticOperations
    return (
        f"NeuroBench: footprint {metrics.Footprint:,} bytes, "
        f"connection sparsity {metrics.ConnectionSparsity:.1%}, "
        f"activation sparsity {metrics.ActivationSparsity:.1%}; a sample: "
        f"{operations.Effective_ACs:,.0f} ACs and {operations.Effective_MACs:,.0f} MACs "
        f"of {operations.Dense:,.0f} dense, "
        f"{metrics.MembraneUpdates:,.0f} membrane updates"
    )


def _verification(check: Verification) -> str:
    colour = "red" if check.differing else "green"
    return (
        f"[{colour}]{check.backend}: {check.messages_equal:,} of {check.messages:,} messages, "
        f"{check.equal:,} of {check.spike_slots:,} spike slots and "
        f"{check.states_equal:,} of {check.states:,} state values equal[/]"
    )


def _lessons(check: LearningVerification) -> str:
    """Say how many values of the learning of the first samples were compared and are equal."""
    if check.left_out:
        return f"[yellow]{check.backend}, learning: not compared; {check.left_out}[/]"
    equal = all(row.equal == row.values for row in check.rows)
    whose = "ours" if check.synapses == "ours" else "Lava's, with its noise"
    rows = ", ".join(f"{row.equal:,} of {row.values:,} {row.what}" for row in check.rows)
    return (
        f"[{'green' if equal else 'red'}]{check.backend}, learning of the first {check.samples} samples "
        f"(synapses: {whose}): {rows} equal[/]"
    )

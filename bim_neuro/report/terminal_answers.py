"""What a reader of the terminal wants first: does it fit, what does it cost, is it right, is it verified."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from ..printable import counted, escape
from ..tasks.metrics import wilson
from .amounts import MICROJOULES, PICOJOULES, scaled
from .models import Energy, Summary


def answer_lines(summary: Summary) -> Iterator[str]:
    """Yield a line for each question that the run answers."""
    cores, accuracy, check = summary.cores, summary.accuracy, summary.verify
    errors = sum(finding.severity == "error" for finding in summary.findings)
    warnings = len(summary.findings) - errors
    said = [counted(number, word) for number, word in ((errors, "error"), (warnings, "warning")) if number]
    where = f"{cores.used:,} of {cores.limit:,} cores" if cores.limit else "a simulation, without cores"
    yield f"[bold]fits[/]      {where}{'; ' + ', '.join(said) if said else ''}"
    yield f"[bold]energy[/]    {_energy(summary.energy)}"
    if accuracy:
        low, high = wilson(round(accuracy.integer * summary.samples), summary.samples)
        yield (
            f"[bold]accuracy[/]  {accuracy.integer:.4f} of {counted(summary.samples, 'sample')} "
            f"(95 %: {low:.3f}-{high:.3f}), float {accuracy.float:.4f}"
        )
    if summary.answers and summary.answers.integer:
        yield f"[bold]answers[/]   {_figures(summary.answers.integer)}; float {_figures(summary.answers.float or {})}"
    if check:
        equal, values = check.equal + check.states_equal, check.spike_slots + check.states
        colour = "red" if check.differing else "green"
        yield f"[bold]verified[/]  [{colour}]{equal:,} of {values:,} values equal to {escape(check.backend)}[/]"


def _figures(found: Mapping[str, float]) -> str:
    return ", ".join(f"{escape(name)} {value:.4f}" for name, value in found.items())


def _energy(costs: Energy) -> str:
    """Return dynamic plus static energy of a sample, or what of it has a price."""
    least = "at least " if costs.unpriced else ""
    if costs.energy_uj.value is not None:
        return f"{least}{scaled(costs.energy_uj, MICROJOULES)} a sample, most of it {_larger(costs)}"
    if costs.dynamic.value is not None:
        return f"{least}{scaled(costs.dynamic, PICOJOULES)} of dynamic energy a sample"
    return "unpriced"


def _larger(costs: Energy) -> str:
    dynamic, static = costs.dynamic.value or 0.0, costs.static.value or 0.0
    return "static" if static > dynamic else "dynamic"

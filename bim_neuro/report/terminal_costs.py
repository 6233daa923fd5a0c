"""Lines of the terminal about time, energy, and the same model computed densely."""

from __future__ import annotations

from ..printable import counted, escape
from .amounts import MICROJOULES, MICROSECONDS, MILLIWATTS, PICOJOULES, energy, point, scaled
from .models import Dense, Energy, Latency, Range, StepTime, Summary


def time_lines(times: Latency, step: StepTime | None) -> list[str]:
    """Say how long a sample takes, and what its steps wait for."""
    if times.answer_us.value is None:
        return []
    at_least = "at least " if times.untimed else ""
    a_second = times.samples_per_second
    ends = (a_second.low, a_second.value, a_second.high)
    rate = Range(*(round(end) if end else None for end in ends))
    busiest = times.busiest
    lines = [
        f"a sample is answered after {counted(times.answer_steps, 'step')}, "
        f"{at_least}{scaled(times.answer_us, MICROSECONDS)}; "
        f"{scaled(rate, ((1.0, 'samples/s'),))}; weakest basis: {times.weakest_basis}",
        f"the longest step: core {busiest.core} ({escape(', '.join(busiest.layers))}) is busy for "
        f"{scaled(busiest.total, MICROSECONDS)}; {times.floor_steps} of {times.steps_per_sample} steps take the "
        "least a step can",
    ]
    lines += [_waits(step)] if step else []
    return lines + ([f"untimed: {', '.join(map(escape, times.untimed))}"] if times.untimed else [])


_WAITED = {
    "neurons": "updates of its neurons",
    "synapses": "synaptic operations",
    "memory": "reads of synapse memory",
    "link": "messages over a link",
    "barrier": "the barrier",
    "floor": "the least a step takes",
}


def _waits(step: StepTime) -> str:
    """Say what the longest step waits for, and which link is busiest."""
    link = step.link
    busiest = (
        f"; busiest link: core {link.source} to core {link.target}, {link.messages:,.1f} messages a step"
        if link
        else ""
    )
    waited = _WAITED.get(step.term, escape(step.term))
    basis = next((f" (basis: {escape(row.basis)})" for row in step.terms if row.term == step.term), "")
    return f"the longest step waits for {waited}, {scaled(step.us, MICROSECONDS)}{basis}{busiest}"


def energy_lines(costs: Energy) -> list[str]:
    """Say what a sample costs, and what has no price."""
    kinds = ", ".join(f"{kind} {energy(cost)}" for kind, cost in costs.events.items() if cost.high)
    pairs = (("host", costs.host), ("I/O", costs.io))
    beside = ", ".join(f"{name} {energy(cost)}" for name, cost in pairs if cost.value is not None)
    lines = [f"energy a sample: {_whole(costs)}; weakest basis: {costs.weakest_basis}"]
    lines += [f"  dynamic: {kinds}"] if kinds else []
    lines += [f"  beside that: {beside}"] if beside else []
    return lines + ([f"unpriced: {', '.join(map(escape, costs.unpriced))}"] if costs.unpriced else [])


def _whole(costs: Energy) -> str:
    """Write dynamic and static energy and their sum, or what keeps them from being added."""
    if costs.dynamic.value is None:
        return "unpriced"
    at_least = "at least " if costs.unpriced else ""
    if costs.energy_uj.value is None:
        return f"dynamic {at_least}{energy(costs.dynamic)}, static power unpublished"
    if costs.static.value is None:
        return f"{at_least}{energy(costs.dynamic)}, static power in it"
    parts = f"dynamic {energy(costs.dynamic)}, static {energy(costs.static)}"
    return f"{at_least}{scaled(costs.energy_uj, MICROJOULES)}: {parts}"


_BOUNDARIES = {"cores": "neurocores", "chip": "chip with its processors", "board": "board"}


_ENERGY_DELAY = ((1e6, "J ms"), (1e3, "mJ ms"), (1.0, "uJ ms"))


def power_lines(summary: Summary) -> list[str]:
    """Say what is drawn at the task's rate: by boundary, each with the one before in it."""
    rate, duty, at_rate = summary.sample_rate_hz, summary.duty, summary.at_rate
    if not summary.power or rate is None or duty is None or at_rate is None or duty.value is None:
        return []
    if at_rate.behind:
        kept = f"[yellow]cannot keep up, {at_rate.behind:.2f} times too slow[/]"
    else:
        kept = f"computes {scaled(duty, ((0.01, '%'),))} of the time"
    boundary = summary.boundary or "cores"
    whose = _BOUNDARIES.get(boundary, escape(boundary))
    lines = [
        f"at {rate:,.6g} samples/s it {kept}; a sample costs {scaled(at_rate.energy_uj, MICROJOULES)} ({whose}), "
        f"energy times delay {scaled(at_rate.edp_uj_ms, _ENERGY_DELAY)}"
    ]
    lines += [
        f"  {_BOUNDARIES.get(name, escape(name))}: static {scaled(line.static_mw, MILLIWATTS)}, "
        f"mean {scaled(line.mean_mw, MILLIWATTS)}, "
        f"peak {scaled(line.peak_mw, MILLIWATTS)}; weakest basis: {escape(line.basis)}"
        for name, line in summary.power.items()
    ]
    return lines


_SHOWN = 3  # prices


def deciding_lines(summary: Summary) -> list[str]:
    """Say which prices decide the energy, and where it lies if all are drawn at random."""
    if not summary.sensitivity or summary.interval_pj is None:
        return []
    swings = ", ".join(
        f"{escape(row.price)} {point(row.low_pj, PICOJOULES)} to {point(row.high_pj, PICOJOULES)}"
        + (f" ({escape(row.basis)})" if row.basis else "")
        for row in summary.sensitivity[:_SHOWN]
    )
    still = [escape(row.price) for row in summary.sensitivity if row.low_pj == row.high_pj]
    lines = [
        f"random prices: 90 % of draws lie in {energy(summary.interval_pj)}, "
        f"dynamic {energy(summary.dynamic_interval_pj)}",
        f"what decides the energy, and is to be measured first: {swings}",
    ]
    return lines + ([f"assumed, and moves nothing here: {', '.join(still)}"] if still else [])


def dense_line(dense: Dense) -> str:
    """Say what the same model costs computed densely."""
    costs = sorted((row.energy.value or 0.0, row.name) for row in dense.processors)
    (least, simplest), (most, dearest) = costs[0], costs[-1]
    even = (
        f"; the chip breaks even with the first at {dense.break_even:.2g} times the messages"
        if dense.break_even
        else ""
    )
    return (
        f"another scope, the same model computed densely: {dense.macs:,} MACs a sample, "
        f"{point(least, PICOJOULES)} ({simplest}) to {point(most, PICOJOULES)} ({dearest}){even}"
    )

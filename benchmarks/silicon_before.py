"""The profile of a Loihi 2 and the law of time as they were before published silicon moved them (version 0.2.0).

    step(t)  = max(step_us, barrier_us + synops * synop_ns + passes * update_pass_ns)     of the fullest core
    power    = static_mw + dynamic energy of a step / step(t)                             of any boundary

Kept so that what the profile predicts now has something to be compared with; nothing else reads it.
"""

from __future__ import annotations

from collections.abc import Mapping

from bim_neuro.estimates.terms import Range

LIF_PASSES = Range(2.0, 2.2, 2.4)
STEP_US = Range(8.14, 10, 13)
BARRIER_US = Range(0.113, 0.465, 10)
STATIC_MW = Range(200, 230, 350)
NS = {"synops": Range(0.37, 0.66, 3.5), "passes": Range(0.585, 4, 8.4)}
PJ = {"synops": Range(12, 22, 34), "passes": Range(40, 81, 160)}
EVENTS = {"timing.synop_ns": NS["synops"], "timing.lif_update_ns": NS["passes"]}
"""The price of one event by its name in a profile; a LIF's update was priced as a neuron operation."""

_ENDS = ("low", "value", "high")


def step_us(core: Mapping[str, float], chips: int = 1) -> Range:
    """Return the time of a step from the counts of the fullest core; chips made no difference without messages."""
    busy = _times(core, NS)
    ends = ((getattr(STEP_US, end), getattr(BARRIER_US, end) + getattr(busy, end) / 1000) for end in _ENDS)
    return Range(*(max(floor, working) for floor, working in ends))


def power_mw(boundary: str, core: Mapping[str, float], chip: Mapping[str, float]) -> Range:
    """Return the power of a chip; all boundaries had the one static figure."""
    step, energy = step_us(core), energy_pj(chip)
    return Range(
        (STATIC_MW.low or 0) + (energy.low or 0) / (step.high or 1) / 1000,
        (STATIC_MW.value or 0) + (energy.value or 0) / (step.value or 1) / 1000,
        (STATIC_MW.high or 0) + (energy.high or 0) / (step.low or 1) / 1000,
    )


def energy_pj(chip: Mapping[str, float]) -> Range:
    """Return the dynamic energy of a step from the counts of a whole chip."""
    return _times(chip, PJ)


def _times(counts: Mapping[str, float], prices: Mapping[str, Range]) -> Range:
    sums = []
    for end in _ENDS:
        passes = counts.get("passes", 0) + counts.get("lif", 0) * getattr(LIF_PASSES, end)
        priced = {"synops": counts.get("synops", 0), "passes": passes}
        sums.append(sum(count * getattr(prices[event], end) for event, count in priced.items()))
    return Range(*sums)

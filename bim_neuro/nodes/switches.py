"""Switches: what a NIR file does not say of its neurons, one table for every place that names one.

A file holds time constants, thresholds and weights. It does not hold how a step is integrated, when and to what a
neuron is reset, whether a voltage equal to the threshold fires, how often a neuron may fire in a step: every framework
has its own answers (`nir_bridge.dialect`). A switch is one such question; the first of its values is the default.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Switch:
    """A question with its possible answers, value -> what it means; the first is the default."""

    name: str
    asks: str
    values: dict[str, str]

    @property
    def default(self) -> str:
        return next(iter(self.values))


_TABLE = (
    Switch(
        "integrator",
        "decay of a time constant tau in a step of dt",
        {"forward": "1 - dt / tau", "exponential": "exp(-dt / tau)"},
    ),
    Switch(
        "input",
        "what a LIF or CubaLIF adds of its input in a step",
        {"scaled": "(1 - decay) r i", "whole": "i, whatever r is"},
    ),
    Switch(
        "li_input",
        "what an LI or CubaLI adds of its input in a step",
        {
            "scaled": "(1 - decay) r i",
            "whole": "i, whatever r is",
            "decayed": "decay i, whatever r is: it is added before the voltage decays",
        },
    ),
    Switch(
        "if_input",
        "what an IF or I adds of its input in a step",
        {"scaled": "dt r i", "whole": "i, whatever r is"},
    ),
    Switch(
        "synapse",
        "what the current of a CubaLIF or CubaLI adds of its input in a step",
        {
            "scaled": "(1 - current_decay) w_in i",
            "whole": "i, whatever w_in is",
            "decayed": "current_decay i, whatever w_in is: it is added before the current decays",
        },
    ),
    Switch(
        "reset",
        "what a spike does to the voltage",
        {
            "value": "sets it to v_reset, 0 where the file has none",
            "subtract": "subtracts v_threshold for each spike",
            "zero": "sets it to 0, whatever v_reset is",
        },
    ),
    Switch(
        "reset_when",
        "when the reset takes place",
        {
            "same": "in the step of the spike",
            "next": "in the next step, before the voltage decays",
            "after": "in the next step, after the voltage has decayed and has read its input",
            "delayed": "as after; but as next in a LIF without recurrence that is set to a value",
        },
    ),
    Switch(
        "compare",
        "whether a voltage equal to the threshold fires",
        {">": "no: v > v_threshold", ">=": "yes: v >= v_threshold"},
    ),
    Switch(
        "counts",
        "how many spikes a neuron may send in a step",
        {"one": "one", "many": "floor(v / v_threshold), in one message"},
    ),
    Switch(
        "floor",
        "lower bound of the voltage, applied last in a step",
        {"none": "none", "threshold": "-v_threshold"},
    ),
    Switch(
        "v0",
        "voltage before the first step",
        {"zero": "0; an LI or CubaLI starts at its v_leak", "leak": "v_leak", "reset": "v_reset"},
    ),
    Switch(
        "lag",
        "whether a layer sends its spikes a step late",
        {"no": "it sends them in the step in which it fires", "yes": "one step later"},
    ),
    Switch(
        "rec_first",
        "whether the constant of a recurrent connection already acts in the first step",
        {"yes": "yes, as any other bias", "no": "no, from the second step on"},
    ),
    Switch(
        "rec_input",
        "where the input of a recurrent layer enters",
        {
            "wired": "where the file wires it",
            "neuron": "at the neurons, though the file may wire it to recurrent weights",
            "late": "where the file wires it, a step late at recurrent weights: with what comes back",
        },
    ),
)

SWITCHES = {switch.name: switch for switch in _TABLE}
"""All switches by name."""

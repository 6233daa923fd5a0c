r"""How a time constant becomes a decay per step; NIR states tau in seconds and does not define this.

    forward Euler         decay = 1 - dt / tau         what norse, snnTorch and SpikingJelly compute
    exponential Euler     decay = exp(-dt / tau)       exact for input that is constant over a step: sinabs,
                                                       rockpool and what we write

Both discretise  tau v' = (v_leak - v) + r i  as  v[t] = decay v[t-1] + (1 - decay) (v_leak + r i[t]).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

from ..errors import InputError


@dataclass(frozen=True)
class Integrator:
    """A named formula from tau / dt to a decay per step."""

    name: str
    law: str
    decay: Callable[[float], float]


FORWARD = Integrator("forward Euler", "decay = 1 - dt / tau", lambda steps: 1 - 1 / steps)
EXPONENTIAL = Integrator("exponential Euler", "decay = exp(-dt / tau)", lambda steps: exp(-1 / steps))
INTEGRATORS = {integrator.name: integrator for integrator in (FORWARD, EXPONENTIAL)}


def find_integrator(name: str) -> Integrator:
    """Look an integrator up by name."""
    if name not in INTEGRATORS:
        raise InputError(f"unknown integrator '{name}'", f"there are: {', '.join(INTEGRATORS)}")
    return INTEGRATORS[name]

"""Plasticity: which synapses learn on the chip, by which rule, with how many bits; data, not code.

The update of a synapse (rule 'hybrid'; other rules omit a term or multiply them):

    dw = -rate * mix * dL/dw  +  stdp_rate * (1 - mix) * Omega

with dL/dw from forward traces held on the chip and Omega the pair STDP of docs/learning.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from numbers import Integral
from typing import Any

from .. import arguments
from ..errors import InputError

RULES = ("hybrid", "rtrl", "stdp", "s-tllr", "three-factor")
"""hybrid: gradient, and pair STDP for w_u; rtrl: gradient; stdp: w_u by pairs alone, the readout by its gradient;
s-tllr: as rtrl, but w_u by pairs times the learning signal; three-factor: the readout alone, by its gradient."""
PLACEMENTS = ("auto", "tags", "neurons", "host")
"""Trace placement: a tag of the learning engine, registers of neurons, or the host's memory."""
_OLD_PLACEMENTS = {"engine": "tags", "process": "neurons"}
"""How files written before 0.2.0 call them."""
ROUNDINGS = ("stochastic", "nearest", "truncate")
GROUPS = ("w_u", "w_dt", "w_b", "w_c", "w_o")
"""The dense projections of a block, and the readout's."""


@dataclass(frozen=True)
class Plasticity:
    """A request; `compilers.learning_rules` says where it fits.

    Time constants are in steps. ``rate`` and ``stdp_rate`` say how far an update moves a weight at first, root mean
    square, in LSBs of the weight: the default suits a trained model; one with random weights learns faster at 0.2.
    ``sparsity`` is the share of each group's weights that learning prunes. ``replay`` is how many samples a class the
    host keeps and learns again, one after each new one (replay.py).
    """

    rule: str = "hybrid"
    synapses: tuple[str, ...] = GROUPS
    placement: str = "auto"
    rate: float = 0.05
    mix: float = 0.9
    stdp_rate: float = 0.02
    a_plus: float = 1.0
    a_minus: float = 1.0
    tau_plus: float = 10.0
    tau_minus: float = 10.0
    weight_bits: int = 8
    trace_bits: int = 12
    rounding: str = "stochastic"
    epoch: int = 1
    seed: int = 0
    sparsity: float = 0.0
    replay: int = 0

    def __post_init__(self) -> None:
        for name, allowed in (("rule", RULES), ("placement", PLACEMENTS), ("rounding", ROUNDINGS)):
            given = getattr(self, name)
            if not isinstance(given, str) or given not in allowed:
                hint = f"one of {', '.join(allowed)}"
                raise InputError(f"plasticity: {name} '{getattr(self, name)!s:.60}' is unknown", hint)
        arguments.instance(self.synapses, tuple, "plasticity: synapses", f"some of {', '.join(GROUPS)}")
        if unknown := [group for group in self.synapses if group not in GROUPS]:
            raise InputError(f"plasticity: no synapses '{unknown[0]!s:.60}'", f"some of {', '.join(GROUPS)}")
        for name, low, high in _LIMITS:
            value = getattr(self, name)
            whole = name in _WHOLE
            is_number = isinstance(value, Integral if whole else (int, float)) and not isinstance(value, bool)
            if not is_number or not low <= value <= high:
                kind = "whole numbers from " if whole else ""
                raise InputError(f"plasticity: {name} is {value!r:.60}, allowed: {kind}{low:g} to {high:g}")

    @property
    def weight_limit(self) -> int:
        """The largest weight."""
        return int(2 ** (self.weight_bits - 1)) - 1

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as written into NIR metadata and summary.json."""
        return asdict(self) | {"synapses": list(self.synapses)}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> Plasticity:
        """Read what `as_dict` wrote; an unknown key is refused by name."""
        arguments.instance(table, Mapping, "plasticity")  # type: ignore[type-abstract]
        names = [field.name for field in fields(cls)]
        if unknown := [key for key in table if key not in names]:
            raise InputError(f"plasticity: unknown key '{unknown[0]}'", f"allowed: {', '.join(names)}")
        groups = table.get("synapses", GROUPS)
        if not isinstance(groups, (list, tuple)):
            raise InputError(f"plasticity: synapses is {groups!r:.60}, a list of names is needed")
        placement = table.get("placement", "auto")
        if isinstance(placement, str):
            placement = _OLD_PLACEMENTS.get(placement, placement)
        return cls(**{**table, "synapses": tuple(groups), "placement": placement})


_LIMITS = (
    ("rate", 0.0, 1e6), ("mix", 0.0, 1.0), ("stdp_rate", 0.0, 1e6), ("a_plus", 0.0, 1e3), ("a_minus", 0.0, 1e3),
    ("tau_plus", 1e-3, 1e6), ("tau_minus", 1e-3, 1e6), ("weight_bits", 2, 8), ("trace_bits", 2, 24), ("epoch", 1, 63),
    ("seed", 0, 2**31 - 1), ("sparsity", 0.0, 0.99), ("replay", 0, 10_000),
)  # fmt: skip
LIMITS = {name: (low, high) for name, low, high in _LIMITS}
"""The range of each number of a `Plasticity`."""
_WHOLE = ("weight_bits", "trace_bits", "epoch", "seed", "replay")

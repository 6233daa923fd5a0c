"""What bim-compile was asked for, as a typed request."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..jobs.settings import POWER
from ..nodes.switches import SWITCHES
from .asked import Asked
from .shared import word

if TYPE_CHECKING:
    from ..jobs.request import Request

_OF_PLASTICITY = {
    "learn.placement": "placement", "learn.bits": "trace_bits", "learn.rate": "rate", "learn.rounding": "rounding",
    "learn.synapses": "synapses", "learn.prune": "sparsity", "learn.seed": "seed",
}  # fmt: skip
"""Which settings are fields of a `Plasticity`, and which."""
_LIMITS = ("strict", "min_agreement", "max_energy", "max_latency", "max_cores")
"""The options that are `Thresholds`, in their order."""
_WORDS = (
    *("target", "dt", "input", "data", "steps", "split", "layout", "encoder"),
    *("lowering", "backend", "verify", "optimise", "expect"),
)
"""The options that are fields of a `Request`."""
_FIELDS = {
    "run.lava_timeout": "lava_timeout", "learn.samples": "learn_samples", "quantise.weight_bits": "weight_bits",
    "lowering.segments": "segments", "lowering.decay_bits": "decay_bits", "nir.for": "importer",
    "netx.write": "netx",
}  # fmt: skip
"""Which settings are fields of a `Request`, and which."""


def request_of(asked: Asked) -> Request:
    """Return the typed request of a run or a check."""
    from ..jobs.learn_stream import plasticity_for
    from ..jobs.places import default_output
    from ..jobs.request import Request
    from ..jobs.sequences import count_or_all
    from ..report.thresholds import Thresholds

    model, given = model_of(asked), asked.options
    target, learn, test = given["target"], str(word(given["learn"])), asked.settings.get("learn.test")
    output = given["output"] or (Path() if given["check"] else default_output(model))  # a check writes nothing
    learning, dialect = asked.given(_OF_PLASTICITY), _dialect(asked)
    chip = {"target": Path(target)} if target.endswith(".toml") else {}
    return Request(
        model=model,
        samples=count_or_all(given["samples"]),
        plasticity=None if learn == "none" else plasticity_for(model, given["dt"], learn, dialect, **learning),
        learn_test=None if test is None else Path(test),
        thresholds=Thresholds(*(given[name] for name in _LIMITS)),
        output=output,
        dialect=dialect,
        board=asked.settings.get("board.kit", "yes") == "yes",
        float_bits=int(asked.settings.get("run.float_bits", 64)),
        moments=asked.given({f"expect.{name}": name for name in ("voltages", "currents")}) or None,
        events=asked.given({f"input.{name}": name for name in ("time_unit", "bins", "node")}) or None,
        file=asked.file(model=model, output=output, **chip),
        command=shlex.join(["bim-compile", *sys.argv[1:]]),
        **asked.words(*_WORDS),
        **asked.given(_FIELDS),
        **_power(asked),
    )


def _power(asked: Asked) -> dict[str, Any]:
    """Return the boundary and the rate that were given, as options or else as settings."""
    found = asked.given({setting.name: setting.name.removeprefix("power.") for setting in POWER})
    for setting in POWER:
        field = setting.name.removeprefix("power.")
        if asked.options[field] is not None:
            option = replace(setting, name="--" + field.replace("_", "-"))
            found[field] = option.read(word(asked.options[field]) if setting.kind is str else asked.options[field])
    return found


def _dialect(asked: Asked) -> dict[str, str] | None:
    """Return the dialect's preset as 'name' and its switches, or None where nothing was asked for."""
    name = word(asked.options["dialect"])
    switches = asked.given({f"dialect.{switch}": switch for switch in (*SWITCHES, "layers")})
    return {**({"name": name} if name else {}), **switches} or None


def model_of(asked: Asked) -> Path:
    """Return the model's file, which must have been named."""
    model: Path = asked.needs("model", "MODEL", "name a model.pt or a .nir file, as bim-compile --help shows")
    return model

"""Requests to bim-compile and bim-train, made of options and settings by name, as a command or a sweep gives them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..nodes.switches import SWITCHES
from ..report.thresholds import Thresholds
from .learn_stream import plasticity_for
from .request import Request, TrainRequest
from .sequences import count_or_all

OPTIONS: Mapping[str, Any] = {
    **dict.fromkeys(("dt", "dialect", "input", "data", "steps", "split", "layout", "encoder", "lowering"), None),
    **dict.fromkeys(("verify", "optimise", "expect", "min_agreement", "max_energy", "max_latency", "max_cores"), None),
    "target": "loihi2",
    "samples": "32",
    "backend": "engine",
    "learn": "none",
    "strict": False,
}
"""The options that a request is made of, with their defaults."""
_OF_PLASTICITY = {
    "learn.placement": "placement", "learn.bits": "trace_bits", "learn.rate": "rate", "learn.rounding": "rounding",
    "learn.synapses": "synapses", "learn.prune": "sparsity", "learn.replay": "replay", "learn.seed": "seed",
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
    "netx.write": "netx", "run.executor": "executor", "prune.share": "prune", "s4d.activation": "activation",
    "power.boundary": "boundary", "power.sample_rate": "sample_rate",
}  # fmt: skip
"""Which settings are fields of a `Request`, and which."""
_OF_TRAINING = {
    "train.lambda": "mix", "train.credit": "credit", "train.segment": "segment", "train.traces": "traces",
    "train.online": "online", "train.patience": "patience", "train.accumulate": "accumulate", "train.taps": "taps",
    "train.leaks": "leaks", "train.readout_decay": "readout_decay", "train.dt_min": "dt_min",
    "train.dt_max": "dt_max", "train.model": "model",
    "train.parameters": "parameters", "train.embedding": "embedding", "train.softmax": "softmax",
    "train.rate_penalty": "rate_penalty", "train.rate_target": "rate_target",
    "train.checkpoint_minutes": "checkpoint_minutes",
    "train.csv": "csv", "train.tensorboard": "tensorboard",
}  # fmt: skip
"""Which settings are fields of a `TrainRequest`, and which."""
_YES_OR_NO = {"train.skips": "skips", "train.thresholds": "thresholds", "train.norm": "norm"}
"""Those that are yes or no."""
_PATHS = ("csv", "tensorboard")
"""Those that are paths."""


def compose(model: Path, output: Path, options: Mapping[str, Any], settings: Mapping[str, Any], **more: Any) -> Request:
    """Return the request; ``options`` are plain words, ``more`` are its file and command."""
    given = {**OPTIONS, **options}
    learn, test, dialect = given["learn"], settings.get("learn.test"), _dialect(given["dialect"], settings)
    learning = _named(settings, _OF_PLASTICITY)
    return Request(
        model=model,
        output=output,
        samples=count_or_all(given["samples"]),
        plasticity=None if learn == "none" else plasticity_for(model, given["dt"], learn, dialect, **learning),
        learn_test=None if test is None else Path(test),
        thresholds=Thresholds(*(given[name] for name in _LIMITS)),
        dialect=dialect,
        board=settings.get("board.kit", "yes") == "yes",
        float_bits=int(settings.get("run.float_bits", 64)),
        moments=_named(settings, {f"expect.{name}": name for name in ("voltages", "currents")}) or None,
        events=_named(settings, {f"input.{name}": name for name in ("time_unit", "bins", "node")}) or None,
        **{name: given[name] for name in _WORDS},
        **_named(settings, _FIELDS),
        **more,
    )


def compose_training(
    task: str, output: Path, options: Mapping[str, Any], settings: Mapping[str, Any], **more: Any
) -> TrainRequest:
    """Return the request of a training; ``options`` are fields of `TrainRequest`, ``more`` as for `compose`."""
    named: dict[str, Any] = _named(settings, _OF_TRAINING)
    named |= {field: Path(named[field]) for field in _PATHS if field in named}
    named |= {field: value == "yes" for field, value in _named(settings, _YES_OR_NO).items()}
    return TrainRequest(task=task, output=output, **options, **named, **more)


def _named(settings: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Return the settings that were given, by other names: ``names`` are {setting: its field}."""
    return {field: settings[name] for name, field in names.items() if name in settings}


def _dialect(preset: str | None, settings: Mapping[str, Any]) -> dict[str, str] | None:
    """Return the dialect's preset as 'name' and its switches, or None where nothing was asked for."""
    switches = _named(settings, {f"dialect.{switch}": switch for switch in (*SWITCHES, "layers")})
    return {**({"name": preset} if preset else {}), **switches} or None

"""model.pt: one documented format, read without executing anything.

    {"format": "bim-neuro", "version": 1,
     "config":  {inputs, classes, channels, states, taps, blocks; of NetworkConfig's others those that are used},
     "dt":      seconds a step,               "task": "digits" | "ecg" | "own" | ...,
     "labels":  [class names],                "encoder": {kind, gain (C,), offset (C,), reads_raw or absent},
     "state":   the network's state dict,     "ranges": {"block1.scan.h": largest magnitude in calibration, ...},
     "training": {the training record: seed, epochs, accuracies, the command},
     "head":    what is asked of a sequence (tasks/heads.py), absent where it is one class,
     "trained_on": {hashes (samples,), split (samples,), steps} of a task or a person's own file, or absent}

An encoder of kind table has its rows in the weight "table", which are rounded to 8 bits.
Tensors, numbers, strings, lists and dicts only: `bim_neuro.intake.read_torch` refuses everything else.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import arguments
from ..atomic import write
from ..choices import HEADS
from ..errors import InputError, first_line
from ..intake import Budget, read_torch
from ..nodes import Encoder
from ..nodes.arithmetic import Array
from ..nodes.table import table_of
from ..pack import answer_fault
from ..printable import outline
from ..trained_on import KEY as TRAINED_ON
from ..trained_on import TrainedOn
from .network import BIMNetwork, NetworkConfig

FORMAT = "bim-neuro"
BASELINE_FORMAT = "bim-neuro baseline"
VERSION = 1
COPIES = 5
"""Peak memory of compiling a model, as a multiple of its weights: float64, scaled and rounded copies."""
ENCODERS = ("graded", "delta", "spikes", "token", "table")
_LOGARITHMS = ("a_log", "log_threshold", "log_ratio")  # parameters that the block exponentiates
_DIVISORS = ("log_ratio", "spread")  # and those that it divides by


def _divisor(name: str, value: torch.Tensor) -> torch.Tensor:
    return torch.exp(value.double()) if name.endswith(_LOGARITHMS) else value.double()


@dataclass(frozen=True)
class Checkpoint:
    """A trained model with everything needed to compile it."""

    config: NetworkConfig
    dt: float
    task: str
    labels: tuple[str, ...]
    encoder: Encoder
    state: dict[str, torch.Tensor]
    ranges: dict[str, float]
    training: dict[str, Any] = field(default_factory=dict)
    trained_on: TrainedOn | None = None
    head: str = "class"

    __repr__ = outline

    def network(self) -> BIMNetwork:
        """Build the network with these weights; a config of absurd size is refused before it takes memory."""
        if self.config.blocks > len(self.state):
            raise InputError(f"the config has {self.config.blocks:,} blocks, but only {len(self.state)} weights")
        given = {name: tuple(value.shape) for name, value in self.state.items()}
        large = _large_weights(self.config)
        _compare(given, large, large)
        network = BIMNetwork(self.config)
        wanted = {name: tuple(value.shape) for name, value in network.state_dict().items()}
        _compare(given, wanted, {**wanted, **given})
        network.load_state_dict(self.state)
        return network


Shapes = dict[str, tuple[int, ...]]


def _large_weights(config: NetworkConfig) -> Shapes:
    """Return the shapes of the large weights; all others are as small as one of their rows or columns."""
    shapes: Shapes = {"w_o": (config.classes, config.width(config.blocks))}
    if config.table:
        shapes["table"] = (config.table, config.inputs)
    for index in range(config.blocks):
        inputs = config.width(index)
        columns = {"w_u": inputs, "a_log": config.states, "conv": config.taps}
        shapes |= {f"blocks.{index}.{name}": (config.channels, count) for name, count in columns.items()}
        shapes[f"blocks.{index}.w_b"] = (config.states, inputs)
    return shapes


def _compare(given: Shapes, wanted: Shapes, names: Iterable[str]) -> None:
    for name in names:
        if given.get(name) != wanted.get(name):
            has, needs = (str(shapes.get(name, "absent")) for shapes in (given, wanted))
            raise InputError(f"the weights do not fit the config: '{name}' is {has}, the config wants {needs}")


def save_checkpoint(checkpoint: Checkpoint, path: str | Path) -> None:
    """Write model.pt atomically."""
    arguments.instance(checkpoint, Checkpoint, "checkpoint")
    path = arguments.new_file(path)
    save_atomically(
        {
            "format": FORMAT,
            "version": VERSION,
            "config": checkpoint.config.plain,
            "dt": checkpoint.dt,
            "task": checkpoint.task,
            "labels": list(checkpoint.labels),
            "encoder": {
                "kind": checkpoint.encoder.kind,
                "gain": torch.as_tensor(checkpoint.encoder.gain, dtype=torch.float64),
                "offset": torch.as_tensor(checkpoint.encoder.offset, dtype=torch.float64),
                **({"reads_raw": True} if checkpoint.encoder.reads_raw else {}),
            },
            "state": checkpoint.state,
            "ranges": checkpoint.ranges,
            "training": checkpoint.training,
            **({} if checkpoint.head == "class" else {"head": checkpoint.head}),
            **_trained_on(checkpoint),
        },
        path,
    )


def _trained_on(checkpoint: Checkpoint) -> dict[str, Any]:
    if checkpoint.trained_on is None:
        return {}
    plain = checkpoint.trained_on.plain.items()
    return {TRAINED_ON: {name: torch.as_tensor(v) if isinstance(v, np.ndarray) else v for name, v in plain}}


def save_atomically(content: dict[str, Any], path: Path) -> None:
    """Write a dict of tensors and plain values; an interrupted save leaves the former file."""
    memory = io.BytesIO()  # torch reports a full disk as another error
    torch.save(content, memory)
    write(path, memory.getbuffer())


def load_checkpoint(path: str | Path) -> Checkpoint:
    """Read model.pt; anything that is not one is refused with an `InputError`, and nothing in it is executed."""
    path = arguments.path(path)
    return checkpoint_in(load_plain(path), path)


def checkpoint_in(content: dict[str, Any], path: Path) -> Checkpoint:
    """Return the model of what a file holds."""
    if is_same(content.get("format"), BASELINE_FORMAT):
        name = content.get("config", {}).get("name") if isinstance(content.get("config"), dict) else None
        raise InputError(f"{path} is a baseline ({name!s:.20}), which no chip takes", "bim-report runs compares it")
    if not is_same(content.get("format"), FORMAT):
        raise InputError(f"{path} is a PyTorch file, but not a bim-neuro model", "bim-train writes model.pt files")
    if not is_same(content.get("version"), VERSION):
        raise InputError(f"{path} has format version {content.get('version')!r:.60}, this bim-neuro reads {VERSION}")
    try:
        checkpoint = _parse(content)
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from None
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError, OverflowError) as error:
        raise InputError(f"{path} has a missing or damaged field: {type(error).__name__} {first_line(error)}") from None
    weights = sum(value.nbytes for value in checkpoint.state.values())
    Budget.of_file(path.stat().st_size).take(f"compiling the weights of {path}", COPIES * weights)
    check_values(checkpoint, path)
    return checkpoint


def is_same(found: Any, wanted: Any) -> bool:
    """Whether a file says what is wanted; a tensor of several numbers in its place has no truth of its own."""
    try:
        return bool(found == wanted)
    except (TypeError, ValueError, RuntimeError):
        return False


def load_plain(path: Path) -> dict[str, Any]:
    """Read a dict of tensors and plain values; torch never sees the file, which could run code (`intake`)."""
    content = _with_tensors(read_torch(path))
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, a bim-neuro model is a dict")
    return content


def _with_tensors(value: Any) -> Any:
    """Return plain values with each array replaced by a tensor."""
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value)
    if isinstance(value, dict):
        return {key: _with_tensors(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_with_tensors(part) for part in value)
    return value


def _parse(content: dict[str, Any]) -> Checkpoint:
    state = {str(name): torch.as_tensor(value) for name, value in content["state"].items()}
    return Checkpoint(
        config=NetworkConfig(**content["config"]),
        dt=float(content["dt"]),
        task=str(content["task"]),
        labels=tuple(str(label) for label in content["labels"]),
        encoder=_encoder(content["encoder"], state),
        state=state,
        ranges={str(name): float(value) for name, value in content["ranges"].items()},
        training=dict(content["training"]),
        trained_on=TrainedOn.parse(content.get(TRAINED_ON)),
        head=arguments.choice(content.get("head", "class"), HEADS, "head"),
    )


def _encoder(plain: dict[str, Any], state: dict[str, torch.Tensor]) -> Encoder:
    """Return the encoder; a table is that of the weights, rounded."""
    if is_same(plain["kind"], "table"):
        return encoder_of_table(state)
    reads_raw = plain.get("reads_raw") is True
    return Encoder(str(plain["kind"]), _floats(plain["gain"]), _floats(plain["offset"]), reads_raw=reads_raw)


def encoder_of_table(state: Mapping[str, torch.Tensor]) -> Encoder:
    """Return the encoder whose rows are the weight 'table', rounded; InputError if there is none."""
    table = state.get("table")
    if table is None or not table.is_floating_point() or table.ndim != 2 or not torch.isfinite(table).all():
        raise InputError("the weight 'table' is not finite numbers (tokens, lines)", "retrain the model")
    return Encoder.of_table(table_of(table.float().numpy()))  # float32 is what the network rounds


def _floats(values: Any) -> Array:
    if np.iscomplexobj(found := np.asarray(values)):
        raise TypeError("real numbers are needed, not complex ones")
    return np.asarray(found, np.float64)


def check_values(checkpoint: Checkpoint, path: Path | str) -> None:
    """Refuse weights, ranges, labels and an encoder that do not fit each other; ``path`` is whose they are."""
    for name, value in checkpoint.state.items():
        if not value.is_floating_point() or value.layout != torch.strided:
            raise InputError(f"{path}: '{name}' holds {value.dtype} ({value.layout}), dense real numbers are needed")
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise InputError(f"{path}: {bad} of {value.numel()} values of '{name}' are not finite", "retrain the model")
        if name.endswith(_LOGARITHMS) and not torch.isfinite(torch.exp(value.double())).all():
            raise InputError(f"{path}: '{name}' holds {float(value.max()):g}, whose exponential overflows")
        if name.endswith(_DIVISORS) and not torch.isfinite(1 / _divisor(name, value)).all():
            raise InputError(f"{path}: '{name}' holds {float(value.min()):g}, which divides by 0")
    if not 0 < checkpoint.dt < float("inf"):
        raise InputError(f"{path}: dt is {checkpoint.dt} s, it must be positive and finite")
    for name, largest in checkpoint.ranges.items():
        if not 0 <= largest < float("inf"):
            raise InputError(f"{path}: the calibrated range '{name}' is {largest}, it must be finite and not negative")
    if checkpoint.labels and len(checkpoint.labels) != checkpoint.config.classes:
        raise InputError(f"{path}: {len(checkpoint.labels)} labels for {checkpoint.config.classes} classes")
    config = checkpoint.config
    if fault := answer_fault(checkpoint.head, "adaptive" if config.adaptive else "full", config.classes):
        raise InputError(f"{path}: {fault}")
    _check_encoder(checkpoint.encoder, path)
    if len(checkpoint.encoder.table) != checkpoint.config.table:
        rows = f"a table of {len(checkpoint.encoder.table):,} rows, the config says {checkpoint.config.table:,}"
        raise InputError(f"{path}: the encoder has {rows}")
    if checkpoint.encoder.source.neurons != checkpoint.config.inputs:
        raise InputError(
            f"{path}: the encoder gives {checkpoint.encoder.source.neurons} lines, "
            f"the network reads {checkpoint.config.inputs}"
        )
    try:
        checkpoint.network()
    except InputError as error:
        raise InputError(f"{path}: {error.message}") from None


def _check_encoder(encoder: Encoder, path: Path | str) -> None:
    if encoder.kind not in ENCODERS:
        raise InputError(f"{path}: unknown encoder '{encoder.kind}'", f"there are: {', '.join(ENCODERS)}")
    for name, values in (("gain", encoder.gain), ("offset", encoder.offset)):
        if values.ndim != 1 or values.shape != encoder.gain.shape or not np.isfinite(values).all():
            raise InputError(f"{path}: the encoder's {name} must be one finite number a channel")

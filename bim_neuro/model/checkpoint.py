"""model.pt: one documented format, read without executing anything.

    {"format": "bim-neuro", "version": 1,
     "config":  {inputs, classes, channels, states, taps, blocks},
     "dt":      seconds a step,               "task": "digits" | "ecg" | "own" | ...,
     "labels":  [class names],                "encoder": {kind, gain (C,), offset (C,)},
     "state":   the network's state dict,     "ranges": {"block1.scan.h": largest magnitude in calibration, ...},
     "training": {the training record: seed, epochs, accuracies, the command}}

Tensors, numbers, strings, lists and dicts only: torch.load(weights_only=True) refuses everything else.
"""

from __future__ import annotations

import os
import pickle
import tempfile
import zipfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import InputError
from ..nodes import Encoder
from .network import BIMNetwork, NetworkConfig

FORMAT = "bim-neuro"
VERSION = 1


@dataclass(frozen=True)
class Checkpoint:
    """A trained model and everything compiling it needs."""

    config: NetworkConfig
    dt: float
    task: str
    labels: tuple[str, ...]
    encoder: Encoder
    state: dict[str, torch.Tensor]
    ranges: dict[str, float]
    training: dict[str, Any] = field(default_factory=dict)

    def network(self) -> BIMNetwork:
        """Build the network with these weights."""
        network = BIMNetwork(self.config)
        try:
            network.load_state_dict(self.state)
        except RuntimeError as error:
            raise InputError(f"the weights do not fit the config: {_first_line(error)}") from None
        return network


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write model.pt atomically."""
    save_atomically(
        {
            "format": FORMAT,
            "version": VERSION,
            "config": asdict(checkpoint.config),
            "dt": checkpoint.dt,
            "task": checkpoint.task,
            "labels": list(checkpoint.labels),
            "encoder": {
                "kind": checkpoint.encoder.kind,
                "gain": torch.as_tensor(checkpoint.encoder.gain, dtype=torch.float64),
                "offset": torch.as_tensor(checkpoint.encoder.offset, dtype=torch.float64),
            },
            "state": checkpoint.state,
            "ranges": checkpoint.ranges,
            "training": checkpoint.training,
        },
        path,
    )


def save_atomically(content: dict[str, Any], path: Path) -> None:
    """Write beside the target and rename: an interrupted save leaves the former file."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    os.close(handle)
    try:
        torch.save(content, temporary)
        Path(temporary).replace(path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def load_checkpoint(path: Path) -> Checkpoint:
    """Read model.pt; anything that is not one is refused with an `InputError`, and nothing in it is executed."""
    content = load_plain(path)
    if content.get("format") != FORMAT:
        raise InputError(f"{path} is a PyTorch file, but not a bim-neuro model", "bim-train writes model.pt files")
    if content.get("version") != VERSION:
        raise InputError(f"{path} has format version {content.get('version')!r}, this bim-neuro reads {VERSION}")
    try:
        checkpoint = _parse(content)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{path} lacks or garbles a field: {type(error).__name__} {_first_line(error)}") from None
    _check_values(checkpoint, path)
    return checkpoint


def load_plain(path: Path) -> dict[str, Any]:
    """Read a dict of tensors and plain values; refuse pickles that would run code."""
    if not path.is_file():
        raise InputError(f"no such file: {path}" if not path.exists() else f"{path} is not a file")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        hint = "only tensors, numbers, strings, lists and dicts are accepted; nothing in the file was executed"
        raise InputError(f"{path} is not a plain PyTorch file", hint) from None
    except (RuntimeError, EOFError, OSError, zipfile.BadZipFile, ValueError, KeyError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is damaged or not a PyTorch file: {_first_line(error)}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} holds a {type(content).__name__}, a bim-neuro model is a dict")
    return content


def _parse(content: dict[str, Any]) -> Checkpoint:
    encoder = content["encoder"]
    return Checkpoint(
        config=NetworkConfig(**content["config"]),
        dt=float(content["dt"]),
        task=str(content["task"]),
        labels=tuple(str(label) for label in content["labels"]),
        encoder=Encoder(str(encoder["kind"]), np.asarray(encoder["gain"]), np.asarray(encoder["offset"])),
        state={str(name): torch.as_tensor(value) for name, value in content["state"].items()},
        ranges={str(name): float(value) for name, value in content["ranges"].items()},
        training=dict(content["training"]),
    )


def _check_values(checkpoint: Checkpoint, path: Path) -> None:
    for name, value in checkpoint.state.items():
        bad = int((~torch.isfinite(value)).sum())
        if bad:
            raise InputError(f"{path}: {bad} of {value.numel()} values of '{name}' are not finite", "retrain the model")
    if not 0 < checkpoint.dt < float("inf"):
        raise InputError(f"{path}: dt is {checkpoint.dt} s, it must be positive and finite")
    if checkpoint.labels and len(checkpoint.labels) != checkpoint.config.classes:
        raise InputError(
            f"{path}: {len(checkpoint.labels)} labels for {checkpoint.config.classes} classes"
        )
    if checkpoint.encoder.source.neurons != checkpoint.config.inputs:
        raise InputError(
            f"{path}: the encoder gives {checkpoint.encoder.source.neurons} lines, "
            f"the network reads {checkpoint.config.inputs}"
        )
    checkpoint.network()


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2])[:300]

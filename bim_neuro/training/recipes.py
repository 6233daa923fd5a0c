"""How to train: a recipe, and the default model and recipe of each task, with their source."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .. import arguments
from ..choices import DEVICES, MODELS, SOFTMAXES, SPEAKERS

ENCODERS = ("graded", "delta", "token", "table")
"""Those that can be fitted to data."""


SHAPE = ("channels", "states", "blocks", "taps", "skips", "thresholds", "leaks", "norm", "readout_decay",
         "dt_min", "dt_max")  # fmt: skip
"""Fields of a `Default` that are fields of a `NetworkConfig`."""
CHOSEN = ("encoder", "model", "parameters", "embedding", "softmax")
"""Its other fields that a request can change."""


@dataclass(frozen=True)
class Recipe:
    """How to train. ``augment_gain`` and ``augment_noise`` are relative to the encoded range; ``patience`` in epochs.

    ``balance`` draws classes with weight count^-balance: 0 as they come, 1 all alike; ``epoch_samples`` caps an epoch.
    ``accumulate`` splits each batch into so many parts, one after another, for the same update in less memory;
    ``keep`` is 'best' (the weights of the best validation epoch) or 'last' (the end of the one-cycle schedule).
    ``max_updates`` ends the training, and its schedule, after so many batches, in the midst of an epoch too.
    """

    epochs: int = 300
    batch: int = 64
    learning_rate: float = 8e-3
    weight_decay: float = 0.0
    augment_gain: float = 0.10
    augment_noise: float = 0.03
    label_smoothing: float = 0.0
    balance: float = 0.0
    epoch_samples: int | None = None
    patience: int = 60
    keep: str = "best"
    seed: int = 0
    accumulate: int = 1
    device: str = "auto"
    max_updates: int | None = None

    def largest_part(self, samples: int, processes: int = 1) -> int:
        """Return how many samples are computed at a time."""
        return math.ceil(math.ceil(min(self.batch, samples) / processes) / self.accumulate)

    def __post_init__(self) -> None:
        arguments.numbers_of(self, _LIMITS, "recipe")
        arguments.choice(self.keep, ("best", "last"), "keep")
        arguments.choice(self.device, DEVICES, "device")


_LIMITS = (
    ("epochs", 1, 10**9), ("batch", 1, 10**9), ("learning_rate", 1e-9, 1e300), ("weight_decay", 0, 1e6),
    ("augment_gain", 0, 1e6), ("augment_noise", 0, 1e6), ("label_smoothing", 0, 1), ("balance", 0, 1e3),
    ("epoch_samples", 1, 10**12), ("patience", 0, 10**9), ("seed", 0, 2**63 - 1), ("accumulate", 1, 10**9),
    ("max_updates", 1, 10**12),
)  # fmt: skip


@dataclass(frozen=True)
class Default:
    """A task's default ``encoder``, network shape and ``recipe``; ``score`` names what early stopping watches.

    ``embedding`` is the length of a row of encoder table; the ``softmax`` of head next is adaptive, by default, from
    some thousand tokens on (tasks/clusters.py). ``model`` is bim, or a baseline (training/baselines) of
    ``parameters`` numbers, by default as many as bim has.
    """

    channels: int
    states: int
    blocks: int
    taps: int
    recipe: Recipe
    encoder: str = "graded"
    score: str = "accuracy"
    skips: bool = False
    thresholds: bool = False
    leaks: int = 1
    norm: bool = False
    readout_decay: float | None = None
    dt_min: float = 0.01
    dt_max: float = 0.5
    model: str = "bim"
    parameters: int | None = None
    embedding: int = 64
    softmax: str | None = None

    def __post_init__(self) -> None:
        arguments.choice(self.model, MODELS, "model")
        if self.parameters is not None:
            arguments.whole(self.parameters, "parameters", 1)
        if self.softmax is not None:
            arguments.choice(self.softmax, SOFTMAXES, "softmax")
        arguments.whole(self.embedding, "embedding", 1, 1_000_000)
        arguments.numbers_of(self, [(name, 1, 1_000_000) for name in ("channels", "states", "blocks", "taps")], "shape")
        arguments.choice(self.encoder, ENCODERS, "encoder")
        arguments.choice(self.score, ("accuracy", "macro_f1"), "score")


DEFAULTS: dict[str, Default] = {
    # digits: chosen by 4-fold cross-validation inside the training two thirds (docs/decisions/0004-digits-recipe.md)
    "digits": Default(
        channels=128, states=8, blocks=1, taps=4, recipe=Recipe(epochs=300, label_smoothing=0.1, patience=300)
    ),
    # ecg: strong augmentation and few epochs, since 17 training patients are quickly overfitted
    # (docs/decisions/0007-ecg-model.md)
    "ecg": Default(
        channels=64,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(
            epochs=6,
            batch=128,
            learning_rate=4e-3,
            weight_decay=0.05,
            augment_gain=0.25,
            augment_noise=0.15,
            label_smoothing=0.1,
            balance=0.7,
            epoch_samples=12_000,
            keep="last",
        ),
        score="macro_f1",
    ),
    # cue and copy: chosen so that the rules can be told apart in seconds (docs/learning.md)
    "copy": Default(
        channels=32,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=25, batch=32, learning_rate=1e-2, augment_gain=0.0, augment_noise=0.0, patience=25),
    ),
    # a delay: slow states. At 1e-2 copy-60 ends with one symbol of two; at 3e-2 a seed of copy-120 diverged
    **{
        name: Default(
            channels=32,
            states=8,
            blocks=1,
            taps=4,
            recipe=Recipe(epochs=48, batch=32, learning_rate=rate, augment_gain=0.0, augment_noise=0.0, patience=48),
            dt_min=0.001,
            dt_max=0.05,
        )
        for name, rate in {"copy-60": 3e-2, "copy-120": 1e-2, "copy-250": 1e-2}.items()
    },
    "cue": Default(
        channels=32,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=4, batch=32, learning_rate=1e-2, augment_gain=0.0, augment_noise=0.0, patience=4),
    ),
    "cue-reckon": Default(
        channels=64,
        states=16,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=50, batch=10, learning_rate=1e-2, augment_gain=0.0, augment_noise=0.0, patience=50),
    ),
    # bonn and psmnist: small shapes that train in minutes; no search was made
    **dict.fromkeys(
        ("bonn", "bonn-bands", "bonn-sets"),
        Default(channels=32, states=8, blocks=1, taps=4, recipe=Recipe(epochs=40, batch=32, label_smoothing=0.05)),
    ),
    # language-words: as language; speech: small shapes, no search was made
    "language-words": Default(
        channels=128,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=1, batch=32, learning_rate=2.4e-2, augment_gain=0.0, augment_noise=0.0),
        encoder="table",
        norm=True,
        readout_decay=0.05,
    ),
    **dict.fromkeys(
        (
            *("speech", "connected-digits", "connected-digits-frames", "spoken-digits"),
            *(f"spoken-digits-{speaker}" for speaker in SPEAKERS),
        ),
        Default(channels=128, states=8, blocks=1, taps=4, recipe=Recipe(epochs=20, batch=32, label_smoothing=0.05)),
    ),
    "eeg": Default(
        channels=64, states=8, blocks=1, taps=4, recipe=Recipe(epochs=20, batch=128, balance=0.7), score="macro_f1"
    ),
    "ptbxl": Default(channels=64, states=16, blocks=1, taps=4, recipe=Recipe(epochs=20, batch=64)),
    "psmnist": Default(channels=64, states=16, blocks=1, taps=4, recipe=Recipe(epochs=10, batch=64)),
    # language: the shape of the table in docs/decisions/0010-depth.md, rate and readout of docs/tasks.md, Language
    "language": Default(
        channels=128,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=3, batch=16, learning_rate=2.4e-2, augment_gain=0.0, augment_noise=0.0),
        encoder="token",
        norm=True,
        readout_decay=0.05,
    ),
    "own": Default(
        channels=64, states=8, blocks=1, taps=4, recipe=Recipe(epochs=100, label_smoothing=0.05, patience=30)
    ),
}

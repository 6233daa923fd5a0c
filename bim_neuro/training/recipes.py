"""The default model and training recipe of each task, with their source."""

from __future__ import annotations

from dataclasses import dataclass

from .. import arguments
from .trainer import Recipe

ENCODERS = ("graded", "delta")
"""Those that can be fitted to data."""


SHAPE = ("channels", "states", "blocks", "taps", "skips", "thresholds", "leaks", "norm")
"""Fields of a `Default` that are fields of a `NetworkConfig`."""


@dataclass(frozen=True)
class Default:
    """A task's default ``encoder``, network shape and ``recipe``; ``score`` names what early stopping watches."""

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

    def __post_init__(self) -> None:
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
    "cue": Default(
        channels=32,
        states=8,
        blocks=1,
        taps=4,
        recipe=Recipe(epochs=4, batch=32, learning_rate=1e-2, augment_gain=0.0, augment_noise=0.0, patience=4),
    ),
    # bonn and psmnist: small shapes that train in minutes; no search was made
    **dict.fromkeys(
        ("bonn", "bonn-bands", "bonn-sets"),
        Default(channels=32, states=8, blocks=1, taps=4, recipe=Recipe(epochs=40, batch=32, label_smoothing=0.05)),
    ),
    "psmnist": Default(channels=64, states=16, blocks=1, taps=4, recipe=Recipe(epochs=10, batch=64)),
    "own": Default(
        channels=64, states=8, blocks=1, taps=4, recipe=Recipe(epochs=100, label_smoothing=0.05, patience=30)
    ),
}

"""What a run was asked for and made of, as summary.json says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Count, Some


@dataclass(frozen=True)
class Hashes:
    """SHA-256, in hexadecimal digits."""

    model: Annotated[str | None, "The model's file; null where it has gone meanwhile."]
    input: Annotated[str, "The samples that were run, and their labels."]
    target: Annotated[str, "Every number of the hardware profile."]


@dataclass(frozen=True)
class Asked:
    """All that was asked for and read, so that runs can be held against each other and made again."""

    options: Annotated[
        dict[str, str | int | float | bool | None],
        "Every option as it was understood, defaults too; null where nothing was given.",
    ]
    hashes: Annotated[Hashes, "What was read."]
    seeds: Annotated[dict[str, int | None], "Of the placement and of what learns; null where nothing does."]
    versions: Annotated[dict[str, str], "Of what took part."]


@dataclass(frozen=True)
class Sequences:
    """Which sequences were run (docs/inputs.md)."""

    origin: Annotated[str, "The same as input: the split and the file, or the task."]
    split: Annotated[Literal["train", "validation", "test", "all"] | None, "Null where there are no splits."]
    samples: Annotated[Some, "Samples of the run."]
    of: Annotated[Some, "Samples of the split, or of the file."]
    seen_in_training: Annotated[
        Count | None, "Samples of the run that are in the model's train or validation split; null where not known."
    ]
    layout: Annotated[Literal["BTC", "TBC"] | None, "How the file was read; TBC is time first."]
    notes: Annotated[tuple[str, ...], "How the file was read, in words."]

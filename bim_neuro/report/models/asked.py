"""The request and inputs of a run in summary.json."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from .parts import Count, Some


@dataclass(frozen=True)
class Hashes:
    """SHA-256, in hexadecimal digits."""

    model: Annotated[str | None, "The model's file; null if it no longer exists."]
    input: Annotated[str, "The samples that were run, and their labels."]
    target: Annotated[str, "Every number of the hardware profile."]


@dataclass(frozen=True)
class Asked:
    """Everything requested and read, so that runs can be compared and repeated."""

    options: Annotated[
        dict[str, str | int | float | bool | None],
        "Every option as interpreted, defaults included; null if not given.",
    ]
    hashes: Annotated[Hashes, "Hashes of the inputs."]
    seeds: Annotated[dict[str, int | None], "Seeds of the placement and of learning; null if nothing learns."]
    versions: Annotated[dict[str, str], "Versions of the packages used."]


@dataclass(frozen=True)
class Sequences:
    """The sequences that were run (docs/inputs.md)."""

    origin: Annotated[str, "The same as input: the split and the file, or the task."]
    split: Annotated[Literal["train", "validation", "test", "all"] | None, "Null if there are no splits."]
    samples: Annotated[Some, "Samples of the run."]
    of: Annotated[Some, "Samples of the split, or of the file."]
    seen_in_training: Annotated[
        Count | None, "Samples of the run that are in the model's train or validation split; null where not known."
    ]
    layout: Annotated[
        Literal["BTC", "TBC", "BTCL", "TBCL", "BTCHW", "TBCHW"] | None, "How the file was read; T first is time first."
    ]
    notes: Annotated[tuple[str, ...], "How the file was read, in words."]

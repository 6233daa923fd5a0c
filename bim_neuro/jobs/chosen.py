"""Sequences as requested and as selected, with their origin and notes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import Finding, InputError
from ..nodes.arithmetic import Array
from ..tasks import Dataset


@dataclass(frozen=True)
class Wanted:
    """The request: files, a split, and how much of it; None if not given."""

    input: Path | None = None
    data: Path | None = None  # recordings of the model's own task
    learn_test: Path | None = None
    split: str | None = None
    layout: str | None = None
    samples: int | None = None
    steps: int | None = None
    events: Mapping[str, str] = field(default_factory=dict)  # fields of tasks.ModelInput that were given


@dataclass(frozen=True, eq=False)
class Chosen:
    """Sequences, their origin, and notes on them.

    ``hashes`` are those of the samples as they lie in their file, ``hits`` says which of them took part in training,
    None where that is not known; ``whole`` counts what they were chosen from, ``named`` says that the user
    chose the split. ``aside`` are samples of another split and their origin, to measure ranges on; ``why`` says why the
    layout was taken.
    """

    data: Dataset
    origin: str
    hashes: Array
    split: str | None = None
    named: bool = False
    whole: int = 0
    hits: Array | None = None
    layout: str | None = None
    why: str = ""
    aside: tuple[Array, str] | None = None
    notes: tuple[str, ...] = ()
    odd: tuple[Finding, ...] = ()

    @property
    def measuring(self) -> tuple[Array, str]:
        """Return the samples to measure ranges on, and their origin: not those of the run, where there are others."""
        return self.aside or (self.data.x, self.origin)

    @property
    def seen(self) -> int | None:
        """How many of the samples were seen in training."""
        return None if self.hits is None else int(self.hits.sum())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Warnings about numbers measured on these sequences."""
        return self.odd if self.named or not self.seen else (*self.odd, _seen(self))

    def first(self, samples: int | None) -> Chosen:
        """Keep the first samples; all of them with None."""
        hits = None if self.hits is None else self.hits[:samples]
        return replace(self, data=self.data.take(slice(samples)), hashes=self.hashes[:samples], hits=hits)

    @property
    def about(self) -> dict[str, Any]:
        """Their entry in summary.json."""
        return {
            "origin": self.origin,
            "split": self.split,
            "samples": len(self.data),
            "of": self.whole,
            "seen_in_training": self.seen,
            "layout": self.layout,
            "notes": list(self.notes),
        }


@dataclass(frozen=True, eq=False)
class LearningStream:
    """The sequences a model learns on, and those it is tested on before and after; the first test is the main one."""

    stream: Chosen
    tests: Mapping[str, Chosen] = field(default_factory=dict)

    @property
    def main(self) -> Chosen:
        return next(iter(self.tests.values()))


def _seen(chosen: Chosen) -> Finding:
    share = f"{chosen.seen:,} of {len(chosen.data):,} samples of {chosen.origin}"
    message = f"{share} were seen in training: accuracy on them says nothing about new samples"
    hint = "run it on unseen samples, for example --split test of the file it was trained on"
    return Finding("seen-in-training", "input", message, chosen.seen, 0, hint, "warning")


def classes_of_stream(stream: Dataset) -> Array:
    """Return the class of each sample of a learning stream."""
    if stream.y is None:
        raise InputError("the learning stream has no labels", "give y (samples,) in the .npz")
    return classes_of(stream)


def classes_of(data: Dataset) -> Array:
    """Return the labels; the rules on the chip are given one error a sample, at its end."""
    if data.y is None or data.y.ndim > 1 or data.lengths is not None:
        asked = "sequences of several lengths" if data.lengths is not None else "a row of labels a sample"
        raise InputError(
            f"on-chip learning knows one class a sequence, these samples have {asked}", "leave out --learn"
        )
    return data.y

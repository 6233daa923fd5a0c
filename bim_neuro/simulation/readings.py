"""The readout of a run as it passes: what it holds at each step of a sample, given to whoever reads the answers."""

from __future__ import annotations

from dataclasses import dataclass

from ..nodes.arithmetic import Array
from ..tasks.answers import Answers


@dataclass(frozen=True)
class Readings:
    """A watch (`simulate`) of the node ``output``; the first sample of the run is number ``first`` of the answers.

    Phases count from a sample's first step, whenever it reaches the node; those after its ``steps`` are not read.
    """

    output: str
    answers: Answers
    steps: int
    first: int = 0

    def __call__(self, samples: slice, name: str, phase: int, values: dict[str, Array]) -> None:
        """Take a window of phases."""
        if name == self.output and phase < self.steps:
            self.answers.add(self.first + samples.start, phase, values["message"][:, : self.steps - phase])

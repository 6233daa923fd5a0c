"""Excerpts: some samples of a program run once more, probed, for the pictures of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from .nodes.arithmetic import Array
from .record import RunRecord
from .simulation.probes import Probe


class Plays(Protocol):
    """What runs the integers and the float law: a `Program`."""

    def excerpt(self, raw: Array, samples: Sequence[int], backend: str) -> RunRecord: ...

    def run(self, raw: Array, *, backend: str, probe: Probe) -> RunRecord: ...

    def run_float(self, raw: Array, probe: Probe) -> RunRecord: ...


@dataclass(frozen=True)
class Excerpts:
    """Samples of ``raw`` (samples, steps, channels), run once more on a backend."""

    program: Plays
    raw: Array
    backend: str = "engine"

    def messages(self, samples: Sequence[int]) -> RunRecord:
        """Run the first steps of some samples with all their messages."""
        return self.program.excerpt(self.raw, samples, self.backend)

    def whole(self, sample: int, steps: int) -> tuple[RunRecord, RunRecord]:
        """Run the first steps of a sample in the float law and in integers, with all messages and states."""
        raw = self.raw[sample : sample + 1, :steps]
        return self.program.run_float(raw, True), self.program.run(raw, backend=self.backend, probe=True)

"""Run record: events of a run, counted per layer and step, with messages and states if asked for."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Annotated, Any

import numpy as np

from .nodes import InputSeen
from .nodes.arithmetic import Array
from .printable import counted, plain
from .shapes import Int, Real


@dataclass
class LayerCount:
    """Counts of one layer, each (period,), summed over samples.

    ``synops_hardware`` counts zeros in a dense list too; ``messages`` are graded messages or spikes sent.
    """

    synops_hardware: Annotated[Array, Int("period")]
    synops_effective: Annotated[Array, Int("period")]
    updates: Annotated[Array, Int("period")]
    messages: Annotated[Array, Int("period")]
    saturations: Annotated[Array, Int("period")]

    def __repr__(self) -> str:
        return f"<LayerCount of {counted(len(self.updates), 'step')}: {self.totals()}>"

    @classmethod
    def zeros(cls, period: int) -> LayerCount:
        return cls(*(np.zeros(period, dtype=np.int64) for _ in fields(cls)))

    def totals(self) -> dict[str, int]:
        return {field.name: int(getattr(self, field.name).sum()) for field in fields(self)}


@dataclass
class RunRecord:
    """One run of ``samples`` sequences, each ``period`` steps on the chip.

    ``output`` (samples, neurons) is the output node's message summed over the sample's ``steps``; ``probes`` holds
    arrays (samples, period, ...) keyed 'layer.message' or 'layer.<state>'. ``learning_updates`` counts, for each layer
    that learned on the chip, the plastic synapses visited in its learning epochs. ``seen`` is what the
    encoder met, where raw sequences were run.
    """

    backend: str
    samples: int
    steps: int
    period: int
    layers: dict[str, LayerCount]
    output: Annotated[Array, Real("samples neurons")]
    probes: dict[str, Annotated[Array, Real("samples period ...")]] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    learning_updates: dict[str, int] = field(default_factory=dict)
    seen: InputSeen | None = None

    def __repr__(self) -> str:
        ran = f"{counted(self.samples, 'sample')} of {counted(self.steps, 'step')}"
        return f"<RunRecord of {ran}, {plain(self.backend)}: {', '.join(map(plain, self.layers))}>"

    @property
    def predicted(self) -> Array:
        """Return the class with the largest summed output, (samples,)."""
        return np.asarray(self.output.argmax(axis=1))


def merge(parts: list[RunRecord]) -> RunRecord:
    """Join the records of consecutive batches."""
    first = parts[0]
    layers = {
        name: LayerCount(*(sum(getattr(p.layers[name], f.name) for p in parts) for f in fields(LayerCount)))
        for name in first.layers
    }
    probes = {key: np.concatenate([part.probes[key] for part in parts]) for key in first.probes}
    output = np.concatenate([part.output for part in parts])
    samples = sum(part.samples for part in parts)
    learned = {name: sum(part.learning_updates.get(name, 0) for part in parts) for name in first.learning_updates}
    met = [part.seen for part in parts if part.seen]
    seen = sum(met[1:], met[0]) if len(met) == len(parts) else None
    extra = first.extra
    return RunRecord(first.backend, samples, first.steps, first.period, layers, output, probes, extra, learned, seen)

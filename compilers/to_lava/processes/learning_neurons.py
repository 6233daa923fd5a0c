"""Processes with learning outputs: the neurons behind LearningDense that send y1 to y3 themselves.

Each has its neuron (a frozen dataclass of `bim_neuro.plasticity.learning_engine.neurons`); its model in
learning_neuron_models.py calls the neuron's law. Lava's own LearningLIF never sends on its learning ports: the run
would hang.
"""

from __future__ import annotations

from dataclasses import dataclass

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess

from bim_neuro.plasticity.learning_engine.neurons import ErrorNeuron, PlasticLIF, PostNeuron, SelectiveChannel


@dataclass(frozen=True)
class Rest:
    """A neuron is reset every ``period`` steps; after ``active`` steps it is silent and sends ``held`` as y1 to y3."""

    active: int
    period: int
    held: tuple[int, int, int]


class _PostProcess(AbstractProcess):
    """Input ports named after the neuron's, ``s_out`` for its message, ``y1_out`` to ``y3_out`` for the engine."""

    def __init__(self, neuron: PostNeuron, rest: Rest | None = None) -> None:
        super().__init__(neuron=neuron, rest=rest)
        for port, width in neuron.ports.items():
            setattr(self, f"{port.lower()}_in", InPort(shape=(width,)))
        for name in ("s_out", "y1_out", "y2_out", "y3_out"):
            setattr(self, name, OutPort(shape=(neuron.neurons,)))


class PlasticLIFProcess(_PostProcess):
    """A LIF with pseudo-derivative and signal."""

    def __init__(self, neuron: PlasticLIF, rest: Rest | None = None) -> None:
        super().__init__(neuron, rest)


class SelectiveChannelProcess(_PostProcess):
    """Scan and soma of one state a channel, with immediate term, decay and signal."""

    def __init__(self, neuron: SelectiveChannel, rest: Rest | None = None) -> None:
        super().__init__(neuron, rest)


class ErrorNeuronProcess(_PostProcess):
    """The readout and its error."""

    def __init__(self, neuron: ErrorNeuron, rest: Rest | None = None) -> None:
        super().__init__(neuron, rest)

"""Processes that Lava does not ship: relay, selective scan, leaky readout, switch neuron, and two recorders.

A process has its node (a frozen dataclass of `bim_neuro.nodes`) and its window; its model in models.py calls the node's
integer law, so that there is only one law.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort, RefPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from bim_neuro.compilers.to_lava.window import SampleWindow
from bim_neuro.nodes import IntegerCuba, IntegerReadout, IntegerRelay, IntegerScan


class RelayProcess(AbstractProcess):
    """``s_out`` = rescaled ``a_in`` (rule N8)."""

    def __init__(self, node: IntegerRelay, window: SampleWindow, name: str = "") -> None:
        super().__init__(node=node, window=window, name=name)
        self.a_in = InPort(shape=(node.neurons,))
        self.s_out = OutPort(shape=(node.neurons,))


class SelectiveScan(AbstractProcess):
    """D channels of N states ``h``, gated by their input (rule N9)."""

    def __init__(self, node: IntegerScan, window: SampleWindow, name: str = "") -> None:
        super().__init__(node=node, window=window, name=name)
        channels, states = node.alpha.shape
        self.u_in = InPort(shape=(channels,))
        self.dt_in = InPort(shape=(channels,))
        self.b_in = InPort(shape=(states,))
        self.c_in = InPort(shape=(states,))
        self.s_out = OutPort(shape=(channels,))
        self.h = Var(shape=(channels, states), init=0)


class LeakyReadout(AbstractProcess):
    """One leaky integrator ``v`` per class (rule N10)."""

    def __init__(self, node: IntegerReadout, window: SampleWindow, name: str = "") -> None:
        super().__init__(node=node, window=window, name=name)
        self.a_in = InPort(shape=(node.neurons,))
        self.s_out = OutPort(shape=(node.neurons,))
        self.v = Var(shape=(node.neurons,), init=0)


class SwitchNeuron(AbstractProcess):
    """Neurons with numbers of their own and any reset (rule N24); ``high_in`` is read by wide ones alone."""

    def __init__(self, node: IntegerCuba, window: SampleWindow, name: str = "") -> None:
        super().__init__(node=node, window=window, name=name)
        self.a_in = InPort(shape=(node.neurons,))
        self.high_in = InPort(shape=(node.neurons,))
        self.s_out = OutPort(shape=(node.neurons,))
        for state in ("u", "v", "n"):
            setattr(self, state, Var(shape=(node.neurons,), init=0))


class MessageRecorder(AbstractProcess):
    """Write every message on ``a_in`` to a .npy file, (steps, neurons); Lava's own sink returns value by value."""

    def __init__(self, shape: tuple[int, ...], file: Path, steps: int) -> None:
        super().__init__(file=str(file))
        self.a_in = InPort(shape=shape)
        np.lib.format.open_memmap(file, mode="w+", dtype=np.int32, shape=(steps, *shape)).flush()


class StateRecorder(AbstractProcess):
    """Write a state variable, after every step, to a .npy file, (steps, ...)."""

    def __init__(self, state: Var, file: Path, steps: int) -> None:
        super().__init__(file=str(file))
        self.state = RefPort(shape=state.shape)
        self.state.connect_var(state)
        np.lib.format.open_memmap(file, mode="w+", dtype=np.int32, shape=(steps, *state.shape)).flush()

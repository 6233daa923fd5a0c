"""The trace process as a Lava process: it listens to what the selective scan hears, and to what the block reads."""

from __future__ import annotations

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from bim_neuro.compilers.to_lava.window import Window
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.trace_process import TraceProcess


class TraceWords(AbstractProcess):
    """Every trace word of one block as a variable, 's_dt' for S.dt (rule N21); ``s_out`` are the spikes it follows.

    ``omega`` (T,) is what a spike of each step counts in the readout; x has ``inputs`` lines.
    """

    def __init__(self, law: TraceProcess, omega: Array, inputs: int, window: Window, name: str = "") -> None:
        super().__init__(law=law, omega=omega, inputs=inputs, window=window, name=name)
        channels, states = law.scan.alpha.shape
        self.u_in = InPort(shape=(channels,))
        self.dt_in = InPort(shape=(channels,))
        self.b_in = InPort(shape=(states,))
        self.c_in = InPort(shape=(states,))
        self.x_in = InPort(shape=(inputs,))
        self.s_out = OutPort(shape=(channels,))
        for trace, shape in law.shapes(inputs).items():
            setattr(self, variable(trace), Var(shape=shape, init=0))


def variable(trace: str) -> str:
    """Return the name of a trace's variable."""
    return trace.replace(".", "_").lower()

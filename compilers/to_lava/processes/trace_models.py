"""How Lava's CPU runs the trace process: receive, call its integer law, keep the words."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from bim_neuro.compilers.to_lava.processes.models import loud
from bim_neuro.compilers.to_lava.processes.trace_process import TraceWords, variable
from bim_neuro.plasticity.trace_process import NAMES

_PORTS = {"u": "u_in", "dt": "dt_in", "B": "b_in", "C": "c_in", "x": "x_in"}


@implements(proc=TraceWords, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTraceWords(PyLoihiProcessModel):
    """Traces begin at 0 with every sample and stay as they are after it; noise is numbered over all samples."""

    u_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    dt_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    b_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    x_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    s_dt: np.ndarray = LavaPyType(np.ndarray, np.int32)
    v_dt: np.ndarray = LavaPyType(np.ndarray, np.int32)
    r_dt: np.ndarray = LavaPyType(np.ndarray, np.int32)
    s_u: np.ndarray = LavaPyType(np.ndarray, np.int32)
    v_u: np.ndarray = LavaPyType(np.ndarray, np.int32)
    r_u: np.ndarray = LavaPyType(np.ndarray, np.int32)
    s_b: np.ndarray = LavaPyType(np.ndarray, np.int32)
    v_b: np.ndarray = LavaPyType(np.ndarray, np.int32)
    r_b: np.ndarray = LavaPyType(np.ndarray, np.int32)
    v_c: np.ndarray = LavaPyType(np.ndarray, np.int32)
    r_c: np.ndarray = LavaPyType(np.ndarray, np.int32)
    r_o: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.law, self.omega = proc_params["law"], proc_params["omega"]
        self.inputs, self.window = proc_params["inputs"], proc_params["window"]
        self.state = self.law.initial(self.inputs)

    @loud
    def run_spk(self) -> None:
        inputs = {port: getattr(self, name).recv().astype(np.int64) for port, name in _PORTS.items()}
        phase, spikes = self.window.phase(self.time_step), np.zeros(self.law.channels, np.int64)
        if phase == 0:
            self.state = self.law.initial(self.inputs)
        if 0 <= phase < self.window.steps:
            step = self.window.sample(self.time_step) * self.window.steps + phase
            self.state = self.law.step(self.state, inputs, int(self.omega[phase]), step << 28)
            spikes = self.state["s"]
        for name in NAMES:
            getattr(self, variable(name))[:] = self.state[name]
        self.s_out.send(spikes.astype(np.int32))

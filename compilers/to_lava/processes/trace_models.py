"""CPU models of trace process, teacher and plastic synapses: receive, call the integer law, send."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from bim_neuro.compilers.to_lava.processes.models import loud
from bim_neuro.compilers.to_lava.processes.traces import PlasticDense, Teacher, TraceWords, variable
from bim_neuro.plasticity.record import LearnRecord
from bim_neuro.plasticity.trace_process.law import NAMES
from bim_neuro.plasticity.trace_process.learner import Heard
from bim_neuro.plasticity.trace_process.parameters import EachTrace

_PORTS = {"u": "u_in", "dt": "dt_in", "B": "b_in", "C": "c_in", "x": "x_in"}


class _TraceModel(PyLoihiProcessModel):
    """Traces start at 0 in every sample and are held after it; noise is numbered over all samples."""

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

    def advance(self) -> None:
        """Advance the traces by one step."""
        inputs = {port: getattr(self, name).recv().astype(np.int64) for port, name in _PORTS.items()}
        phase, spikes = self.window.phase(self.time_step), np.zeros(self.law.channels, np.int64)
        if phase == 0:
            self.state = self.law.initial(self.inputs)
        if 0 <= phase < self.window.steps:
            step = self.window.sample(self.time_step) * self.window.steps + phase
            self.state = self.law.step(self.state, inputs, int(self.omega[phase]), step << 28)
            spikes = self.state["s"]
            self.note(inputs["x"])
        for name in NAMES:
            getattr(self, variable(name))[:] = self.state[name]
        self.s_out.send(spikes.astype(np.int32))

    def note(self, x: np.ndarray) -> None:
        """Called in every step of a sample; `PyTeacher` records it."""


@implements(proc=TraceWords, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTraceWords(_TraceModel):
    @loud
    def run_spk(self) -> None:
        self.advance()


@implements(proc=Teacher, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyTeacher(_TraceModel):
    answer_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    dw_u_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    dw_dt_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    dw_b_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    dw_c_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    dw_o_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.learner, self.targets, self.answers = (proc_params[key] for key in ("learner", "targets", "answers"))
        self.output = np.zeros(len(self.learner.weights["w_o"]), np.int64)
        self.rows: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def note(self, x: np.ndarray) -> None:
        """Record the step's input, spikes and psi: spike pairs are formed from them at the end of the sample."""
        self.rows.append((x, self.state["s"], self.state["psi"]))

    @loud
    def run_spk(self) -> None:
        self.advance()
        self.output += self.answer_in.recv()
        before = {group: weight.copy() for group, weight in self.learner.weights.items()}
        phase = self.answers.phase(self.time_step)
        if phase == self.answers.steps - 1:
            self.teach(self.answers.sample(self.time_step))
        for group, weight in self.learner.weights.items():
            getattr(self, f"d{group}_out").send((weight - before[group]).astype(np.int32))

    def teach(self, sample: int) -> None:
        """Update the weights from the traces, write both to a file, and reset the sum of the answer."""
        traces = {name: self.state[name] for name in NAMES}
        x, spikes, psis = (np.stack(row) for row in zip(*self.rows, strict=True))
        heard = Heard(x, spikes, psis, self.output)
        target = int(self.targets[sample])
        self.learner.take(EachTrace(*traces.values()), heard, target, LearnRecord(np.zeros(0, bool)))
        found = {**traces, "spikes": heard.spikes, "output": heard.output, **self.learner.weights}
        np.savez(self.proc_params["folder"] / f"lesson{sample}.npz", **found)
        self.rows = []
        self.output[:] = 0


@implements(proc=PlasticDense, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPlasticDense(PyLoihiProcessModel):
    """Dense with changing weights. It sends before it receives, because the teacher waits for what it sends."""

    s_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    dw_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    a_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    weights: np.ndarray = LavaPyType(np.ndarray, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.waiting: deque[Any] = deque([0] * (proc_params["delay"] + 1))

    @loud
    def run_spk(self) -> None:
        self.a_out.send(np.zeros(len(self.weights), np.int32) + self.waiting.popleft())
        message = self.s_in.recv()
        self.waiting.append((self.weights @ message).astype(np.int32))
        self.weights += self.dw_in.recv()

"""CPU models of our processes: receive, call the node's integer law, send."""

from __future__ import annotations

import functools
import os
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort, PyRefPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from bim_neuro.compilers.to_lava.processes.process import (
    LeakyReadout,
    MessageRecorder,
    RelayProcess,
    SelectiveScan,
    StateRecorder,
    SwitchNeuron,
)

FAILURE_FILE = "BIM_NEURO_LAVA_FAILURE_FILE"  # names the file in which the parent looks for a model's traceback


def loud(run: Callable[[Any], None]) -> Callable[[Any], None]:
    """Report an exception in a model: Lava itself would hang without a message."""

    @functools.wraps(run)
    def wrapped(self: Any) -> None:
        try:
            run(self)
        except Exception:
            if FAILURE_FILE in os.environ:
                Path(os.environ[FAILURE_FILE]).write_text(traceback.format_exc())
            traceback.print_exc()
            raise

    return wrapped


class _WindowedModel(PyLoihiProcessModel):
    """Run the node's law inside a sample's window; outside it, send 0 and reset the state."""

    receives: dict[str, str]  # port of the node -> attribute of the model
    states: tuple[str, ...] = ()

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.node, self.window = proc_params["node"], proc_params["window"]
        self.state = self.node.initial(())

    @loud
    def run_spk(self) -> None:
        inputs = {port: getattr(self, name).recv().astype(np.int64) for port, name in self.receives.items()}
        phase = self.window.phase(self.time_step)
        active = 0 <= phase < self.window.steps
        if phase == 0 or not active:
            self.state = self.node.initial(())
        message = np.zeros(self.node.neurons, dtype=np.int64)
        if active:
            self.state, message, _ = self.node.step(self.state, inputs)
        for name in self.states:
            getattr(self, name)[:] = self.state[name]
        self.s_out.send(message.astype(np.int32))


@implements(proc=RelayProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyRelay(_WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    receives = {"a": "a_in"}


@implements(proc=SelectiveScan, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySelectiveScan(_WindowedModel):
    u_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    dt_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    b_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    h: np.ndarray = LavaPyType(np.ndarray, np.int32)
    receives = {"u": "u_in", "dt": "dt_in", "B": "b_in", "C": "c_in"}
    states = ("h",)


@implements(proc=LeakyReadout, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyLeakyReadout(_WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32)
    receives = {"a": "a_in"}
    states = ("v",)


@implements(proc=SwitchNeuron, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySwitchNeuron(_WindowedModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    high_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    u: np.ndarray = LavaPyType(np.ndarray, np.int32)
    v: np.ndarray = LavaPyType(np.ndarray, np.int32)
    n: np.ndarray = LavaPyType(np.ndarray, np.int32)
    receives = {"a": "a_in", "high": "high_in"}
    states = ("u", "v", "n")


class _Recording(PyLoihiProcessModel):
    """Write the step's row to the .npy file that the process made."""

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.rows: Any = None
        self.file = proc_params["file"]

    def write(self, row: np.ndarray) -> None:
        if self.rows is None:
            self.rows = np.lib.format.open_memmap(self.file, mode="r+")
        self.rows[self.time_step - 1] = row


@implements(proc=MessageRecorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyMessageRecorder(_Recording):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

    @loud
    def run_spk(self) -> None:
        self.write(self.a_in.recv())


@implements(proc=StateRecorder, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyStateRecorder(_Recording):
    state: PyRefPort = LavaPyType(PyRefPort.VEC_DENSE, np.int32)

    def run_spk(self) -> None:
        pass

    def post_guard(self) -> bool:
        return True

    @loud
    def run_post_mgmt(self) -> None:
        self.write(self.state.read())

"""CPU models of the neurons with learning outputs: receive, call the neuron's integer law, send."""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.resources import CPU
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

from bim_neuro.compilers.to_lava.processes.learning_neurons import (
    ErrorNeuronProcess,
    PlasticLIFProcess,
    Rest,
    SelectiveChannelProcess,
)
from bim_neuro.compilers.to_lava.processes.models import loud
from bim_neuro.plasticity.learning_engine.neurons import Emission, PostNeuron


class _PostModel(PyLoihiProcessModel):
    """Step the neuron's law."""

    s_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y1_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y2_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    y3_out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)

    def __init__(self, proc_params: Any) -> None:
        super().__init__(proc_params)
        self.neuron: PostNeuron = proc_params["neuron"]
        self.rest: Rest | None = proc_params["rest"]
        self.state = self.neuron.initial()

    @loud
    def run_spk(self) -> None:
        inputs = {port: getattr(self, f"{port.lower()}_in").recv().astype(np.int64) for port in self.neuron.ports}
        emitted = self.advance(inputs)
        self.state = emitted.state
        self.s_out.send(emitted.message.astype(np.int32))
        for port, values in zip((self.y1_out, self.y2_out, self.y3_out), emitted.y, strict=True):
            port.send(values.astype(np.int32))

    def advance(self, inputs: dict[str, np.ndarray]) -> Emission:
        """Step the law; between samples send no spikes."""
        t = self.time_step - 1
        if self.rest is None:
            return self.neuron.step(self.state, inputs, t)
        sample, phase = divmod(t, self.rest.period)
        if phase == 0:
            self.state = self.neuron.initial()
        if phase < self.rest.active:
            return self.neuron.step(self.state, inputs, sample * self.rest.active + phase)
        held = np.repeat(np.array(self.rest.held)[:, None], self.neuron.neurons, axis=1)
        return Emission(self.state, np.zeros(self.neuron.neurons, np.int64), held)


@implements(proc=PlasticLIFProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyPlasticLIF(_PostModel):
    i_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    e_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=SelectiveChannelProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PySelectiveChannel(_PostModel):
    u_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    dt_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    b_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    c_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    e_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)


@implements(proc=ErrorNeuronProcess, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class PyErrorNeuron(_PostModel):
    a_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    target_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    gate_in: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)

"""Learning by traces as Lava processes: the traces of a block, a teacher, and dense synapses that receive updates.

The traces receive the inputs of the selective scan and of the block.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.process.variable import Var

from bim_neuro.compilers.to_lava.window import SampleWindow
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.trace_process.law import TraceProcess
from bim_neuro.plasticity.trace_process.learner import TraceLearner


class TraceWords(AbstractProcess):
    """Every trace of one block as a variable, 's_dt' for S.dt (rule N21); ``s_out`` are the block's spikes, recomputed.

    ``omega`` (T,) is the weight of a spike of each step in the readout; x has ``inputs`` lines.
    """

    def __init__(self, law: TraceProcess, omega: Array, inputs: int, window: SampleWindow, **more: Any) -> None:
        super().__init__(law=law, omega=omega, inputs=inputs, window=window, **more)
        channels, states = law.scan.alpha.shape
        self.u_in = InPort(shape=(channels,))
        self.dt_in = InPort(shape=(channels,))
        self.b_in = InPort(shape=(states,))
        self.c_in = InPort(shape=(states,))
        self.x_in = InPort(shape=(inputs,))
        self.s_out = OutPort(shape=(channels,))
        for trace, shape in law.shapes(inputs).items():
            setattr(self, variable(trace), Var(shape=shape, init=0))


class Teacher(TraceWords):
    """Traces with an input from the readout; after each sample it sends every plastic synapse its update (rule N22).

    ``learner`` has its rates; ``targets`` is the class of each sample; ``answers`` the window of the readout. The
    values of each update, and the weights after it, are written to ``folder``, one file per sample.
    """

    def __init__(
        self, learner: TraceLearner, targets: Array, window: SampleWindow, answers: SampleWindow, folder: Path
    ) -> None:
        weights = learner.weights
        block, inputs = learner.block, weights["w_u"].shape[1]
        more = {"learner": learner, "targets": targets, "answers": answers, "folder": folder}
        super().__init__(block.process, block.omega, inputs, window, **more)
        self.answer_in = InPort(shape=(len(weights["w_o"]),))
        for group, weight in weights.items():
            setattr(self, f"d{group}_out", OutPort(shape=weight.shape))


class PlasticDense(AbstractProcess):
    """``a_out`` = weights @ s_in, 1 + ``delay`` steps later as in Lava's Dense; then ``dw_in`` is added to weights."""

    def __init__(self, weights: Array, delay: int) -> None:
        super().__init__(delay=delay)
        post, pre = weights.shape
        self.s_in = InPort(shape=(pre,))
        self.dw_in = InPort(shape=(post, pre))
        self.a_out = OutPort(shape=(post,))
        self.weights = Var(shape=(post, pre), init=weights)


def variable(trace: str) -> str:
    """Return the variable name of a trace."""
    return trace.replace(".", "_").lower()

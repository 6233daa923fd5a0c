"""Parts: Lava's own processes, made of plain numbers and arrays, and how they are joined.

`build` makes a program's processes with them, and the script of a board kit carries them as they stand here: nothing
in this file needs bim-neuro. Weights are passed doubled with ``weight_exp = -1``: Lava drops the lowest bit of
mixed-sign weights, so the effective weights are exactly our int8; its Conv takes them as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.graded.process import GradedReluVec, GradedVec
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIF, LIFReset
from lava.proc.prodneuron.process import ProdNeuron
from lava.proc.sparse.process import DelaySparse, Sparse
from lava.utils.weightutils import SignMode
from scipy.sparse import csr_matrix

Pair = tuple[int, int]


def play_input(x: np.ndarray, period: int, total: int) -> RingBuffer:
    """Send x (samples, steps, lines), a sample every ``period`` steps, and silence up to step ``total``."""
    samples, steps, lines = x.shape
    stream = np.zeros((samples, period, lines), dtype=np.int32)
    stream[:, :steps] = x
    padded = np.zeros((total, lines), dtype=np.int32)
    padded[: samples * period] = stream.reshape(-1, lines)
    return RingBuffer(data=padded.T.copy())


def lif(
    size: int, du: int, dv: int, v_threshold: int, bias_mant: np.ndarray, bias_exp: int, **reset: int
) -> LIF | LIFReset:
    """Make neurons; with ``reset_interval`` and ``reset_offset``, in steps, they start anew from time to time."""
    process = LIFReset if reset else LIF
    biases = {"bias_mant": bias_mant.astype(np.int32), "bias_exp": bias_exp}
    return process(shape=(size,), du=du, dv=dv, vth=v_threshold, **biases, **reset)


def graded(size: int, rectify: bool, v_threshold: int) -> AbstractProcess:
    """Make neurons that send what they read; rectified ones only what is above the threshold."""
    return (GradedReluVec if rectify else GradedVec)(shape=(size,), vth=v_threshold)


def product(size: int, shift: int, v_threshold: int) -> ProdNeuron:
    """Make neurons that send the product of what their two ports read."""
    return ProdNeuron(shape=(size,), vth=v_threshold, exp=shift)


def dense(weight: np.ndarray, delay: int, message_bits: int) -> AbstractProcess:
    """Connect all to all by ``weight`` (post, pre); a message takes 1 + ``delay`` steps."""
    common = _common(message_bits) | {"weights": 2 * weight.astype(np.int32)}
    return DelayDense(delays=np.full(weight.shape, delay), **common) if delay else Dense(**common)


def diagonal(weight: np.ndarray, delay: int, message_bits: int) -> AbstractProcess:
    """Connect one to one by ``weight`` (neurons,)."""
    lines = np.arange(len(weight))
    return sparse(weight, lines, np.arange(len(weight) + 1), len(weight), delay, message_bits)


def sparse(
    weight: np.ndarray,
    column: np.ndarray,
    start: np.ndarray,
    pre: int,
    delay: int,
    message_bits: int,
    exponent: int = 0,
) -> AbstractProcess:
    """Connect some to some: row r has ``weight[start[r] : start[r + 1]]`` at the same slice of ``column``.

    The sum of a row counts times 2^exponent.
    """
    weights = csr_matrix((2 * weight.astype(np.int32), column, start), shape=(len(start) - 1, pre))
    common = _common(message_bits) | {"weights": weights, "weight_exp": exponent - 1}
    if not delay:
        return Sparse(**common)
    delays = weights.copy()
    delays.data = np.full(weights.nnz, delay, dtype=int)
    return DelaySparse(delays=delays, **common)


def conv(
    weight: np.ndarray,
    grid: tuple[int, int, int],
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    groups: int,
    message_bits: int,
) -> Conv:
    """Convolve a ``grid`` of (channels, rows, columns) neurons; ``weight`` (out, in / groups, rows, columns).

    Lava turns its kernel round, and has columns before rows.
    """
    return Conv(
        weight=weight.astype(np.int32).transpose(0, 3, 2, 1)[:, ::-1, ::-1].copy(),
        input_shape=grid[::-1],
        padding=padding[::-1],
        stride=stride[::-1],
        dilation=dilation[::-1],
        groups=groups,
        num_message_bits=payload_bits(message_bits),
    )


def join(sent: OutPort, synapse: AbstractProcess, received: InPort) -> None:
    """Connect both ends; Lava's Conv counts its neurons by column, row, channel, all others by channel, row, column."""
    if not isinstance(synapse, Conv):
        sent.connect(synapse.s_in)
        synapse.a_out.connect(received)
        return
    columns, rows, channels = synapse.input_shape
    sent.reshape((channels, rows, columns)).transpose((2, 1, 0)).connect(synapse.s_in)
    synapse.a_out.transpose((2, 1, 0)).flatten().connect(received)


def _common(message_bits: int) -> dict[str, Any]:
    return {
        "weight_exp": -1,
        "num_weight_bits": 8,
        "sign_mode": SignMode.MIXED,
        "num_message_bits": payload_bits(message_bits),
    }


def payload_bits(message_bits: int) -> int:
    """Return Lava's word for the width of a message: 0 for a spike, which has none."""
    return 0 if message_bits == 1 else message_bits

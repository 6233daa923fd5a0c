r"""The pseudo-derivative of a spike, psi = (1 + far)^-2 in 16 bits, from tables with straight lines between.

    far = k |v - threshold| in units of 2^-12        k a unit of the membrane is psi_factor 2^-(12 + psi_shift)

`psi_near` has steps of 2^-4 and ends at far = 16, where psi is 0.0035: the learning engine gets 7 bits, so a smaller
psi would be 0. `psi_near_and_far` continues in steps of 1 to 256, because the trace process adds up many small ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..jit import kernel
from ..nodes.arithmetic import WORD_MAX, Array, interpolate, multiply_shift, saturate
from ..nodes.lif import ACCUMULATOR_SHIFT, DECAY_BITS, IntegerLIF
from ..nodes.node import State
from ..simulation.kernels.words import shift_towards_zero

_BITS = 8  # of a place between two entries of a table
_END = 256 << _BITS
_NEAR, _FAR = (np.rint((2**16 - 1) / (1 + np.arange(257) * step) ** 2).astype(np.int64) for step in (2.0**-4, 1.0))
_COARSER = 4  # a step of the far table is 2^4 of the near one


def distance(v: Array, v_threshold: int, factor: int, shift: int) -> Array:
    """Return far, from membranes v before the reset."""
    return multiply_shift(np.abs(v - (v_threshold << ACCUMULATOR_SHIFT)), factor, shift)


def psi_near(far: Array) -> Array:
    """Return psi; beyond 16 it keeps its value at 16."""
    return interpolate(_NEAR, np.minimum(far, _END - 1), _BITS)


def psi_near_and_far(far: Array) -> Array:
    """Return psi; beyond 256 it keeps its value at 256."""
    tail = interpolate(_FAR, np.minimum(far >> _COARSER, _END - 1), _BITS)
    return np.where(far < _END, psi_near(far), tail)


@kernel
def psi_word(v: int, v_threshold: int, factor: int, shift: int) -> int:
    """Return `psi_near_and_far` of one membrane."""
    far = shift_towards_zero(abs(v - (v_threshold << ACCUMULATOR_SHIFT)) * factor, shift)
    if far < _END:
        left, right = _NEAR[far >> _BITS], _NEAR[(far >> _BITS) + 1]
    else:
        far = min(far >> _COARSER, _END - 1)
        left, right = _FAR[far >> _BITS], _FAR[(far >> _BITS) + 1]
    return int(left + (((right - left) * (far & (2**_BITS - 1))) >> _BITS))


@dataclass(frozen=True)
class PsiLIF:
    """A LIF and its pseudo-derivative 1 / (1 + k |v - threshold|)^2 at the v before the reset.

    k a state unit is ``psi_factor`` 2^-(12 + ``psi_shift``).
    """

    lif: IntegerLIF
    psi_factor: int
    psi_shift: int

    def step(self, state: State, current: Array) -> tuple[State, Array, Array, int]:
        """Return the new state, spikes, the pseudo-derivative in 16 bits, and how many words saturated."""
        lif = self.lif
        after, spikes, lost = lif.step(state, {"i": current})
        leaked = multiply_shift(state["v"], 2**DECAY_BITS - lif.dv, DECAY_BITS)
        v, _ = saturate(leaked + after["u"] + lif.bias, WORD_MAX)
        return after, spikes, psi_near(distance(v, lif.v_threshold, self.psi_factor, self.psi_shift)), lost

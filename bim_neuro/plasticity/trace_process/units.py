"""Units of traces: the value of an LSB in each channel, chosen on samples."""

from __future__ import annotations

import numpy as np

from ...nodes.arithmetic import Array
from .block import CALIBRATION_BITS, PlasticBlock
from .law import NAMES
from .play import play_exact

FINER = {"S": 3, "V": 3, "R": 1}  # chosen on training samples of digits.pt (docs/onchip.md)


def calibrate_units(block: PlasticBlock, x: Array) -> dict[str, Array]:
    """N20. Return the units (D,) that keep every trace of these samples a factor of two inside its bits.

    x (samples, T, M) is what the block reads; the traces are exact here. A channel's unit is no more than `FINER` bits
    below that of the largest channel, as it may be larger in other samples; the traces of spikes (R.o) share one unit.
    """
    bits, exact = block.process.bits or CALIBRATION_BITS, block.process.exact()
    largest = {name: np.full(block.process.channels, 2.0**-16) for name in NAMES}
    for sample in x:
        played = play_exact(block, exact, block.weights(), sample)
        for name in NAMES:
            seen = played.traces[f"max {name}"].reshape(block.process.channels, -1).max(axis=1)
            largest[name] = np.maximum(largest[name], seen)
    units = {name: np.floor(np.log2(value)).astype(np.int64) + 2 - (bits - 1) for name, value in largest.items()}
    finer = {name: 0 if name == "R.o" else FINER[name[0]] for name in NAMES}
    return {name: np.maximum(unit, unit.max() - finer[name]) for name, unit in units.items()}

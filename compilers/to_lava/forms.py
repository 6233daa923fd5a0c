"""What Lava's processes call the ports and states of nodes, and which convolutions its Conv holds. Needs no Lava."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bim_neuro.nodes import Conv
from bim_neuro.nodes.arithmetic import WORD_MAX

PORTS = {"u": "u_in", "dt": "dt_in", "B": "b_in", "C": "c_in", "a": "a_in", "high": "high_in", "i": "a_in"}
PORTS |= {"a1": "a_in1", "a2": "a_in2"}
STATES = {"scan": ("h",), "lif": ("u", "v"), "cuba": ("u", "v", "n"), "readout": ("v",)}
_FIELD = 127  # the fields of Lava's Conv are int8


def fits_conv(conv: Conv, message_bits: int) -> bool:
    """Whether Lava's Conv, which pads both sides alike, has this geometry and no sum wraps beyond its 24 bits.

    The others become weights one by one.
    """
    top, _, left, _ = conv.padding
    even = min(top, left) >= 0 and replace(conv, padding=(top, top, left, left)).out == conv.out
    fields = (*conv.stride, *conv.dilation, conv.groups, top, left, *conv.weight.shape[2:])
    sums = np.abs(conv.weight.astype(np.int64)).sum(axis=(1, 2, 3))
    return even and max(fields) <= _FIELD and int(sums.max()) << (message_bits - 1) <= WORD_MAX

r"""Synapses: how the messages of one node become the accumulated input of another, one step later.

    dense        a[t] = W m[t - 1 - delay]             W (post, pre)
    sparse       a[t] = W m[t - 1 - delay]             only the weights that are not zero
    shifted      a[t] = sum_e (W_e m[t-1-delay]) 2^e   the same, with a power of two for each weight
    conv         a[t] = w * m[t - 1 - delay]           one kernel at every place of a grid
    diagonal     a[t] = w o m[t - 1 - delay]           one synapse a neuron: a tap of the causal conv
    broadcast    a[t] = m[t - 1 - delay]               every target neuron receives every message
    soma         a[t] = m[t]                           inside one microcode neuron, no synapse

The integer law (N11) is the float law on int8 weights; Lava's Dense, DelayDense and DelaySparse are the reference.
"""

from .broadcast import Broadcast
from .conv import Conv
from .dense import Dense
from .diagonal import Diagonal
from .shifted import Shifted, shifted_of
from .soma_wire import SomaWire
from .sparse import Sparse, sparse_of
from .synapse import WEIGHT_MAX, Synapse

WEIGHTED = (Dense, Diagonal, Sparse, Conv)
"""Synapses that have a ``weight`` to be rounded."""

__all__ = [
    "WEIGHTED",
    "WEIGHT_MAX",
    "Broadcast",
    "Conv",
    "Dense",
    "Diagonal",
    "Shifted",
    "SomaWire",
    "Sparse",
    "Synapse",
    "shifted_of",
    "sparse_of",
]

"""Netx: lava-dl's .net files, whose networks are integers already.

    layer/0/type, shape, neuron/..., weight, ...      HDF5, one group a layer, in the order in which they are read

`file` reads the layers, `weights` says what netx's synapses make of their numbers, `neurons` which of our nodes has
their law, and `read` joins them to a graph that is compiled without rounding: its program computes what
lava.lib.dl.netx computes, spike by spike. `write` writes a program that netx can express.
"""

from .read import read_net

__all__ = ["read_net"]

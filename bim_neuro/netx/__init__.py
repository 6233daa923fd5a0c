"""Netx: lava-dl's .net files, whose networks are integers already.

    layer/0/type, shape, neuron/..., weight, ...      HDF5, one group a layer, in the order in which they are read

`file` reads the layers, `weights` says what netx's synapses make of their numbers, `neurons` which of our nodes has
their law, and `read` joins them to a graph that is compiled without rounding: its program computes what
lava.lib.dl.netx computes, spike by spike. `express` turns a program into such layers, where they can hold it, and
`write` writes them.
"""

from .express import layers_of
from .read import read_net
from .write import as_net, write_net

__all__ = ["as_net", "layers_of", "read_net", "write_net"]

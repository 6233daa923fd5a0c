"""NIR: import from and export to other frameworks; the only package that imports nir.

A file we write has two layers:

    /node        the graph in standard NIR nodes with flat dotted names, for any tool (`standard`); what NIR
                 cannot say is one JSON text on the top graph, under the key 'bim_neuro' (`metadata`)
    /bim_neuro   an exact copy of the float graph, ignored by other tools (`exact`); we read it first

A file somebody else wrote is read by our own tolerant reader (`hdf5`), checked (`support`), and made a float
graph (`foreign`).
"""

from .foreign_file import ForeignFile, foreign_file
from .read import read_nir
from .write import unplayed, write_nir

__all__ = ["ForeignFile", "foreign_file", "read_nir", "unplayed", "write_nir"]

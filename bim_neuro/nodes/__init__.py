"""The node types: one per file, with its float law and its integer law."""

from .cuba import Cuba, IntegerCuba
from .fitting import Fit, fit, fit_encoder, measured
from .graded import Graded, IntegerGraded
from .lif import LIF, IntegerLIF
from .product import IntegerProd, Prod
from .readout import IntegerReadout, Readout
from .relay import IntegerRelay, Relay
from .scan import IntegerScan, Scan, ScanRange
from .source import Encoder, InputSeen, Source
from .synapses import Broadcast, Conv, Dense, Diagonal, Shifted, SomaWire, Sparse, Synapse

__all__ = [
    "LIF",
    "Broadcast",
    "Conv",
    "Cuba",
    "Dense",
    "Diagonal",
    "Encoder",
    "Fit",
    "Graded",
    "InputSeen",
    "IntegerCuba",
    "IntegerGraded",
    "IntegerLIF",
    "IntegerProd",
    "IntegerReadout",
    "IntegerRelay",
    "IntegerScan",
    "Prod",
    "Readout",
    "Relay",
    "Scan",
    "ScanRange",
    "Shifted",
    "SomaWire",
    "Source",
    "Sparse",
    "Synapse",
    "fit",
    "fit_encoder",
    "measured",
]

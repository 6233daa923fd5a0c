"""The node types: one per file, with its float law and its integer law."""

from .cuba import Cuba, IntegerCuba
from .fitting import Fit, fit, fit_encoder, measured
from .lif import LIF, IntegerLIF
from .readout import IntegerReadout, Readout
from .relay import IntegerRelay, Relay
from .scan import IntegerScan, Scan, ScanRange
from .source import Encoder, InputSeen, Source
from .synapses import Broadcast, Conv, Dense, Diagonal, SomaWire, Sparse, Synapse

__all__ = [
    "LIF",
    "Broadcast",
    "Conv",
    "Cuba",
    "Dense",
    "Diagonal",
    "Encoder",
    "Fit",
    "InputSeen",
    "IntegerCuba",
    "IntegerLIF",
    "IntegerReadout",
    "IntegerRelay",
    "IntegerScan",
    "Readout",
    "Relay",
    "Scan",
    "ScanRange",
    "SomaWire",
    "Source",
    "Sparse",
    "Synapse",
    "fit",
    "fit_encoder",
    "measured",
]

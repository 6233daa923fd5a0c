"""The node types: one per file, with its float law and its integer law."""

from .fitting import Fit, fit, fit_encoder
from .lif import LIF, IntegerLIF
from .readout import IntegerReadout, Readout
from .relay import IntegerRelay, Relay
from .scan import IntegerScan, Scan, ScanRange
from .source import Encoder, InputSeen, Source
from .synapses import Broadcast, Dense, Diagonal, SomaWire, Synapse

__all__ = [
    "LIF",
    "Broadcast",
    "Dense",
    "Diagonal",
    "Encoder",
    "Fit",
    "InputSeen",
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
    "Synapse",
    "fit",
    "fit_encoder",
]

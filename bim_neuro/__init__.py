"""Bio-Inspired Mamba on neuromorphic hardware: train, compile for Loihi 2, simulate the integers, read the energy."""

__version__ = "0.1.0"

"""Simulators of a graph on the CPU."""

from .reference import simulate, simulate_float

__all__ = ["simulate", "simulate_float"]

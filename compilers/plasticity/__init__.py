"""Compile plasticity for the chip: trace placement, register widths, learning rules."""

"""Learning on the chip, compiled: where traces live, in registers of which width, by which rule."""

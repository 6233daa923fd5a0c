"""Training: BPTT now, the online rules beside it."""

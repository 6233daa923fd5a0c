"""Training in PyTorch: BPTT and online learning rules."""

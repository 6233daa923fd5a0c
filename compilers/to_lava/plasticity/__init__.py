"""Plasticity on Lava: circuits and trace processes are built, run, and compared with our simulation."""

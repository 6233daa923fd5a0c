"""Your own sequences: write an .npz, train on it, compile the model, run it. Here: which of two rhythms is louder."""

import subprocess
import sys

import numpy as np

rng = np.random.default_rng(0)
t = np.arange(24)
loudness = rng.uniform(0.2, 1.0, (240, 2))
x = sum(loudness[:, k, None] * np.sin(2 * np.pi * t / period) for k, period in enumerate((4, 9)))
x = (x + rng.normal(0, 0.05, x.shape))[..., None]  # (samples, steps, channels)
np.savez("rhythms.npz", x=x, y=loudness.argmax(1), class_names=["fast", "slow"], dt=0.01)

for command in (
    ["bim-train", "own", "--data", "rhythms.npz", "--epochs", "20", "--channels", "24", "-o", "rhythms.pt"],
    ["bim-compile", "rhythms.pt", "--input", "rhythms.npz", "--samples", "16", "-o", "out/rhythms"],
):
    entry = {"bim-train": "train_main", "bim-compile": "compile_main"}[command[0]]
    code = f"import sys; sys.argv = {command!r}; from bim_neuro.cli import {entry}; {entry}()"
    subprocess.run([sys.executable, "-c", code], check=True)

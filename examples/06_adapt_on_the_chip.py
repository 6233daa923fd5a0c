"""Adapt a trained model on the chip to changed data: digits with the image rows in another order.

    python examples/06_adapt_on_the_chip.py               a minute or two
The same with the command:  bim-compile digits.pt --learn rtrl --input shifted.npz --set learn.test=shifted_test.npz
"""

from pathlib import Path

import numpy as np

import bim_neuro

SAMPLES = 2000
order = np.random.default_rng(0).permutation(8)
digits = bim_neuro.load_task("digits")


def shifted(data: bim_neuro.Dataset) -> bim_neuro.Dataset:
    """Return the same images with their rows in another order."""
    return bim_neuro.Dataset(data.x[:, order], data.y)


stream = shifted(digits.train)
program = bim_neuro.compile(Path(__file__).parent / "digits.pt")
learned = bim_neuro.learn(
    program,
    bim_neuro.Plasticity(rule="rtrl"),
    stream.take(np.arange(SAMPLES) % len(stream)),
    {"rows in another order": shifted(digits.validation), "digits as they were": digits.validation},
)
report = learned.report
print(f"{report['measured_on']}: {report['accuracy_before']:.3f} before, {report['accuracy_after']:.3f} after "
      f"{report['samples']} samples")  # fmt: skip
for name, other in report["others"].items():
    print(f"{name}: {other['before']:.3f} before, {other['after']:.3f} after")
print(f"traces: {report['placement']}, {report['trace_words']:,} words of {report['trace_bits']} bits; "
      f"{report['energy_pj']['value'] / 1e6:.2f} uJ of learning a sample "
      f"({report['energy_pj']['low'] / 1e6:.2f} to {report['energy_pj']['high'] / 1e6:.2f})")  # fmt: skip
learned.program.save("adapted.bimn", digits.validation.x[:4])

"""A large model goes from file to report in memory that grows with its neurons, not faster."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.million import Measured, measure, write_model

BYTES_A_NEURON = 4096
"""4 GiB for a million of them, with their 40 synapses each."""


def compiled(folder: Path, neurons: int) -> Measured:
    folder.mkdir()
    return measure(*write_model(folder, neurons), folder / "report")


@pytest.mark.slow
def test_every_neuron_more_takes_no_more_memory_than_the_one_before(tmp_path: Path) -> None:
    small, large = compiled(tmp_path / "small", 20_000), compiled(tmp_path / "large", 80_000)
    assert (small.neurons, large.neurons) == (20_010, 80_010)
    assert large.synapses > 4 * small.synapses
    assert large.cores > small.cores
    grown = (large.peak_mib - small.peak_mib) * 2**20 / (large.neurons - small.neurons)
    assert 0 < grown < BYTES_A_NEURON

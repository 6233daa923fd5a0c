"""A large model goes from file to report in memory that grows with its neurons, not faster."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import maps
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


@pytest.mark.slow
@pytest.mark.parametrize(("layers", "most_mib"), [(1, 1024), (10, 4096)])
def test_convolutions_are_never_unrolled_on_the_way_to_the_report(tmp_path: Path, layers: int, most_mib: int) -> None:
    """Ten layers join 362 million pairs of neurons; what they take together is less than 16 bytes a pair."""
    found = maps.measure(*maps.write_model(tmp_path, layers), tmp_path / "report")
    assert found.synapses == layers * 64 * 64 * (3 * 32 - 2) ** 2
    assert found.cores >= layers * 16
    assert 0 < found.peak_mib < most_mib

"""ReckOn's files are read as they are written: line, step; then the label, and the end of a sample."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.reckon_cue import LINES, read


def test_events_lie_in_their_sample_step_and_line(tmp_path: Path) -> None:
    file = tmp_path / "two.dat"
    file.write_text("2\n35, 4\n0, 9\n-2, 1\n3, 9\n-1, 10\n39, 0\n-2, 0\n-1, 10\n")
    x, y = read(file)
    assert y.tolist() == [1, 0]
    assert x.shape == (2, 10, LINES)
    assert np.argwhere(x).tolist() == [[0, 4, 35], [0, 9, 0], [0, 9, 3], [1, 0, 39]]

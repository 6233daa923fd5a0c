"""ReckOn's cue accumulation, and copy at longer delays."""

from pathlib import Path

import numpy as np
import pytest

from bim_neuro.errors import InputError
from bim_neuro.tasks import load_task
from bim_neuro.tasks.reckon_cue import read_spikes

SAMPLE = "3, 0\n39, 7\n-2, 1\n5, 8\n-1, 8\n"


@pytest.fixture
def reckon(tmp_path: Path) -> Path:
    (tmp_path / "dataset_cueAcc_train.dat").write_text("12\n" + SAMPLE * 12)
    (tmp_path / "dataset_cueAcc_test.dat").write_text("1\n" + SAMPLE.replace("5, 8", "5, 10"))
    return tmp_path


def test_spikes_lie_where_the_file_says(reckon: Path) -> None:
    x, y = read_spikes(reckon / "dataset_cueAcc_train.dat")
    assert np.argwhere(x[0]).tolist() == [[0, 3], [7, 39], [8, 5]]
    assert (y == 1).all()
    task = load_task("cue", reckon)
    assert task.name == "cue-reckon"
    assert [part.x.shape for part in (task.train, task.validation, task.test)] == [
        (2, 11, 40),
        (10, 11, 40),
        (1, 11, 40),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("2\n" + SAMPLE, "declares '2' samples, it holds 1 samples with 1 labels"),
        ("1\n" + SAMPLE.replace("-2, 1\n", ""), "it holds 1 samples with 0 labels"),
        ("1\n" + SAMPLE.replace("-2, 1", "-2, 2"), "one label, 0 or 1"),
        ("2\n-2, 1\n-2, 0\n" + SAMPLE.replace("-2, 1\n", "") + "1, 1\n-1, 1\n", "one label, 0 or 1"),
        ("1\n" + SAMPLE.replace("39, 7", "40, 7"), "line 3 is '40, 7', a line from 0 to 39"),
        ("1\n" + SAMPLE.replace("39, 7", "39, 10000"), "line 3 is '39, 10000'"),
        ("1\n" + SAMPLE.replace("39, 7", "39; 7"), "line 3 is '39; 7'"),
        ("1\n" + SAMPLE[:-6], "declares '1' samples, it holds 0 samples"),
    ],
)
def test_a_file_that_is_wrong_is_named(reckon: Path, content: str, words: str) -> None:
    (reckon / "dataset_cueAcc_test.dat").write_text(content)
    with pytest.raises(InputError, match=words):
        load_task("cue-reckon", reckon)


def test_reckons_own_files_are_read(recordings: Path) -> None:
    task = load_task("cue-reckon", recordings / "reckon_cue")
    assert [len(part) for part in (task.train, task.validation, task.test)] == [40, 10, 50]
    assert task.test.x.shape[1:] == (2250, 40)
    assert float(task.test.x.mean()) == pytest.approx(0.0063, abs=2e-4)


@pytest.mark.parametrize("delay", [60, 120, 250])
def test_copy_asks_after_its_delay(delay: int) -> None:
    task = load_task(f"copy-{delay}")
    asks = task.test.x[:, :, 3:].any(2)
    assert (asks.argmax(1) == 5 + delay).all()
    assert asks.sum() == len(task.test)
    assert not task.test.x[:, 6 : 5 + delay].any()
    first = task.test.x[:, 5 + delay, 3] == 1
    shown = np.where(first, task.test.x[:, 1, :3].argmax(1), task.test.x[:, 5, :3].argmax(1))
    assert (shown == task.test.y).all()

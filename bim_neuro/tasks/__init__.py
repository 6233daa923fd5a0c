"""Tasks: labelled sequences with a fixed split, loaded by name.

from bim_neuro.tasks import load_task
task = load_task("digits")
task.train.x.shape                        (samples, steps, channels)
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from .. import arguments
from ..choices import SPEAKERS
from ..errors import InputError
from .arrays import LAYOUTS, Recordings, check_layout, read_recordings, read_sequences
from .baseline import logistic_regression_baseline
from .bonn import load_bonn_task
from .copying import load_copy_task
from .cue import load_cue_task
from .dataset import SPLITS, Dataset, Task
from .digits import load_digits_task
from .ecg import load_ecg_task
from .eeg import load_eeg_task
from .language import load_language_task
from .metrics import Metrics, majority, metrics
from .model_input import ModelInput
from .own import load_own_task
from .psmnist import load_psmnist_task
from .ptbxl import load_ptbxl_task
from .reckon_cue import load_reckon_cue_task
from .speech import load_speech_task
from .spoken_digits import load_connected_digits_task, load_spoken_digits_task

__all__ = [
    "LAYOUTS",
    "SPLITS",
    "TASKS",
    "Dataset",
    "Metrics",
    "ModelInput",
    "Recordings",
    "Task",
    "check_layout",
    "load_task",
    "logistic_regression_baseline",
    "majority",
    "metrics",
    "read_recordings",
    "read_sequences",
]

TASKS: dict[str, Callable[[Path | None, int], Task]] = {
    "bonn": load_bonn_task,
    "bonn-bands": partial(load_bonn_task, variant="bands"),
    "bonn-sets": partial(load_bonn_task, variant="sets"),
    "connected-digits": load_connected_digits_task,
    "connected-digits-frames": partial(load_connected_digits_task, head="step"),
    "copy": load_copy_task,
    **{f"copy-{delay}": partial(load_copy_task, delay=delay) for delay in (60, 120, 250)},
    "cue": load_cue_task,
    "cue-reckon": load_reckon_cue_task,
    "digits": load_digits_task,
    "ecg": load_ecg_task,
    "eeg": load_eeg_task,
    "language": load_language_task,
    "language-words": partial(load_language_task, level="words"),
    "own": load_own_task,
    "psmnist": load_psmnist_task,
    "ptbxl": load_ptbxl_task,
    "speech": load_speech_task,
    "spoken-digits": load_spoken_digits_task,
    **{f"spoken-digits-{name}": partial(load_spoken_digits_task, speaker=name) for name in SPEAKERS},
}


def load_task(
    name: str, data: str | Path | None = None, seed: int = 0, layout: str | None = None, *, stored: bool = False
) -> Task:
    """Load the task called ``name``, from ``data`` where it needs files; ``seed`` draws the split.

    ``layout`` says which axis of task 'own' is time where its file leaves that open: one of `LAYOUTS`.
    With ``stored`` a large x of task 'own' stays in its file, if that is not compressed: x gives rows when they are
    asked for, x[3] or x[5:9], and np.asarray(x) is all of it. Training takes it as it takes an array.

    >>> len(load_task("digits").test)
    599
    """
    if arguments.text(name, "the name of a task") not in TASKS:
        raise InputError(f"no task is called '{name}'", hint=f"one of: {', '.join(TASKS)}")
    arguments.whole(seed, "seed", 0, 2**32 - 1)
    data = None if data is None else arguments.path(data, "data")
    check_layout(layout)
    if name == "own":
        return load_own_task(data, seed, layout, stored=stored)
    if layout is not None:
        raise InputError(f"task '{name}' knows its layout, {layout} was given", "leave --layout out")
    return TASKS[name](data, seed)

"""Training logs beside the record: a CSV file and TensorBoard, each written epoch by epoch.

    train_task(plan, path, on_epoch=each_of(CsvLog(Path("log.csv")), stop_at(0.95)))

A log is called with each `Epoch`. After a kill the resumed run goes on in the same file: rows of epochs that are
computed again are replaced.
"""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from .. import arguments
from ..atomic import write
from ..extras import check_extra
from .progress import Epoch, OnEpoch

COLUMNS = tuple(field.name for field in fields(Epoch))


def each_of(*callbacks: OnEpoch) -> OnEpoch:
    """Call all of them; training ends where one says so."""

    def call(epoch: Epoch) -> bool:
        said = [callback(epoch) for callback in callbacks]
        return any(one is True for one in said)

    return call


def stop_at(score: float, *, lower: bool = False) -> OnEpoch:
    """End training at the first epoch whose validation score reaches ``score``; ``lower`` is better for bits."""
    wanted = arguments.number(score, "score")
    return lambda epoch: epoch.score <= wanted if lower else epoch.score >= wanted


class CsvLog:
    """A row an epoch, under the names of `Epoch`; the file is whole after every epoch."""

    def __init__(self, path: Path) -> None:
        self.path = arguments.new_file(path)
        self._rows: list[dict[str, str]] | None = None

    def __call__(self, epoch: Epoch) -> None:
        """Add a row."""
        if self._rows is None:
            self._rows = self._before(epoch.epoch)
        self._rows.append({name: str(value) for name, value in asdict(epoch).items()})
        text = io.StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows)
        write(self.path, text.getvalue())

    def _before(self, first: int) -> list[dict[str, str]]:
        """Return the rows of the epochs before the first of this process, where the file has them all."""
        if first == 1 or not self.path.exists():
            return []
        with self.path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = [row for row in csv.DictReader(file) if set(row) == set(COLUMNS)]
        return [row for row in rows if row["epoch"].isdecimal() and int(row["epoch"]) < first]


class TensorBoardLog:
    """Scalars loss, score, best and learning_rate by epoch, in a folder that `tensorboard --logdir` shows."""

    def __init__(self, folder: Path) -> None:
        check_extra("tensorboard", "tensorboard", "a TensorBoard log")
        self.folder = folder
        self._writer: Any = None

    def __call__(self, epoch: Epoch) -> None:
        """Add a point to each curve; the first begins where an interrupted run was."""
        from torch.utils.tensorboard import SummaryWriter  # type: ignore[attr-defined,unused-ignore]

        if self._writer is None:
            self._writer = SummaryWriter(str(self.folder), purge_step=epoch.epoch)
        for name, value in asdict(epoch).items():
            if name != "epoch":
                self._writer.add_scalar(name, value, epoch.epoch)
        self._writer.flush()

"""Result of a training run, in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console

from ..printable import counted, escape, marked

_TITLES = {"macro_f1": "macro-F1", "auc": "AUC", "error_rate": "error rate"}


def show_training(record: dict[str, Any], model: Path, console: Console) -> None:
    """Print the result of a training run."""
    record = marked(record)
    score, value = next((key, value) for key, value in record["validation"].items() if key != "samples")
    console.print(
        f"trained {counted(record['epochs'], 'epoch')} in {record['seconds']:.0f} s; best {record['best_epoch']}: "
        f"validation {score} {value:.4f} on {record['validation']['samples']} samples",
        soft_wrap=True,
    )
    for name, scores in _score_rows(record):
        console.print(f"{name:<22} {'  '.join(_figures(scores))}", soft_wrap=True)
    if "majority" in record.get("test", {}):
        always = f"always '{record['test']['majority_class']}'"
        console.print(f"{always:<22} accuracy {record['test']['majority']:.4f}", soft_wrap=True)
    opened = record.get("test_opened", int("test" in record))
    if opened > 1:
        console.print(f"the test split was opened {opened} times for this model: each says less", soft_wrap=True)
    elif not opened:
        console.print("the test split was not opened: --final measures on it", soft_wrap=True)
    console.print(f"model: {escape(str(model))}", soft_wrap=True)


def _figures(scores: dict[str, Any]) -> Iterator[str]:
    """Give each figure by its name, then those of each class or label."""
    each: list[str] = []
    for name, value in scores.items():
        if isinstance(value, dict):
            each += [f"{escape(label)} {share:.3f}" for label, share in value.items()]
        else:
            yield f"{_TITLES.get(name, name)} {value:.4f}"
    yield from each


def _score_rows(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    test = record.get("test", {})  # of a baseline there is no integer side
    rows = [(f"test, {side}", test[side]) for side in ("float", "integer") if side in test]
    return rows + ([("logistic regression", record["baseline"])] if "baseline" in record else [])


def show_seeds(table: dict[str, Any], console: Console) -> None:
    """Print a line a seed, then mean and spread of each score."""
    table = marked(table)
    for row in table["seeds"]:
        scores = "  ".join(f"{escape(name)} {value:.4f}" for name, value in row["scores"].items())
        console.print(
            f"seed {row['seed']}: {scores}  {counted(row['epochs'], 'epoch')}, {row['seconds']:.0f} s  "
            f"{escape(row['model'])}",
            soft_wrap=True,
        )
    for name, found in table["summary"].items():
        console.print(
            f"{escape(name):<24} mean {found['mean']:.4f}  spread {found['spread']:.4f} "
            f"({found['smallest']:.4f} to {found['largest']:.4f}), deviation {found['deviation']:.4f}",
            soft_wrap=True,
        )

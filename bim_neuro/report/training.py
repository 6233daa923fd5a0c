"""Result of a training run, in a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ..printable import counted, escape, marked


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
        sensitivity = "  ".join(f"{escape(label)} {share:.3f}" for label, share in scores["sensitivity"].items())
        console.print(
            f"{name:<22} accuracy {scores['accuracy']:.4f}  macro-F1 {scores['macro_f1']:.4f}  {sensitivity}",
            soft_wrap=True,
        )
    if "majority" in record.get("test", {}):
        always = f"always '{record['test']['majority_class']}'"
        console.print(f"{always:<22} accuracy {record['test']['majority']:.4f}", soft_wrap=True)
    console.print(f"model: {escape(str(model))}", soft_wrap=True)


def _score_rows(record: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(f"test, {side}", record["test"][side]) for side in ("float", "integer")] if "test" in record else []
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

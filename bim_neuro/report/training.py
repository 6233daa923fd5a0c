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

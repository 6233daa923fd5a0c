"""Training curves of the model: loss and validation score by epoch, from the record that training left in model.pt."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from math import isfinite
from typing import Any

from ..graph import FloatGraph

POINTS = 400
"""Epochs that are drawn; of more, every so many and the last."""
_LARGEST = 1e6  # epochs read; a file could claim any number


def training_curves(graph: FloatGraph) -> dict[str, Any]:
    """Return {"training": {score, rule, epochs, best_epoch, epoch[], loss[], value[]}}; empty where no record tells it.

    The record comes from a file: what is not as `bim-train` writes it is left out.
    """
    record = graph.extra.get("training", {})
    log = record.get("log")
    rows = [row for row in islice(log, int(_LARGEST)) if _is_row(row)] if isinstance(log, list) else []
    if len(rows) < 2:
        return {}
    shown = rows[:: -(-len(rows) // POINTS)]
    shown += rows[-1:] if shown[-1] is not rows[-1] else []
    validation = record.get("validation")
    named = [name for name in validation if name != "samples"] if isinstance(validation, Mapping) else []
    best = record.get("best_epoch")
    columns = {"epoch": "epoch", "loss": "loss", "value": "score"}
    return {
        "training": {
            "score": str(named[0]) if named else "score",
            "rule": str(record.get("rule", "")),
            "epochs": len(rows),
            "best_epoch": best if type(best) is int else None,
            **{name: [row[key] for row in shown] for name, key in columns.items()},
        }
    }  # fmt: skip


def _is_row(row: Any) -> bool:
    if not isinstance(row, Mapping):
        return False
    values = [row.get(name) for name in ("epoch", "loss", "score")]
    return all(isinstance(value, int | float) and isfinite(value) for value in values)

"""Results of a run of the integers and the float model, and how consecutive parts are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .estimates.neurobench import Activity
from .record import RunRecord, merge
from .simulation.agreement import Agreement


class Ran(NamedTuple):
    """Results of a run."""

    record: RunRecord
    floats: RunRecord
    """Of the float law, on the same input."""
    agreement: Agreement
    activity: Activity


def joined(parts: Sequence[Ran]) -> Ran:
    """Join the results of consecutive parts of a run."""
    agreement, activity = Agreement(), Activity()
    for part in parts:
        activity += part.activity
        for layer, row in part.agreement.sums.items():
            agreement.add_sums(layer, row)
    return Ran(merge([part.record for part in parts]), merge([part.floats for part in parts]), agreement, activity)

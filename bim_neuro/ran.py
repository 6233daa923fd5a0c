"""What a run of integers beside the float law left, and how consecutive parts of one are joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from .estimates.neurobench import Activity
from .record import RunRecord, merge
from .simulation.agreement import Agreement


class Ran(NamedTuple):
    """What a run left."""

    record: RunRecord
    floats: RunRecord
    """Of the float law, on the same input."""
    agreement: Agreement
    activity: Activity


def joined(parts: Sequence[Ran]) -> Ran:
    """Join what consecutive parts of a run left."""
    agreement, activity = Agreement(), Activity()
    for part in parts:
        activity += part.activity
        for layer, row in part.agreement.sums.items():
            agreement.add_sums(layer, row)
    return Ran(merge([part.record for part in parts]), merge([part.floats for part in parts]), agreement, activity)

"""With --json a refusal is JSON too, on standard output, beside the line on standard error.

{"error": {"message", "hint", "exit_code"}, "findings": [...]}        findings: every problem of the model
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ..errors import BimError, DoesNotFit, ThresholdMissed
from .streams import print_json


def in_json(command: Callable[[], None], wanted: bool) -> Callable[[], None]:
    """Return a command that prints its error as JSON if ``wanted``; after a missed threshold it prints the summary."""

    def told() -> None:
        try:
            command()
        except BimError as error:
            if wanted and not isinstance(error, ThresholdMissed):
                print_json(_plain(error))
            raise

    return told


def _plain(error: BimError) -> dict[str, Any]:
    found = [asdict(finding) for finding in error.findings] if isinstance(error, DoesNotFit) else []
    return {"error": {"message": error.message, "hint": error.hint, "exit_code": error.exit_code}, "findings": found}

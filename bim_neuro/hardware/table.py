"""What a profile says, as rows: for `--list targets`, `--list TARGET` and the table in docs/hardware.md."""

from __future__ import annotations

from math import inf
from typing import Any

from .quantity import Quantity, weakest_basis
from .schema import HardwareProfile

COLUMNS = ("key", "value", "low", "high", "unit", "basis", "source")


def overview(profile: HardwareProfile) -> dict[str, Any]:
    """Return one row about a target; ``energy_basis`` is the weakest among its prices, and the others are unpriced."""
    prices = [quantity for key, quantity in profile.quantities().items() if key.startswith("energy.")]
    priced = [quantity for quantity in prices if quantity.published]
    return {
        "name": profile.name,
        "title": profile.title,
        "chips": int(profile.board.chips.number),
        "cores": profile.usable_cores,
        "scope": profile.energy.scope,
        "energy_basis": weakest_basis(priced),
        "priced": len(priced),
        "prices": len(prices),
    }


def numbers(profile: HardwareProfile) -> list[dict[str, Any]]:
    """Return every number as a row of COLUMNS; 'inf' where nothing limits, None where it is unpublished."""
    return [_row(key, quantity) for key, quantity in profile.quantities().items()]


def markdown(profile: HardwareProfile) -> str:
    """Return every number as a table in Markdown."""
    head = ("key", "value", "low to high", "unit", "basis", "source")
    lines = [head, ("---",) * len(head), *(_cells(row) for row in numbers(profile))]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _row(key: str, quantity: Quantity) -> dict[str, Any]:
    number = {name: getattr(quantity, name) for name in ("value", "low", "high")}
    written = {name: "inf" if entry == inf else entry for name, entry in number.items()}
    return {"key": key, **written, "unit": quantity.unit, "basis": quantity.basis, "source": quantity.source}


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    known = row["value"] is not None
    value, span = (f"{row['value']}", f"{row['low']} to {row['high']}") if known else ("", "")
    return f"`{row['key']}`", value, span, row["unit"], row["basis"], row["source"].replace("|", "\\|")

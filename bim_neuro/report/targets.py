"""Targets in a terminal or as JSON: the table of all, and every number of one."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ..compilers.smallest import takes
from ..hardware import HardwareProfile, list_profiles, load_profile, numbers, overview
from ..printable import escape, marked


def target_rows() -> list[dict[str, Any]]:
    """Return one row for each profile that comes with the package."""
    return [_overview(load_profile(name)) for name in list_profiles()]


def _overview(profile: HardwareProfile) -> dict[str, Any]:
    """Return a profile's row, with the kinds of model it supports, and why it refuses the smallest of the others."""
    reasons = takes(profile)
    taken = [kind for kind, reason in reasons.items() if not reason]
    return {**overview(profile), "takes": taken, "refuses": {kind: why for kind, why in reasons.items() if why}}


def target(profile: HardwareProfile) -> dict[str, Any]:
    """Return a profile as JSON can hold it: its overview and every number."""
    abilities = {"microcode": profile.capabilities.microcode, "learning": profile.capabilities.learning}
    return {**_overview(profile), "process": profile.process, **abilities, "numbers": numbers(profile)}


def show_targets(rows: list[dict[str, Any]], console: Console) -> None:
    """Print the table of all targets."""
    rows = marked(rows)
    heads = ("target", "", "takes", "chips", "cores", "prices", "weakest basis", "priced")
    table = Table(*heads, box=None, pad_edge=False)
    for row in rows:
        cores = "unlimited" if row["cores"] is None else f"{row['cores']:,}"
        priced = "all in one" if row["scope"] == "all_in" else f"{row['priced']} of {row['prices']}"
        table.add_row(
            row["name"], row["title"], ", ".join(row["takes"]) or "none", f"{row['chips']:,}", cores, row["scope"],
            row["energy_basis"], priced,
        )  # fmt: skip
    console.print(table)
    for row in rows:
        if not row["takes"]:
            console.print(f"no model of ours fits {row['name']}: even one LIF {row['refuses']['LIF']}", soft_wrap=True)
    console.print("[dim]bim-compile --list NAME prints every number of one; a path, as my_chip.toml, does too[/]")


def show_target(row: dict[str, Any], console: Console) -> None:
    """Print every number of a target, and below each where it is from."""
    row = marked(row)
    console.print(f"[bold]{escape(row['name'])}[/]: {escape(row['title'])}, {escape(row['process'])}")
    runs = "runs neuron programs of our own" if row["microcode"] else "runs no neuron programs of our own"
    learns = "has a learning engine" if row["learning"] else "has no learning engine"
    console.print(f"prices are {row['scope']}; {runs}; {learns}")
    for kind, why in row["refuses"].items():
        console.print(f"takes no {kind} model: the smallest {why}", soft_wrap=True)
    for number in row["numbers"]:
        console.print(f"{escape(number['key'])}  [bold]{_amount(number)}[/]  {number['basis']}", soft_wrap=True)
        console.print(f"    [dim]{escape(number['source'])}[/]", soft_wrap=True)


def _amount(number: dict[str, Any]) -> str:
    if number["value"] is None:
        return "-"
    if number["value"] == "inf":
        return "unlimited"
    span = f" ({number['low']} to {number['high']})" if number["low"] != number["high"] else ""
    return f"{number['value']} {number['unit']}{span}"

"""--list of bim-compile: settings, the node types of NIR, or the dialects; in words or as JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InputError
from ..jobs.settings import rows
from ..printable import escape
from .asked import Asked
from .config import print_settings
from .console import out
from .streams import print_json


def list_what(asked: Asked) -> None:
    """Print what --list names."""
    what = asked.options["listed"]
    if what != "settings" and what not in _LISTS:
        raise InputError(f"--list knows no '{what:.60}'", f"write --list settings, or --list {' or '.join(_LISTS)}")
    found, show = _LISTS[what]() if what in _LISTS else (rows(what, asked.table), None)
    if asked.as_json:
        print_json(found)
    elif show is None:
        print_settings(asked.table)
    else:
        show(found)


Listing = tuple[list[dict[str, Any]], Callable[[list[dict[str, Any]]], None]]


def _nodes() -> Listing:
    from ..nir_bridge.node_table import node_rows

    return node_rows(), _print_nodes


def _dialects() -> Listing:
    from ..nir_bridge.preset import plain_rows

    return plain_rows(), _print_dialects


_LISTS: dict[str, Callable[[], Listing]] = {"nodes": _nodes, "dialects": _dialects}


def _print_nodes(found: list[dict[str, Any]]) -> None:
    for row in found:
        law = f", {row['law']}" if row["law"] else ""
        out.print(f"[bold]{escape(row['type'])}[/]: {row['becomes']}{law}; on Lava: {row['lava']}", soft_wrap=True)
        optional = [f"{name} (default {default:g})" for name, default in row["optional"].items()]
        fields = [*row["fields"], *optional]
        if fields:
            out.print(f"  fields: {', '.join(fields)}", soft_wrap=True)


def _print_dialects(found: list[dict[str, Any]]) -> None:
    for row in found:
        out.print(f"[bold]{row['name']}[/] ({', '.join(row['versions'])}): {_written(row['switches'])}", soft_wrap=True)
        for who, switches in row["layers"].items():
            out.print(f"  {who}: {_written(switches)}", soft_wrap=True)
        for option in row["options"]:
            out.print(f"  {escape(option['model'])}: {_written(option['switches'])}", soft_wrap=True)
        for mend in row["mends"]:
            where = f" ({mend['upstream']})" if mend["upstream"] else ""
            out.print(f"  [dim]in the file:[/] {escape(mend['fault'])}; {escape(mend['mend'])}{where}", soft_wrap=True)


def _written(switches: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in switches.items()) or "the defaults of every switch"

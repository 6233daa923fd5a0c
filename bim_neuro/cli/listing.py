"""--list of bim-compile: chips, every number of one, settings, NIR's node types, dialects; in words or as JSON."""

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

Listing = tuple[Any, Callable[[], None]]
"""What is listed as plain values, and what prints it in words."""


def list_what(asked: Asked) -> None:
    """Print what --list names: a list by its name, else a target by its name or file."""
    what = asked.options["listed"]
    if what == "settings":
        found, show = _settings(asked)
    else:
        found, show = _LISTS[what]() if what in _LISTS else _target(what)
    if asked.as_json:
        print_json(found)
    else:
        show()


def _settings(asked: Asked) -> Listing:
    return rows("settings", asked.table), lambda: print_settings(asked.table)


def _target(what: str) -> Listing:
    from ..hardware import load_profile
    from ..report import targets

    try:
        profile = load_profile(what)
    except InputError as error:
        if what.endswith(".toml"):
            raise
        lists = ", ".join(("settings", *_LISTS))
        raise InputError(f"--list knows no '{what:.60}'", f"write one of {lists}; {error.hint}") from None
    content = targets.target(profile)
    return content, lambda: targets.show_target(content, out)


def _targets() -> Listing:
    from ..report import targets

    found = targets.target_rows()
    return found, lambda: targets.show_targets(found, out)


def _nodes() -> Listing:
    from ..nir_bridge.node_table import node_rows

    found = node_rows()
    return found, lambda: _print_nodes(found)


def _dialects() -> Listing:
    from ..nir_bridge.preset import plain_rows

    found = plain_rows()
    return found, lambda: _print_dialects(found)


_LISTS: dict[str, Callable[[], Listing]] = {"targets": _targets, "nodes": _nodes, "dialects": _dialects}


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

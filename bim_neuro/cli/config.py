"""A request as a file: --config reads it as what was not typed, OUT/request.toml is one of a run that was done.

[run]                     options by their names, with _ for -
target = "loihi2"
[learn]                   settings, as --list settings says
rate = 0.1
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import InputError
from .console import guarded, out
from .shared import INPUT, OUTPUT, in_panel
from .streams import print_json

RUN = "run"
_SECTIONS = "bim_neuro.sections"
_NOT_OF_A_FILE = {"config", "settings", "listed", "debug", "version", "json_output", "check", "self_test", "restart",
                  "list_targets", "show_target"}  # fmt: skip
_HINT = "a file for --config has [run] and the sections of --list settings"


def _read(context: typer.Context, file: Path | None) -> Path | None:
    if file is not None:
        guarded(lambda: _take(context, file), debug=False)
    return file


def _take(context: typer.Context, file: Path) -> None:
    from ..intake import read_toml

    sections = read_toml(file, _HINT)
    run = sections.pop(RUN, {})
    if not isinstance(run, Mapping):
        raise InputError(f"{file}: run is {run!r:.60}, a section is needed", _HINT)
    _check_options(context, file, run)
    context.default_map = dict(run)
    context.meta[_SECTIONS] = sections


def _check_options(context: typer.Context, file: Path, run: Mapping[str, Any]) -> None:
    from ..jobs.settings import nearest

    options = {str(option.name): option for option in context.command.params if option.name not in _NOT_OF_A_FILE}
    for name, value in run.items():
        if name not in options:
            raise InputError(f"{file}: run.{name:.60} is no option", nearest(name, options) or _HINT)
        flag = bool(getattr(options[name], "is_flag", False))
        if isinstance(value, bool) is not flag or not isinstance(value, str | int | float):
            needed = "true or false" if flag else "a text or a number"
            raise InputError(f"{file}: run.{name} is {value!r:.60}, {needed} is needed", _HINT)


Config = Annotated[
    Path | None,
    in_panel(INPUT, "--config", callback=_read, is_eager=True, metavar="RUN.TOML", help="Options and settings from a "
             "file, as OUT/request.toml; what is typed wins."),
]  # fmt: skip
Settings = Annotated[
    list[str] | None,
    in_panel(INPUT, "--set", metavar="NAME=VALUE", help="A setting, as learn.rate=0.05; give it once for each."),
]
Listed = Annotated[str | None, in_panel(OUTPUT, "--list", metavar="settings", help="Print every setting.")]


def sections(context: typer.Context) -> Mapping[str, Any]:
    """Return the sections of the file for --config but [run]."""
    found: Mapping[str, Any] = context.meta.get(_SECTIONS, {})
    return found


def as_toml(context: typer.Context, settings: Mapping[str, Any], paths: Mapping[str, Path]) -> str:
    """Return the request that was given as a file for --config; ``paths`` are what it reads and writes."""
    given: dict[str, Any] = {}
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        if name not in _NOT_OF_A_FILE and source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP"):
            given[name] = context.params[name]
    given |= {name: str(path.absolute()) for name, path in paths.items()}
    lines = ["# bim-compile --config request.toml runs this again", f"[{RUN}]", *_lines(given)]
    for section in dict.fromkeys(name.partition(".")[0] for name in settings):
        begin = f"{section}."
        entries = {name.removeprefix(begin): settings[name] for name in settings if name.startswith(begin)}
        lines += ["", f"[{section}]", *_lines(entries)]
    return "\n".join(lines) + "\n"


def _lines(entries: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in sorted(entries.items()) if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    text = str.__str__(value) if isinstance(value, str) else str(value.absolute())
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def print_settings(what: str, table: Any, as_json: bool) -> None:
    """Print a table of settings, the one thing that --list knows."""
    if what != "settings":
        raise InputError(f"--list knows no '{what:.60}'", "write --list settings")
    if as_json:
        print_json([setting.row() for setting in table])
        return
    for setting in table:
        unit = f" ({setting.unit})" if setting.unit else ""
        out.print(f"[bold]{setting.name}[/]{unit}: {setting.sentence}", soft_wrap=True)
        out.print(f"  {setting.range}; default: {setting.shown_default}", soft_wrap=True)

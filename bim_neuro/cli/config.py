"""A request as a file: --config fills options that were not typed from it; one is written beside every result.

[run]                     options by their names, with _ for -, and settings that begin with run.
target = "loihi2"
[learn]                   settings, as --list settings says
rate = 0.1
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from inspect import unwrap
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

import typer

from ..errors import BimError, InputError
from ..jobs.settings import Setting, nearest
from .console import guarded, out
from .shared import INPUT, OUTPUT, in_panel

RUN = "run"
_SECTIONS, _REFUSED = "bim_neuro.sections", "bim_neuro.refused"
_NOT_OF_A_FILE = {"config", "settings", "listed", "debug", "version", "json_output", "check", "self_test", "restart"}
_HINT = "a file for --config has [run] and the sections of --list settings"


class Command(NamedTuple):
    """A command: how it is typed, and its settings."""

    name: str
    settings: tuple[Setting, ...] = ()


def _read(context: typer.Context, file: Path | None) -> Path | None:
    """Take a file's options as defaults; what refuses it is raised where the command begins, see `sections`."""

    def take() -> None:
        try:
            _take(context, Path(str(file)))
        except BimError as error:
            context.meta[_REFUSED] = error

    if file is not None:
        guarded(take, debug=False)
    return file


def _take(context: typer.Context, file: Path) -> None:
    from ..intake import read_toml

    sections = read_toml(file, _HINT)
    run = sections.pop(RUN, {})
    if not isinstance(run, Mapping):
        raise InputError(f"{file}: run is {run!r:.60}, a section is needed", _HINT)
    settings = [setting.name for setting in context.obj.settings]
    of_run = {name: value for name, value in run.items() if f"{RUN}.{name}" in settings}
    for section, entries in sections.items():
        _check_section(file, section, entries, [name.partition(".")[0] for name in settings])
    run = {name: value for name, value in run.items() if name not in of_run}
    context.default_map = dict(_options(context, file, run))
    context.meta[_SECTIONS] = {**sections, **({RUN: of_run} if of_run else {})}


def _check_section(file: Path, section: str, entries: Any, known: list[str]) -> None:
    if not isinstance(entries, Mapping):
        raise InputError(f"{file}: '{section:.60}' is in no section", f"write [{RUN}] above it; {_HINT}")
    if section not in known:
        raise InputError(f"{file}: there is no section '{section:.60}'", nearest(section, [RUN, *known]) or _HINT)


def _options(context: typer.Context, file: Path, run: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Give each option of the file, once its value is found to be of the option's kind."""
    options = {str(option.name): option for option in context.command.params if option.name not in _NOT_OF_A_FILE}
    declared = get_type_hints(unwrap(context.command.callback or _options))
    for name, value in run.items():
        if name not in options:
            raise InputError(f"{file}: run.{name:.60} is not an option", nearest(name, options) or _HINT)
        kind = _kind(declared[name])
        if not _is_of(kind, value):
            raise InputError(f"{file}: run.{name} is {value!r:.60}, {kind} is needed", _HINT)
        try:
            options[name].process_value(context, value)
        except typer.BadParameter as error:
            raise InputError(f"{file}: run.{name} is {value!r:.60}: {error.message:.200}", _HINT) from None
        yield name, value


_FLAG, _LIST, _WHOLE, _NUMBER, _TEXT = "true or false", "a list of texts", "a whole number", "a number", "a text"
_TYPES: dict[str, Any] = {_FLAG: bool, _LIST: list, _WHOLE: int, _NUMBER: int | float, _TEXT: str | int}
"""A text may be a number: samples = 8 stands beside samples = "all"."""


def _kind(declared: Any) -> str:
    """Say what an option takes, by its type in Python."""
    kinds = {bool: _FLAG, list: _LIST, int: _WHOLE, float: _NUMBER}
    parts = {get_origin(part) or part for part in (declared, *get_args(declared))}
    return next((word for kind, word in kinds.items() if kind in parts), _TEXT)


def _is_of(kind: str, value: Any) -> bool:
    if isinstance(value, bool) is not (kind == _FLAG) or not isinstance(value, _TYPES[kind]) or "\0" in str(value):
        return False
    return kind != _LIST or all(isinstance(part, str) and "\0" not in part for part in value)


Config = Annotated[
    Path | None,
    in_panel(INPUT, "--config", callback=_read, is_eager=True, metavar="RUN.TOML", help="Read options and settings "
             "from a file, as the request beside a result; the command line overrides it."),
]  # fmt: skip
Settings = Annotated[
    list[str] | None,
    in_panel(
        INPUT, "--set", metavar="NAME=VALUE", help="Change a setting, for example run.max_memory=8G; repeat for each."
    ),
]
Listed = Annotated[str | None, in_panel(OUTPUT, "--list", metavar="settings", help="Print every setting.")]


def sections(context: typer.Context) -> Mapping[str, Any]:
    """Return the settings of the file for --config, by section; raise what refuses the file."""
    if _REFUSED in context.meta:
        raise context.meta[_REFUSED]
    found: Mapping[str, Any] = context.meta.get(_SECTIONS, {})
    return found


def as_toml(context: typer.Context, settings: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    """Return the request that was given as a file for --config, with ``named`` options that were not; paths are whole.

    It holds what was typed or read from a file, and no default: those are the command's.
    """
    given: dict[str, Any] = dict(named)
    for option in context.command.params:
        name = str(option.name)
        source = context.get_parameter_source(name)
        if name not in _NOT_OF_A_FILE and source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP"):
            given[name] = context.params[name] if name not in named else named[name]
    paths = {setting.name for setting in context.obj.settings if setting.unit == "path"}
    by_section: dict[str, dict[str, Any]] = {RUN: given}
    for name, value in settings.items():
        section, _, key = name.partition(".")
        by_section.setdefault(section, {})[key] = Path(value) if name in paths else value
    lines = [f"# {context.obj.name} --config FILE runs this again"]
    for section, entries in by_section.items():
        lines += ["", f"[{section}]", *_lines(entries)]
    return "\n".join(lines) + "\n"


def _lines(entries: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {_value(value)}" for name, value in sorted(entries.items()) if value is not None]


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_value, value))}]"
    text = str.__str__(value) if isinstance(value, str) else str(value.absolute())
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def print_settings(table: tuple[Setting, ...]) -> None:
    """Print a table of settings."""
    for setting in table:
        unit = f" ({setting.unit})" if setting.unit else ""
        out.print(f"[bold]{setting.name}[/]{unit}: {setting.sentence}", soft_wrap=True)
        out.print(f"  {setting.range}; default: {setting.shown_default}", soft_wrap=True)

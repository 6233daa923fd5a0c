"""What a command was asked for: its options, its settings, and both as the file that runs it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ..errors import InputError
from ..jobs.settings import Setting, chosen, defaults
from .config import Command, as_toml, sections
from .console import guarded
from .options import Condition, refuse_without_effect
from .refusals import in_json
from .shared import word

Act = Callable[["Asked"], None]


@dataclass(frozen=True)
class Asked:
    """Options by their names in Python, as typed, read from a file, or their defaults; settings that were given."""

    context: typer.Context
    options: Mapping[str, Any]
    settings: Mapping[str, Any]

    @classmethod
    def of(cls, context: typer.Context) -> Asked:
        """Return what was asked for; raise `InputError` for what is wrong in a file or in --set."""
        table, from_file = context.obj.settings, sections(context)
        return cls(context, context.params, chosen(table, from_file, context.params.get("settings") or ()))

    @property
    def table(self) -> tuple[Setting, ...]:
        """All settings of the command."""
        command: Command = self.context.obj
        return command.settings

    @property
    def as_json(self) -> bool:
        """Whether JSON goes to standard output."""
        return bool(self.options.get("json_output"))

    def words(self, *names: str) -> dict[str, Any]:
        """Return options by their names, choices as plain words."""
        values = {name: self.options[name] for name in names}
        return {name: word(value) if isinstance(value, str) else value for name, value in values.items()}

    def given(self, names: Mapping[str, str]) -> dict[str, Any]:
        """Return the settings that were given, by other names: ``names`` are {setting: its field}."""
        return {field: self.settings[name] for name, field in names.items() if name in self.settings}

    def needs(self, name: str, what: str, hint: str) -> Any:
        """Return an argument that must be there."""
        if not self.options[name]:
            raise InputError(f"{what} is missing", hint)
        return self.options[name]

    def check(self, conditions: Mapping[str, tuple[Condition, ...]]) -> None:
        """Refuse options and settings that have no effect beside the others."""
        refuse_without_effect(self.context, conditions, self.settings, defaults(self.table))

    def file(self, **named: str | Path | None) -> str:
        """Return the file for --config that asks the same again; ``named`` are options to write though not given."""
        return as_toml(self.context, self.settings, named)


def carry_out(context: typer.Context, act: Act) -> None:
    """Do what a command was asked for; every error ends in one message, with --json in JSON too, and its exit code."""
    as_json = bool(context.params.get("json_output"))
    guarded(in_json(lambda: act(Asked.of(context)), as_json), context.params["debug"])

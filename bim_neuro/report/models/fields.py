"""The fields of a model, resolved once, and a type hint taken apart."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin, get_type_hints


class Key(NamedTuple):
    """A key of the JSON: its name, its type, and whether it may be left out."""

    name: str
    hint: Any
    optional: bool


def keys_of(model: type) -> tuple[Key, ...]:
    """Return the keys of a model in their order; a field with a default is one that may be left out."""
    return _keys(model)


@cache
def _keys(model: type) -> tuple[Key, ...]:
    hints = get_type_hints(model, include_extras=True)
    return tuple(Key(field.name, hints[field.name], field.default is not MISSING) for field in fields(model))


@cache
def bare(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Return a hint without what it says beside the type, and that."""
    if get_origin(hint) is Annotated:
        inner, *said = get_args(hint)
        return inner, tuple(said)
    return hint, ()


@cache
def choices(hint: Any) -> tuple[Any, ...] | None:
    """Return the members of a union; None for what is none."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else None

"""Models from plain values, and back: what is written as JSON reads back equal.

made(Range, {"low": 1, "value": 2, "high": 3})      of our own values: keys are held to the model's
read(Range, json)                                   of a file: types are too, and what is wrong is named by its place
plain(model)                                        dicts and lists, in the order of the fields
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin

from .fields import bare, choices, keys_of

Model = TypeVar("Model")
_NAMES = {str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "null"}


class Misshapen(ValueError):
    """A value is not what its model says."""


class OtherKeys(Misshapen):
    """A key is missing or unknown, or a value is no valid choice: another version may have written the file."""


def made(model: type[Model], values: Mapping[str, Any]) -> Model:
    """Return a model of values that we computed; numbers are not looked at."""
    return _model(model, values, "", _trusted)


def read(model: type[Model], data: Any) -> Model:
    """Return a model of what a file holds; keys and words of another version raise OtherKeys, else Misshapen."""
    return _model(model, data, "", _checked)


def plain(data: Any) -> Any:
    """Return dicts, lists and numbers; a key that may be left out and is None is left out."""
    if is_dataclass(data) and not isinstance(data, type):
        optional = {key.name for key in keys_of(type(data)) if key.optional}
        pairs = ((field.name, getattr(data, field.name)) for field in fields(data))
        return {name: plain(value) for name, value in pairs if value is not None or name not in optional}
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    return [plain(value) for value in data] if isinstance(data, tuple | list) else data


_Leaf = Callable[[Any, Any, str], Any]


def _model(model: type[Model], data: Any, where: str, leaf: _Leaf) -> Model:
    if not isinstance(data, Mapping):
        raise Misshapen(f"{where or 'it'} is not an object")
    keys = {key.name: key for key in keys_of(model)}
    for name, key in keys.items():
        if name not in data and not key.optional:
            raise OtherKeys(f"{_at(where, name)} is missing")
    if unknown := data.keys() - keys.keys():
        raise OtherKeys(f"{_at(where, min(unknown, key=str))} is an unknown key")
    given = {name: _value(key.hint, data[name], _at(where, name), leaf) for name, key in keys.items() if name in data}
    return model(**given)


def _value(hint: Any, data: Any, where: str, leaf: _Leaf) -> Any:
    """Return a value as its hint says; lists become tuples, objects models."""
    hint = _meant(hint, data)
    if is_dataclass(hint) and isinstance(hint, type):
        return data if isinstance(data, hint) else _model(hint, data, where, leaf)
    if get_origin(hint) is tuple:
        if not isinstance(data, list | tuple):
            raise Misshapen(f"{where} is not a list")
        return tuple(_value(get_args(hint)[0], value, f"{where}[{index}]", leaf) for index, value in enumerate(data))
    if get_origin(hint) is dict:
        if not isinstance(data, Mapping):
            raise Misshapen(f"{where} is not an object")
        names, values = get_args(hint)
        return {leaf(names, name, where): _value(values, value, _at(where, name), leaf) for name, value in data.items()}
    return leaf(hint, data, where)


def _meant(hint: Any, data: Any) -> Any:
    """Return which of several types a value is meant to be: of several models the one with its keys."""
    hint, _ = bare(hint)
    members = [bare(member)[0] for member in choices(hint) or ()]
    if data is None and type(None) in members:
        return type(None)
    models = [member for member in members if isinstance(member, type) and is_dataclass(member)]
    if len(models) > 1 and isinstance(data, Mapping):
        return next((model for model in models if data.keys() == {key.name for key in keys_of(model)}), models[0])
    others = [member for member in members if member is not type(None)]
    return others[0] if len(others) == 1 or models else hint


def _trusted(hint: Any, data: Any, where: str) -> Any:
    return data


def _checked(hint: Any, data: Any, where: str) -> Any:
    """Return a number, text or one of some words; of several types the first that fits."""
    hint, _ = bare(hint)
    if hint is Any:
        return data
    if get_origin(hint) is Literal:
        if not any(type(data) is type(word) and data == word for word in get_args(hint)):
            raise OtherKeys(f"{where} is {data!r:.40}, not one of {', '.join(map(str, get_args(hint)))}")
        return data
    types = [bare(member)[0] for member in choices(hint) or (hint,)]
    if not any(_fits(kind, data) for kind in types):
        raise Misshapen(f"{where} is {data!r:.40}, not {' or '.join(_NAMES[kind] for kind in types)}")
    return data


def _fits(kind: type, data: Any) -> bool:
    if isinstance(data, bool):
        return kind is bool
    return isinstance(data, (int, float) if kind is float else kind)


def _at(where: str, name: Any) -> str:
    return f"{where}.{name!s:.60}" if where else f"{name!s:.60}"

"""JSON Schema (draft 2020-12) of a model: docs/summary.schema.json, which scripts/summary_schema.py writes."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from typing import Any, Literal, get_args, get_origin

from .fields import bare, choices, keys_of
from .says import Items, Unit, Within

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TYPES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}

Schema = dict[str, Any]


def schema_of(model: type, title: str) -> Schema:
    """Return the schema of a model and, under ``$defs``, of every model in it."""
    definitions: dict[str, Schema] = {}
    whole = _object(model, definitions)
    return {"$schema": DRAFT, "title": title, **whole, "$defs": dict(sorted(definitions.items()))}


def _object(model: type, definitions: dict[str, Schema]) -> Schema:
    keys = keys_of(model)
    return {
        "description": " ".join((inspect.getdoc(model) or "").split()),
        "type": "object",
        "additionalProperties": False,
        "required": [key.name for key in keys if not key.optional],
        "properties": {key.name: _schema(key.hint, definitions, key.optional) for key in keys},
    }


def _schema(hint: Any, definitions: dict[str, Schema], optional: bool = False) -> Schema:
    """Return the schema of a type; a key that may be left out is never null."""
    hint, said = bare(hint)
    members = choices(hint)
    if members is not None:
        made = _union([member for member in members if not (optional and member is type(None))], definitions)
    else:
        made = _single(hint, definitions)
    return made | _said(said)


def _union(members: list[Any], definitions: dict[str, Schema]) -> Schema:
    """Return the schema of one of several types: one list of types where they are simple, else any of them."""
    each = [_schema(member, definitions) for member in members]
    if len(each) == 1:
        return each[0]
    if all(set(one) == {"enum"} or one == {"type": "null"} for one in each):
        return {"enum": [word for one in each for word in one.get("enum", [None])]}
    if all(isinstance(one.get("type"), str) for one in each) and sum(len(one) > 1 for one in each) <= 1:
        rest = {key: value for one in each for key, value in one.items() if key != "type"}
        return {"type": [one["type"] for one in each], **rest}
    return {"anyOf": each}


def _single(hint: Any, definitions: dict[str, Schema]) -> Schema:
    origin = get_origin(hint)
    if hint is Any:
        return {}
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is tuple:
        return {"type": "array", "items": _schema(get_args(hint)[0], definitions)}
    if origin is dict:
        names, values = get_args(hint)
        limited = {"propertyNames": _schema(names, definitions)} if get_origin(bare(names)[0]) is Literal else {}
        content = _schema(values, definitions)
        return {"type": "object", **limited, **({"additionalProperties": content} if content else {})}
    if is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}  # its place, should it hold itself
            definitions[hint.__name__] = _object(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {"type": _TYPES[hint]}


def _said(said: tuple[Any, ...]) -> Schema:
    """Return description and limits; of several sentences the last one, which is the field's own, counts."""
    made: Schema = {}
    sentences = [word for word in said if isinstance(word, str)]
    units = [word.name for word in said if isinstance(word, Unit)]
    if sentences:
        made["description"] = " ".join([sentences[-1], *(f"Unit: {unit}." for unit in units[-1:])])
    for word in said:
        if isinstance(word, Within):
            limits = {"minimum": word.low, "maximum": word.high, "exclusiveMinimum": word.above}
            made |= {name: limit for name, limit in limits.items() if limit is not None}
        elif isinstance(word, Items):
            made |= {"minItems": word.least} if word.least else {}
            made |= {"uniqueItems": True} if word.unique else {}
    return made

"""Write docs/summary.schema.json and docs/summary.md from bim_neuro/report/models: python scripts/summary_schema.py"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bim_neuro.report.models import Summary, schema_of  # noqa: E402

FILE, PAGE = ROOT / "docs" / "summary.schema.json", ROOT / "docs" / "summary.md"
INTRODUCTION = """# Every key of summary.json

What `bim-compile` writes to `OUT/summary.json`, key by key: type, meaning, unit. [report.md](report.md) says how it is
read in Python and how versions differ; [summary.schema.json](summary.schema.json) is the same as JSON Schema. Both are
written by `python scripts/summary_schema.py`.
"""
_NOT_SHOWN = {"$ref", "type", "description", "items", "enum", "anyOf", "additionalProperties", "propertyNames",
              "uniqueItems"}  # fmt: skip


def text() -> str:
    """Return the content of the schema."""
    return json.dumps(schema_of(Summary, "summary.json"), indent=2) + "\n"


def page() -> str:
    """Return the content of the page: a section for each object, the whole first."""
    whole = schema_of(Summary, "summary.json")
    sections = {"The whole": whole, **whole["$defs"]}
    return INTRODUCTION + "".join(f"\n## {name}\n\n{_section(schema)}" for name, schema in sections.items())


def _section(schema: dict[str, Any]) -> str:
    always = set(schema["required"])
    rows = [
        f"| `{name}` | {_type(key)}{'' if name in always else ', may be left out'} | {_cell(key['description'])} |\n"
        for name, key in schema["properties"].items()
    ]
    return f"{schema['description']}\n\n| key | type | what it is |\n|---|---|---|\n{''.join(rows)}"


def _type(key: dict[str, Any]) -> str:
    """Return a type in words: 'number or null, from 0', 'list of [Layer](#layer)'."""
    if "$ref" in key:
        name = key["$ref"].rsplit("/", 1)[1]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in key:
        return " or ".join(map(_type, key["anyOf"]))
    if "enum" in key:
        return " or ".join("null" if word is None else f"`{word}`" for word in key["enum"])
    kinds = key.get("type", "anything")
    words = kinds if isinstance(kinds, str) else " or ".join(kinds)
    if "items" in key:
        each = "different " if key.get("uniqueItems") else ""
        words = words.replace("array", f"list of {each}{_type(key['items'])}")
    if isinstance(key.get("additionalProperties"), dict):
        names = f"{_type(key['propertyNames'])}: " if "propertyNames" in key else ""
        words = words.replace("object", f"table of {names}{_type(key['additionalProperties'])}")
    limits = {"minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below",
              "minItems": "at least", "maxItems": "at most"}  # fmt: skip
    unknown = set(key) - _NOT_SHOWN - set(limits)
    if unknown:
        raise SystemExit(f"the page has no words for {', '.join(sorted(unknown))}")
    said = [f"{word} {key[limit]:g}" for limit, word in limits.items() if limit in key]
    return f"{words}, {' '.join(said)}" if said else words


def _cell(sentence: str) -> str:
    return sentence.replace("|", "\\|")


if __name__ == "__main__":
    FILE.write_text(text())
    PAGE.write_text(page())

"""Write a profile that differs from another in some numbers, as TOML that extends it."""

from __future__ import annotations

from collections.abc import Iterable

from .schema import HardwareProfile


def as_toml(profile: HardwareProfile, extends: str, name: str, changed: Iterable[str]) -> str:
    """Return the text of a profile that extends ``extends`` and holds the numbers with the keys ``changed``."""
    numbers, sections = profile.quantities(), dict[str, list[str]]()
    for key in changed:
        section, _, field = key.partition(".")
        number = numbers[key]
        ends = f"value = {number.value!r}, low = {number.low!r}, high = {number.high!r}"
        words = f'unit = "{number.unit}", basis = "{number.basis}", source = {_quoted(number.source)}'
        sections.setdefault(section, []).append(f"{field} = {{ {ends}, {words} }}")
    head = [f"extends = {_quoted(extends)}", f"name = {_quoted(name)}", f"title = {_quoted(profile.title)}"]
    return "\n".join([*head, *(line for name, rows in sections.items() for line in ("", f"[{name}]", *rows))]) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

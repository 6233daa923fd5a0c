"""Read a profile: TOML, merged over the profile it extends; errors name file, key and value."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import MISSING, fields
from importlib.resources import files
from math import inf
from os.path import isfile, normpath
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from .. import arguments
from ..choices import BOUNDARIES
from ..errors import InputError
from ..intake import read_toml
from .quantity import BASES, Quantity
from .schema import (
    ENCODINGS,
    LARGEST,
    RESOURCES,
    SCOPES,
    SIGNED_UNIT,
    UNLIMITED,
    HardwareProfile,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Table = dict[str, Any]


def list_profiles() -> tuple[str, ...]:
    """Return the names of the profiles in the package."""
    names = (path.name for path in _shipped().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_profile(name_or_path: str | Path) -> HardwareProfile:
    """Return a profile of the package by its name, or a profile of yours by its path.

    Raises InputError for an unknown name, and for a profile that breaks the schema.
    """
    file = _find(str(arguments.path(name_or_path, "target")), Path())
    return _parse(_table(file), file.name)


class _File(NamedTuple):
    """A profile's file; ``name`` is its name in messages, ``folder`` where it may extend files from."""

    name: str
    content: Any
    folder: Path


def _find(name_or_path: str, folder: Path) -> _File:
    if name_or_path in list_profiles():
        name = f"{name_or_path}.toml"
        return _File(name, _shipped().joinpath(name), Path())
    path = Path(normpath(folder / name_or_path))
    if path.suffix != ".toml":
        known = f"known targets: {', '.join(list_profiles())}; or the path of a profile, as my_chip.toml"
        raise InputError(f"unknown target '{name_or_path}'", known)
    return _File(str(path), path, path.parent)


def _is_profile(path: Path) -> bool:
    return path.suffix == ".toml" and isfile(path)  # noqa: PTH113 (Path.is_file raises for a name that is too long)


def _shipped() -> Any:
    return files("bim_neuro").joinpath("hardware_profiles")


class _Key(NamedTuple):
    """The file and key of a value."""

    file: str
    path: str = ""

    def __truediv__(self, name: str) -> _Key:
        return _Key(self.file, f"{self.path}.{name}" if self.path else name)

    def refusal(self, value: object, allowed: str) -> InputError:
        return InputError(f"{self.file}: '{self.path}' is {value}, allowed: {allowed}")


def _table(file: _File, heirs: tuple[_File, ...] = ()) -> Table:
    """Return a file's table, merged over that of the profile it extends; ``heirs`` extend this one, first to last."""
    table = _toml(file)
    if "extends" not in table:
        return table
    base = _base(table.pop("extends"), file, heirs)
    inherited = _table(base, (*heirs, file))
    _parse(inherited, base.name)  # so that a broken base is refused under its own name
    kept = {name: entry for name, entry in inherited.items() if name not in ("name", "title")}
    return _merged(_without_power(kept, table), table)


def _without_power(inherited: Table, own: Table) -> Table:
    """Leave out the power of another chip and board where a profile has a static power of its own."""
    energy, theirs = own.get("energy"), inherited.get("energy")
    if not isinstance(energy, dict) or not isinstance(theirs, dict) or "static_mw" not in energy:
        return inherited
    return {**inherited, "energy": {key: entry for key, entry in theirs.items() if key not in ("chip_mw", "board_mw")}}


def _base(name: object, file: _File, heirs: tuple[_File, ...]) -> _File:
    """Return the file that ``file`` extends; refused if there is none, or if profiles extend each other in a circle."""
    key, known = _Key(file.name, "extends"), list_profiles()
    if not isinstance(name, str) or not (name in known or _is_profile(file.folder / name)):
        raise key.refusal(f"{name!r:.60}", f"{', '.join(known)}, or a .toml file's path from this one")
    base = _find(name, file.folder)
    chain = (*heirs, file, base)
    if base in chain[:-1]:
        circle = " > ".join(link.name for link in chain[chain.index(base) :])
        raise key.refusal(f"{name!r:.60}", f"a profile that does not extend this one ({circle})")
    return base


def _toml(file: _File) -> Table:
    if str(file.content) != file.name:
        return tomllib.loads(file.content.read_text())  # one of ours
    hint = "docs/adding_a_chip.md shows a profile"
    try:
        return read_toml(file.content, hint)
    except InputError as error:
        raise InputError(f"cannot read the profile: {error.message}", error.hint or hint) from None


def _merged(inherited: Table, own: Table) -> Table:
    """Return ``inherited`` with the entries of ``own``; sections are merged, a number is replaced as a whole."""
    merged = dict(inherited)
    for name, entry in own.items():
        old = merged.get(name)
        if isinstance(entry, dict) and isinstance(old, dict) and "basis" not in old:
            entry = _merged(old, entry)
        merged[name] = entry
    return merged


def _parse(table: Mapping[str, Any], file: str) -> HardwareProfile:
    top = _Key(file)
    profile: HardwareProfile = _section(HardwareProfile, table, top)
    for check in (_check_counts, _check_memory, _check_scope, _check_boundary):
        check(profile, top)
    return profile


def _section(schema: type[Any], table: Mapping[str, Any], key: _Key) -> Any:
    """Read a table as a dataclass: the same keys, each of its field's type."""
    types = get_type_hints(schema, include_extras=True)
    optional = {field.name for field in fields(schema) if field.default is not MISSING}
    _check_keys(table, types, key, optional)
    return schema(**{name: _value(kind, table[name], key / name) for name, kind in types.items() if name in table})


def _value(kind: Any, value: Any, key: _Key) -> Any:
    if kind is str:
        return _text(value, key)
    if kind is bool:
        if not isinstance(value, bool):
            raise key.refusal(f"{value!r:.60}", "true, false")
        return value
    if not isinstance(value, Mapping):
        raise key.refusal(f"{value!r:.60}", f"a table {{{', '.join(f.name for f in fields(Quantity))}}}")
    if get_origin(kind) is Annotated:
        return _quantity(value, key, units=get_args(kind)[1:])
    if get_origin(kind) is dict:
        return {name: _value(get_args(kind)[1], entry, key / name) for name, entry in value.items()}
    return _section(kind, value, key)


def _quantity(table: Mapping[str, Any], key: _Key, units: tuple[str, ...]) -> Quantity:
    """Read {value, low, high, unit, basis, source}; an unpublished number has no value, low and high."""
    numbers, words = ("value", "low", "high"), ("unit", "basis", "source")
    unpublished = table.get("basis") == "unpublished"
    _check_keys(table, words if unpublished else (*numbers, *words), key)
    for name, allowed in (("unit", units), ("basis", BASES)):
        if table[name] not in allowed:
            raise (key / name).refusal(f"{table[name]!r:.60}", ", ".join(allowed))
    source = _text(table["source"], key / "source")
    if unpublished:
        return Quantity(None, None, None, table["unit"], "unpublished", source)
    value, low, high = (_number(table[name], key / name, table["unit"]) for name in numbers)
    if not low <= value <= high:
        raise key.refusal(f"low {low}, value {value}, high {high}", "low <= value <= high")
    return Quantity(value, low, high, table["unit"], table["basis"], source)


def _check_keys(table: Mapping[str, Any], allowed: Iterable[str], key: _Key, optional: Collection[str] = ()) -> None:
    names = list(allowed)
    for name in table:
        if name not in names:
            raise InputError(f"{key.file}: unknown key {(key / name).path!r}, allowed: {', '.join(names)}")
    for name in names:
        if name not in table and name not in optional:
            raise InputError(f"{key.file}: '{(key / name).path}' is missing, needed: {', '.join(names)}")


def _text(value: object, key: _Key) -> str:
    if not isinstance(value, str) or not value.strip():
        raise key.refusal(f"{value!r:.60}", "a text")
    return value


def _number(value: object, key: _Key, unit: str) -> float:
    most = LARGEST[unit]
    least = -most if unit == SIGNED_UNIT else 0
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise key.refusal(f"{value!r:.60}", "a number")
    if least <= value <= most or (value == inf and unit in UNLIMITED):
        return value
    unlimited = " (inf where nothing limits)" if unit in UNLIMITED else ""
    raise key.refusal(f"{value!r:.60}", f"a number from {least:g} to {most:g} {unit}{unlimited}")


def _check_counts(profile: HardwareProfile, top: _Key) -> None:
    """Refuse counts of chips, cores and rows that are not whole numbers."""
    counts = {"board.chips": profile.board.chips, "board.chip_columns": profile.board.chip_columns}
    if profile.capacity.cores.value != inf:
        counts |= {f"capacity.{name}": getattr(profile.capacity, name) for name in ("cores", "mesh_columns")}
    for name, quantity in counts.items():
        count = quantity.value
        if count is None or not 1 <= count < inf or count != int(count):
            unlimited = " (inf for a simulation)" if name == "capacity.cores" else ""
            raise (top / name).refusal(_said(quantity), f"a whole number, 1 or more{unlimited}")


def _check_memory(profile: HardwareProfile, top: _Key) -> None:
    """Refuse cores without a known memory layout, and unknown encodings."""
    for name in profile.encoding:
        if name not in ENCODINGS:
            raise InputError(f"{top.file}: unknown key 'encoding.{name}', allowed: {', '.join(ENCODINGS)}")
    if profile.usable_cores is None:
        return
    if "dense" not in profile.encoding:
        raise InputError(f"{top.file}: 'encoding.dense' is missing, needed as there are cores")
    if all(getattr(profile.capacity, name).number == inf for name in RESOURCES):
        message = f"{top.file}: there are cores, but nothing limits what one holds"
        raise InputError(message, f"give a number for one of capacity.{', '.join(RESOURCES)}, or inf for cores")
    for name, quantity in profile.quantities().items():
        least = 1 if name == "memory.word_bits" else 0
        if name.startswith(("memory.", "encoding.")) and not least <= quantity.number < inf:
            raise (top / name).refusal(_said(quantity), f"a number, {least} or more, as there are cores")


def _said(quantity: Quantity) -> str:
    return f"{quantity.value}" if quantity.published else quantity.basis


def _check_boundary(profile: HardwareProfile, top: _Key) -> None:
    if profile.boundary not in BOUNDARIES:
        raise (top / "boundary").refusal(repr(profile.boundary), ", ".join(BOUNDARIES))


def _check_scope(profile: HardwareProfile, top: _Key) -> None:
    """Refuse an all-in price beside prices of terms that it already contains."""
    scope = profile.energy.scope
    if scope not in SCOPES:
        raise (top / "energy.scope").refusal(repr(scope), ", ".join(SCOPES))
    for name, quantity in profile.quantities().items() if scope == "all_in" else ():
        if name.startswith("energy.") and name != "energy.synop_pj" and quantity.published:
            raise (top / name).refusal(quantity.value, "unpublished, because an all_in synop_pj contains it")

"""Hardware profiles: a chip is a table, and every number in it has a range, a unit, a basis and a source.

The dataclasses are the schema of hardware_profiles/*.toml: a section is a class, a key is a field, and nothing else is
read. How to add a chip: docs/adding_a_chip.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from importlib.resources import files
from math import inf, isnan
from pathlib import Path
from typing import Any, NamedTuple, TypeVar, get_type_hints

from .errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

BASES = ("metered", "measured", "simulated", "calibrated", "derived", "assumed", "unpublished")
"""How a number is known, strongest first; hardware_profiles/README.md says what each word means."""

SCOPES = ("per_term", "all_in")
"""What a price covers: one kind of event, or everything the chip spends divided by its synaptic operations."""

T = TypeVar("T")


@dataclass(frozen=True)
class Quantity:
    """A number with its range; ``value`` is inf where nothing limits, and None where ``basis`` is 'unpublished'."""

    value: float | None
    low: float | None
    high: float | None
    unit: str
    basis: str
    source: str

    @property
    def number(self) -> float:
        """The value, or inf where it is unpublished: what is not known does not bind."""
        return inf if self.value is None else self.value

    @property
    def published(self) -> bool:
        return self.value is not None


def weakest_basis(quantities: Iterable[Quantity]) -> str:
    """Return the weakest basis among the quantities, 'unpublished' where there are none."""
    return max((quantity.basis for quantity in quantities), key=BASES.index, default="unpublished")


def _in(*units: str) -> Any:
    """Declare a quantity of the schema by the units it may have."""
    return field(metadata={"units": units})


@dataclass(frozen=True)
class Capacity:
    """What there is: cores on the chip, and what each core holds. The names are those of `Core.resources`."""

    cores: Quantity = _in("cores")
    mesh_columns: Quantity = _in("cores")  # cores a row of the mesh
    neuron_words: Quantity = _in("words")
    synapse_words: Quantity = _in("words")
    axon_in_words: Quantity = _in("words")
    axon_map_words: Quantity = _in("words")
    axon_mem_words: Quantity = _in("words")
    core_words: Quantity = _in("words")  # all of the above together
    groups: Quantity = _in("groups")  # neuron models on a core
    neuron_state_words: Quantity = _in("words")  # of one neuron


@dataclass(frozen=True)
class Memory:
    """What things take: a synapse list is a header and, for each target, a weight and an index."""

    word_bits: Quantity = _in("bits")
    list_header_bits: Quantity = _in("bits")
    list_index_bits: Quantity = _in("bits")
    axon_in_words: Quantity = _in("words")  # a list
    axon_map_words: Quantity = _in("words")  # a neuron and outgoing edge
    axon_mem_words: Quantity = _in("words")  # a neuron and outgoing edge


@dataclass(frozen=True)
class Numeric:
    """How wide the chip's numbers are, sign included; a threshold has no sign."""

    weight_bits: Quantity = _in("bits")
    state_bits: Quantity = _in("bits")
    message_bits: Quantity = _in("bits")
    v_threshold_bits: Quantity = _in("bits")
    delay_steps: Quantity = _in("steps")


@dataclass(frozen=True)
class Timing:
    """How fast the chip steps; ``step_us`` is the least a step takes."""

    step_us: Quantity = _in("us")


@dataclass(frozen=True)
class Energy:
    """What an event costs. ``scope`` is one of SCOPES; with 'all_in' only ``synop_pj`` may have a value."""

    scope: str
    synop_pj: Quantity = _in("pJ")
    update_pass_pj: Quantity = _in("pJ")  # one pass of a neuron's program
    hop_east_west_pj: Quantity = _in("pJ")
    hop_north_south_pj: Quantity = _in("pJ")
    message_pj: Quantity = _in("pJ")  # generating and sending one
    input_message_pj: Quantity = _in("pJ")  # bringing one onto the chip
    barrier_pj: Quantity = _in("pJ")  # one synchronisation a step
    static_mw: Quantity = _in("mW")
    host_mw: Quantity = _in("mW")


@dataclass(frozen=True)
class Capabilities:
    """What the chip can do; ``microcode`` says whether it runs neuron programs of our own."""

    microcode: bool


@dataclass(frozen=True)
class HardwareProfile:
    """One target. ``passes_per_update`` is keyed by node kind, in 'passes' or in 'passes/state'."""

    name: str
    title: str
    process: str
    capacity: Capacity
    memory: Memory
    numeric: Numeric
    timing: Timing
    energy: Energy
    capabilities: Capabilities
    passes_per_update: dict[str, Quantity] = _in("passes", "passes/state")

    @property
    def usable_cores(self) -> int | None:
        """How many cores a program may use; None for a simulation, where nothing has to be placed."""
        cores = self.capacity.cores.number
        return int(cores) if cores < inf else None

    def quantities(self) -> dict[str, Quantity]:
        """Return every number of the profile by its key, as 'energy.synop_pj'."""
        found = {f"passes_per_update.{kind}": passes for kind, passes in self.passes_per_update.items()}
        for section in (self.capacity, self.memory, self.numeric, self.timing, self.energy):
            prefix = type(section).__name__.lower()
            values = {f"{prefix}.{f.name}": getattr(section, f.name) for f in fields(section)}
            found |= {key: value for key, value in values.items() if isinstance(value, Quantity)}
        return found


def list_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    return tuple(sorted(path.name[: -len(".toml")] for path in _folder().iterdir() if path.name.endswith(".toml")))


def load_profile(name_or_path: str) -> HardwareProfile:
    """Return a profile of the package by its name, or a profile of yours by its path.

    Raises InputError for an unknown name, and for a profile that breaks the schema.
    """
    if name_or_path in list_profiles():
        return _parse(_folder().joinpath(f"{name_or_path}.toml").read_bytes(), f"{name_or_path}.toml")
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = f"known targets: {', '.join(list_profiles())}; or give the path of a profile, my_chip.toml"
        raise InputError(f"unknown target '{name_or_path}'", known)
    try:
        return _parse(path.read_bytes(), name_or_path)
    except OSError as error:
        raise InputError(f"cannot read the profile {name_or_path}: {error.strerror or error}") from None


def _folder() -> Any:
    return files("bim_neuro").joinpath("hardware_profiles")


class _Key(NamedTuple):
    """Where in which file a value stands."""

    file: str
    key: str

    def __truediv__(self, name: str) -> _Key:
        return _Key(self.file, f"{self.key}.{name}" if self.key else name)

    def refuse(self, value: object, allowed: str) -> InputError:
        return InputError(f"{self.file}: '{self.key}' is {value!r}, allowed: {allowed}")


def _parse(content: bytes, file: str) -> HardwareProfile:
    top = _Key(file, "")
    try:
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not TOML: {error}", "a profile looks like the one in docs/adding_a_chip.md") from None
    profile = _section(HardwareProfile, table, top)
    _check_cores(profile, top)
    _check_scope(profile, top)
    return profile


def _section(schema: type[T], table: Mapping[str, Any], key: _Key) -> T:
    """Read a table as a dataclass: the same keys, each of its field's type."""
    types = get_type_hints(schema)
    _check_keys(table, types, key)
    units = {f.name: f.metadata.get("units", ()) for f in fields(schema)}  # type: ignore[arg-type]
    return schema(**{name: _value(types[name], table[name], key / name, units[name]) for name in types})


def _value(kind: Any, value: Any, key: _Key, units: tuple[str, ...]) -> Any:
    if kind in (str, bool):
        if not isinstance(value, kind) or value == "":
            raise key.refuse(value, "true or false" if kind is bool else "a text")
        return value
    if not isinstance(value, Mapping):
        raise key.refuse(value, "a table")
    if is_dataclass(kind) and kind is not Quantity:
        return _section(kind, value, key)
    if kind is Quantity:
        return _quantity(value, key, units)
    return {name: _value(Quantity, entry, key / name, units) for name, entry in value.items()}


def _quantity(table: Mapping[str, Any], key: _Key, units: tuple[str, ...]) -> Quantity:
    """Read {value, low, high, unit, basis, source}; an unpublished number has no value, low and high."""
    unpublished = table.get("basis") == "unpublished"
    names = [f.name for f in fields(Quantity)]
    _check_keys(table, names[3:] if unpublished else names, key)
    for name, allowed in (("unit", units), ("basis", BASES)):
        if table[name] not in allowed:
            raise (key / name).refuse(table[name], ", ".join(allowed))
    source = _value(str, table["source"], key / "source", ())
    if unpublished:
        return Quantity(None, None, None, table["unit"], "unpublished", source)
    for name in names[:3]:
        _check_number(table[name], key / name)
    low, value, high = table["low"], table["value"], table["high"]
    if not low <= value <= high:
        raise key.refuse(f"low {low}, value {value}, high {high}", "low <= value <= high")
    return Quantity(value, low, high, table["unit"], table["basis"], source)


def _check_keys(table: Mapping[str, Any], allowed: Iterable[str], key: _Key) -> None:
    names = list(allowed)
    for name in table:
        if name not in names:
            raise InputError(f"{key.file}: unknown key '{(key / name).key}', allowed: {', '.join(names)}")
    for name in names:
        if name not in table:
            raise InputError(f"{key.file}: '{(key / name).key}' is missing, allowed: {', '.join(names)}")


def _check_number(value: object, key: _Key) -> None:
    """Accept 0 to inf; a TOML integer has 64 bits."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not number or isnan(min(value, 2**63)) or value < 0 or (isinstance(value, int) and value >= 2**63):  # type: ignore
        raise key.refuse(value, "a number, 0 or more (inf where nothing limits)")


def _check_cores(profile: HardwareProfile, top: _Key) -> None:
    """Refuse cores whose number, shape or word sizes are not known: nothing could be placed on them."""
    capacity, memory = profile.capacity, profile.memory
    if not capacity.cores.published:
        raise (top / "capacity.cores").refuse("unpublished", "a number, or inf for a simulation")
    needed = {"capacity.mesh_columns": capacity.mesh_columns}
    needed |= {f"memory.{f.name}": getattr(memory, f.name) for f in fields(memory)}
    if profile.usable_cores is None:
        return
    for key, quantity in needed.items():
        if not quantity.number < inf:
            raise (top / key).refuse(quantity.value or "unpublished", "a number, since capacity.cores is one")
    for key in ("capacity.mesh_columns", "memory.word_bits"):
        if needed[key].number < 1:
            raise (top / key).refuse(needed[key].value, "1 or more")


def _check_scope(profile: HardwareProfile, top: _Key) -> None:
    """Refuse an all-in price beside prices of terms that it already contains."""
    energy = profile.energy
    if energy.scope not in SCOPES:
        raise (top / "energy.scope").refuse(energy.scope, ", ".join(SCOPES))
    for f in fields(energy):
        price = getattr(energy, f.name)
        if energy.scope == "all_in" and f.name not in ("scope", "synop_pj") and price.published:
            raise (top / "energy" / f.name).refuse(price.value, "unpublished, since an all_in synop_pj contains it")

"""Hardware profiles: a chip is a table, and every number in it has a range, a unit, a basis and a source.

The dataclasses are the schema of hardware_profiles/*.toml: a section is a class, a key is a field, and there
are no other keys. How to add a chip: docs/adding_a_chip.md.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from importlib.resources import files
from math import inf
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin, get_type_hints

from .errors import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# How a number is known, strongest first; hardware_profiles/README.md says what each word means.
BASES = ("metered", "measured", "simulated", "calibrated", "derived", "assumed", "unpublished")

# What a price covers: one kind of event, or all that the chip spends, divided by its synaptic operations.
SCOPES = ("per_term", "all_in")


@dataclass(frozen=True)
class Quantity:
    """A number and its range: inf where nothing limits, None where ``basis`` is 'unpublished'."""

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


Cores = Annotated[Quantity, "cores"]
Words = Annotated[Quantity, "words"]
Groups = Annotated[Quantity, "groups"]
Bits = Annotated[Quantity, "bits"]
Steps = Annotated[Quantity, "steps"]
Microseconds = Annotated[Quantity, "us"]
Picojoules = Annotated[Quantity, "pJ"]
Milliwatts = Annotated[Quantity, "mW"]
Passes = Annotated[Quantity, "passes", "passes/state"]


@dataclass(frozen=True)
class Capacity:
    """What there is: cores on the chip, and what each core holds (the names of `Core.resources`)."""

    cores: Cores
    mesh_columns: Cores  # cores a row of the mesh
    neuron_words: Words
    synapse_words: Words
    axon_in_words: Words
    axon_map_words: Words
    axon_mem_words: Words
    core_words: Words  # all of the above together
    groups: Groups  # neuron models on a core
    neuron_state_words: Words  # of one neuron


@dataclass(frozen=True)
class Memory:
    """What things take: a synapse list is a header and, for each target, a weight and an index."""

    word_bits: Bits
    list_header_bits: Bits
    list_index_bits: Bits
    axon_in_words: Words  # a list
    axon_map_words: Words  # a neuron and outgoing edge
    axon_mem_words: Words  # a neuron and outgoing edge


@dataclass(frozen=True)
class Numeric:
    """How wide the chip's numbers are, sign included; a threshold has no sign."""

    weight_bits: Bits
    state_bits: Bits
    message_bits: Bits
    v_threshold_bits: Bits
    delay_steps: Steps


@dataclass(frozen=True)
class Timing:
    """How fast the chip steps; ``step_us`` is the least a step takes."""

    step_us: Microseconds


@dataclass(frozen=True)
class Energy:
    """What an event costs. ``scope`` is one of SCOPES; with 'all_in' only ``synop_pj`` may have a value."""

    scope: str
    synop_pj: Picojoules
    update_pass_pj: Picojoules  # one pass of a neuron's program
    hop_east_west_pj: Picojoules
    hop_north_south_pj: Picojoules
    message_pj: Picojoules  # generating and sending one
    input_message_pj: Picojoules  # bringing one onto the chip
    barrier_pj: Picojoules  # one synchronisation a step
    static_mw: Milliwatts
    host_mw: Milliwatts


@dataclass(frozen=True)
class Capabilities:
    """What the chip can do; ``microcode`` says whether it runs neuron programs of our own."""

    microcode: bool


@dataclass(frozen=True)
class HardwareProfile:
    """One target. ``passes_per_update`` is keyed by node kind."""

    name: str
    title: str
    process: str
    capacity: Capacity
    memory: Memory
    numeric: Numeric
    timing: Timing
    energy: Energy
    passes_per_update: dict[str, Passes]
    capabilities: Capabilities

    @property
    def usable_cores(self) -> int | None:
        """How many cores a program may use; None for a simulation, where nothing has to be placed."""
        cores = self.capacity.cores.number
        return int(cores) if cores < inf else None

    def quantities(self) -> dict[str, Quantity]:
        """Return every number of the profile by its key, as 'energy.synop_pj'."""
        found: dict[str, Quantity] = {}
        for name in ("capacity", "memory", "numeric", "timing", "energy"):
            section = getattr(self, name)
            values = {f"{name}.{f.name}": getattr(section, f.name) for f in fields(section)}
            found |= {key: value for key, value in values.items() if isinstance(value, Quantity)}
        passes = {f"passes_per_update.{kind}": value for kind, value in self.passes_per_update.items()}
        return found | passes


def list_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the package."""
    names = (path.name for path in _folder().iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml")))


def load_profile(name_or_path: str) -> HardwareProfile:
    """Return a profile of the package by its name, or a profile of yours by its path.

    Raises InputError for an unknown name, and for a profile that breaks the schema.
    """
    if name_or_path in list_profiles():
        return _parse(_folder().joinpath(f"{name_or_path}.toml").read_bytes(), f"{name_or_path}.toml")
    path = Path(name_or_path)
    if path.suffix != ".toml":
        known = f"known targets: {', '.join(list_profiles())}; or the path of a profile, as my_chip.toml"
        raise InputError(f"unknown target '{name_or_path}'", known)
    try:
        return _parse(path.read_bytes(), name_or_path)
    except (OSError, ValueError) as error:  # ValueError: a path with a null byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the profile {name_or_path}: {reason}") from None


def _folder() -> Any:
    return files("bim_neuro").joinpath("hardware_profiles")


class _Key(NamedTuple):
    """Where in which file a value stands."""

    file: str
    path: str = ""

    def __truediv__(self, name: str) -> _Key:
        return _Key(self.file, f"{self.path}.{name}" if self.path else name)

    def refusal(self, value: object, allowed: str) -> InputError:
        return InputError(f"{self.file}: '{self.path}' is {value}, allowed: {allowed}")


def _parse(content: bytes, file: str) -> HardwareProfile:
    try:
        table = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file} is not TOML: {error}", "docs/adding_a_chip.md shows a profile") from None
    profile: HardwareProfile = _section(HardwareProfile, table, _Key(file))
    _check_cores(profile, _Key(file))
    _check_scope(profile, _Key(file))
    return profile


def _section(schema: type[Any], table: Mapping[str, Any], key: _Key) -> Any:
    """Read a table as a dataclass: the same keys, each of its field's type."""
    types = get_type_hints(schema, include_extras=True)
    _check_keys(table, types, key)
    return schema(**{name: _value(kind, table[name], key / name) for name, kind in types.items()})


def _value(kind: Any, value: Any, key: _Key) -> Any:
    if kind is str:
        return _text(value, key)
    if kind is bool:
        if not isinstance(value, bool):
            raise key.refusal(repr(value), "true, false")
        return value
    if not isinstance(value, Mapping):
        raise key.refusal(repr(value), f"a table {{{', '.join(f.name for f in fields(Quantity))}}}")
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
            raise (key / name).refusal(repr(table[name]), ", ".join(allowed))
    source = _text(table["source"], key / "source")
    if unpublished:
        return Quantity(None, None, None, table["unit"], "unpublished", source)
    value, low, high = (_number(table[name], key / name) for name in numbers)
    if not low <= value <= high:
        raise key.refusal(f"low {low}, value {value}, high {high}", "low <= value <= high")
    return Quantity(value, low, high, table["unit"], table["basis"], source)


def _check_keys(table: Mapping[str, Any], allowed: Iterable[str], key: _Key) -> None:
    names = list(allowed)
    for name in table:
        if name not in names:
            raise InputError(f"{key.file}: unknown key {(key / name).path!r}, allowed: {', '.join(names)}")
    for name in names:
        if name not in table:
            raise InputError(f"{key.file}: '{(key / name).path}' is missing, needed: {', '.join(names)}")


def _text(value: object, key: _Key) -> str:
    if not isinstance(value, str) or not value.strip():
        raise key.refusal(repr(value), "a text")
    return value


def _number(value: object, key: _Key) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool) and (0 <= value < 2**63 or value == inf):
        return value
    raise key.refusal(repr(value), "a number, 0 or more (inf where nothing limits)")


def _check_cores(profile: HardwareProfile, top: _Key) -> None:
    """Refuse cores whose number, mesh or word sizes are not known: nothing could be placed on them."""
    if not profile.capacity.cores.published:
        raise (top / "capacity.cores").refusal("unpublished", "a number, inf for a simulation")
    if profile.usable_cores is None:
        return
    for name, quantity in profile.quantities().items():
        if name == "capacity.mesh_columns" or name.startswith("memory."):
            least = 1 if name in ("capacity.mesh_columns", "memory.word_bits") else 0
            if not least <= quantity.number < inf:
                raise (top / name).refusal(quantity.value, f"a number, {least} or more, as there are cores")


def _check_scope(profile: HardwareProfile, top: _Key) -> None:
    """Refuse an all-in price beside prices of terms that it already contains."""
    scope = profile.energy.scope
    if scope not in SCOPES:
        raise (top / "energy.scope").refusal(repr(scope), ", ".join(SCOPES))
    for name, quantity in profile.quantities().items() if scope == "all_in" else ():
        if name.startswith("energy.") and name != "energy.synop_pj" and quantity.published:
            raise (top / name).refusal(quantity.value, "unpublished, as an all_in synop_pj contains it")

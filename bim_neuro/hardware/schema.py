"""The schema of hardware_profiles/*.toml: a section is a class, a key is a field, and there are no other keys."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from math import inf
from typing import Annotated

from ..choices import BOUNDARIES
from ..printable import outline
from .quantity import NO_MW, NO_NS, Quantity

# What a price covers: one kind of event, or all that the chip spends, divided by its synaptic operations.
SCOPES = ("per_term", "all_in")

# The unit of the only numbers that may be negative: exponents.
SIGNED_UNIT = "log2"

# The largest number of each unit: above it sums, tables and powers of two could overflow.
LARGEST = {
    "chips": 1e6,
    "cores": 1e6,
    "words": 1e12,
    "groups": 1e6,
    "traces": 1e3,
    "tags": 1e3,
    "bits": 256,
    "steps": 1e9,
    "us": 1e9,
    "ns": 1e9,
    "pJ": 1e9,
    "mW": 1e9,
    "passes": 1e6,
    "passes/state": 1e6,
    SIGNED_UNIT: 256,
}

# The units of which there may be any number (inf): what a core or a simulation holds.
UNLIMITED = ("cores", "words", "groups")

# What a core has a limit of, by the names of `Capacity`.
RESOURCES = (
    *("neuron_words", "synapse_words", "axon_in_words", "axon_map_words", "axon_mem_words", "core_words"),
    "groups",
)

# Formats of synapse lists: with zeros, without zeros, or one list shared by all positions of a conv kernel.
ENCODINGS = ("dense", "sparse", "shared")


Cores = Annotated[Quantity, "cores"]
Words = Annotated[Quantity, "words"]
Groups = Annotated[Quantity, "groups"]
Bits = Annotated[Quantity, "bits"]
Steps = Annotated[Quantity, "steps"]
Microseconds = Annotated[Quantity, "us"]
Picojoules = Annotated[Quantity, "pJ"]
Milliwatts = Annotated[Quantity, "mW"]
Nanoseconds = Annotated[Quantity, "ns"]
Passes = Annotated[Quantity, "passes", "passes/state"]
Chips = Annotated[Quantity, "chips"]
Traces = Annotated[Quantity, "traces"]
Tags = Annotated[Quantity, "tags"]
Exponent = Annotated[Quantity, SIGNED_UNIT]


@dataclass(frozen=True)
class Board:
    """How many chips there are, and their grid."""

    chips: Chips
    chip_columns: Chips  # chips a row of the board's grid

    __repr__ = outline


@dataclass(frozen=True)
class Capacity:
    """Resources: cores on a chip, and the limits of a core (the names of `Core.resources`)."""

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

    __repr__ = outline


@dataclass(frozen=True)
class Memory:
    """Memory use: a synapse list is a header and, for each target, a weight and an index (`Encoding`)."""

    word_bits: Bits
    list_header_bits: Bits
    axon_in_words: Words  # a list
    axon_map_words: Words  # a neuron and outgoing edge
    axon_mem_words: Words  # a neuron and outgoing edge

    __repr__ = outline


@dataclass(frozen=True)
class Encoding:
    """How many bits a synapse list takes per target, in addition to the weight."""

    index_bits: Bits


@dataclass(frozen=True)
class Numeric:
    """How wide the chip's numbers are, sign included; a threshold has no sign."""

    weight_bits: Bits
    state_bits: Bits
    message_bits: Bits
    v_threshold_bits: Bits
    delay_steps: Steps

    __repr__ = outline


@dataclass(frozen=True)
class Timing:
    """How fast the chip steps, and how long a core or a link is busy with one event.

    The last two may be left out: a LIF is then timed as microcode, and reads of synapse memory are untimed.
    """

    step_us: Microseconds  # the least a step takes
    synop_ns: Nanoseconds
    update_pass_ns: Nanoseconds  # one pass of a neuron's program
    hop_ns: Nanoseconds  # one message, one hop of the mesh
    chip_hop_ns: Nanoseconds  # one message, one link between chips
    barrier_us: Microseconds  # one synchronisation a step
    lif_update_ns: Nanoseconds = NO_NS  # one update of a hard-wired LIF
    read_ns: Nanoseconds = NO_NS  # one word of synapse memory

    __repr__ = outline


@dataclass(frozen=True)
class Energy:
    """Energy of an event, and static power of each of BOUNDARIES; a profile may leave out those of chip and board.

    ``scope`` is one of SCOPES; with 'all_in' only ``synop_pj`` may have a value.
    """

    scope: str
    synop_pj: Picojoules
    update_pass_pj: Picojoules  # one pass of a neuron's program
    hop_east_west_pj: Picojoules
    hop_north_south_pj: Picojoules
    hop_chip_pj: Picojoules  # one message, one link between chips
    message_pj: Picojoules  # generating and sending one
    input_message_pj: Picojoules  # sending one onto the chip
    barrier_pj: Picojoules  # one synchronisation a step
    learning_update_pj: Picojoules  # one plastic synapse, visited in one learning epoch
    static_mw: Milliwatts  # of the neurocores and their memories
    host_mw: Milliwatts  # of the embedded processors alone
    chip_mw: Milliwatts = NO_MW  # static, of the chips with their embedded processors
    board_mw: Milliwatts = NO_MW  # static, of the whole board

    __repr__ = outline


@dataclass(frozen=True)
class LearningEngine:
    """The learning engine: traces a neuron, tags a synapse, and rules that are sums of scaled products.

    A scale is a mantissa times two to an exponent between ``scale_exponent_low`` and ``scale_exponent_high``.
    """

    trace_bits: Bits
    pre_traces: Traces
    post_traces: Traces
    tags: Tags
    tag_bits: Bits  # sign included
    weight_bits: Bits  # of a plastic synapse, sign included
    scale_mantissa_bits: Bits  # sign included
    scale_exponent_low: Exponent
    scale_exponent_high: Exponent
    accumulator_bits: Bits
    epoch_steps: Steps  # the longest epoch

    __repr__ = outline


@dataclass(frozen=True)
class Capabilities:
    """Whether the chip runs neuron programs of our own (``microcode``), and whether it has a learning engine."""

    microcode: bool
    learning: bool


@dataclass(frozen=True)
class HardwareProfile:
    """One target: a chip, or a board of chips.

    ``encoding`` is keyed by what is in ENCODINGS, ``passes_per_update`` by node kind; ``boundary`` is of BOUNDARIES.
    """

    name: str
    title: str
    process: str
    board: Board
    capacity: Capacity
    memory: Memory
    encoding: dict[str, Encoding]
    numeric: Numeric
    timing: Timing
    energy: Energy
    passes_per_update: dict[str, Passes]
    learning: LearningEngine
    capabilities: Capabilities
    boundary: str = "chip"

    __repr__ = outline

    @property
    def powers(self) -> dict[str, Quantity]:
        """Return {boundary: its static power} in the order of BOUNDARIES."""
        energy = self.energy
        return dict(zip(BOUNDARIES, (energy.static_mw, energy.chip_mw, energy.board_mw), strict=True))

    @property
    def counted_boundary(self) -> str:
        """The boundary whose static power counts: ``boundary``, or cores where the profile has no figure for it."""
        return self.boundary if self.powers[self.boundary].published else BOUNDARIES[0]

    @property
    def static_mw(self) -> Quantity:
        """The static power that counts in energies."""
        return self.powers[self.counted_boundary]

    @property
    def cores_per_chip(self) -> int | None:
        """How many cores of a chip a program may use; None for a simulation, where nothing has to be placed."""
        cores = self.capacity.cores.number
        return int(cores) if cores < inf else None

    @property
    def usable_cores(self) -> int | None:
        """How many cores of all chips a program may use; None for a simulation."""
        cores = self.cores_per_chip
        return None if cores is None else cores * int(self.board.chips.number)

    def quantities(self) -> dict[str, Quantity]:
        """Return every number of the profile by its key, as 'energy.synop_pj'."""
        return dict(_quantities("", self))


def _quantities(key: str, value: object) -> Iterator[tuple[str, Quantity]]:
    if isinstance(value, Quantity):
        yield key, value
    elif isinstance(value, Mapping) or is_dataclass(value):
        entries = value if isinstance(value, Mapping) else {f.name: getattr(value, f.name) for f in fields(value)}
        for name, entry in entries.items():
            yield from _quantities(f"{key}.{name}" if key else name, entry)

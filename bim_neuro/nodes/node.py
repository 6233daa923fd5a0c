"""Base of all nodes: neurons that read summed input on named ports, update a state and send one message per step."""

from __future__ import annotations

from typing import ClassVar, NamedTuple, Protocol

from .arithmetic import Array

State = dict[str, Array]


class Step(NamedTuple):
    """Result of one step of a node: its new state, its messages (..., neurons), and how many values saturated."""

    state: State
    message: Array
    saturated: int = 0


def is_spiking(node: Node) -> bool:
    """Whether a node's messages are spikes, one or many a step; else they are values."""
    return node.kind == "lif" or (node.kind == "cuba" and getattr(node, "counts", "none") != "none")


def sends_one(node: Node) -> bool:
    """Whether a node sends one spike a step at most."""
    return is_spiking(node) and getattr(node, "counts", "one") == "one"


BIT_ACCURATE = ("LIFReset",)
"""Processes of Lava that have a model tagged bit_accurate_loihi; those of the others say fixed_pt and no more."""


def law_of(node: IntegerNode) -> str:
    """Return whose integer law a node is: 'lava-bit-accurate', 'lava-fixed-point' or 'ours'.

    The first is what Lava itself calls equal to the chip; no word of ours says so.
    """
    if not node.lava_process:
        return "ours"
    return "lava-bit-accurate" if node.lava_process in BIT_ACCURATE else "lava-fixed-point"


class Node(Protocol):
    """A population of equal neurons; a frozen dataclass of parameters with one law.

    ``ports`` names the dendritic accumulators and how wide each is; ``state_words`` is the state of one neuron.
    """

    kind: ClassVar[str]

    @property
    def neurons(self) -> int: ...

    @property
    def ports(self) -> dict[str, int]: ...

    def initial(self, batch: tuple[int, ...]) -> State: ...

    def step(self, state: State, inputs: dict[str, Array]) -> Step: ...


class IntegerNode(Node, Protocol):
    """A node that runs on the chip.

    ``lava_process`` names the process Lava ships for it ('' where it is ours and needs a microcode neuron); ``gated``
    nodes are silent and cleared outside their sample's window; ``message_bits`` is 1 for a spike.
    """

    lava_process: ClassVar[str]
    gated: ClassVar[bool]

    @property
    def message_bits(self) -> int: ...

    @property
    def state_words(self) -> int: ...

"""Ranges: the largest magnitudes of a node's message and registers, from which its integer formats follow.

They are measured on input (`compilers.calibrate`) and stored with the model; 0 means not measured.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import singledispatch

from ..errors import not_registered
from .cuba import Cuba
from .graded import Graded
from .lif import LIF
from .node import Node
from .product import Prod
from .readout import Readout
from .relay import Relay
from .scan import Scan, ScanRange
from .source import Source

Ranges = dict[str, float]


@singledispatch
def ranges_of(node: Node) -> Ranges:
    """Return {'v': 3.2}, each range by its name; nothing where the format does not depend on the input."""
    raise not_registered(node, "ranges_of", "bim_neuro/nodes/ranges.py")


@ranges_of.register(Source)
@ranges_of.register(LIF)
@ranges_of.register(Graded)
@ranges_of.register(Prod)
def _(node: Source | LIF | Graded | Prod) -> Ranges:
    return {}


@ranges_of.register
def _(node: Relay) -> Ranges:
    return {"message": node.message_range}


@ranges_of.register
def _(node: Readout) -> Ranges:
    return {"v": node.v_range}


@ranges_of.register
def _(node: Cuba) -> Ranges:
    return {"u": node.u_range, "v": node.v_range}


@ranges_of.register
def _(node: Scan) -> Ranges:
    return asdict(node.ranges)


def unmeasured(node: Node) -> tuple[str, ...]:
    """Return the names of the ranges that are not measured."""
    return tuple(name for name, largest in ranges_of(node).items() if not largest)


@singledispatch
def with_ranges(node: Node, ranges: Mapping[str, float]) -> Node:
    """Return the node with those of its ranges that ``ranges`` names."""
    raise not_registered(node, "with_ranges", "bim_neuro/nodes/ranges.py")


@with_ranges.register(Source)
@with_ranges.register(LIF)
@with_ranges.register(Graded)
@with_ranges.register(Prod)
def _(node: Source | LIF | Graded | Prod, ranges: Mapping[str, float]) -> Node:
    return node


@with_ranges.register
def _(node: Relay, ranges: Mapping[str, float]) -> Node:
    return replace(node, message_range=ranges.get("message", node.message_range))


@with_ranges.register
def _(node: Readout, ranges: Mapping[str, float]) -> Node:
    return replace(node, v_range=ranges.get("v", node.v_range))


@with_ranges.register
def _(node: Cuba, ranges: Mapping[str, float]) -> Node:
    return replace(node, u_range=ranges.get("u", node.u_range), v_range=ranges.get("v", node.v_range))


@with_ranges.register
def _(node: Scan, ranges: Mapping[str, float]) -> Node:
    known = asdict(node.ranges)
    return replace(node, ranges=ScanRange(**{name: ranges.get(name, known[name]) for name in known}))

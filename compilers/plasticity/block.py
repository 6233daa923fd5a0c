"""Plastic: a float graph whose last block and readout are to go on learning becomes integers with room to learn.

Plastic weights get one scale a layer and room to grow; formats get the same room; the trace process gets its
constants from the scan's, and the unit of every trace from the largest value seen on sample input (N20).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import floor, log2

import numpy as np

from ...errors import DoesNotFit, Finding
from ...graph import Edge, FloatGraph, IntegerGraph
from ...nodes import LIF, Dense, IntegerLIF, IntegerReadout, IntegerScan, Readout, Relay, Scan, ScanRange, Soma
from ...nodes.arithmetic import FRACTION_BITS, WORD_MAX, Array
from ...nodes.lif import ACCUMULATOR_SHIFT
from ...nodes.node import Node
from ...nodes.synapses import WEIGHT_MAX
from ...plasticity.request import Plasticity
from ...plasticity.trace_process.block import PlasticBlock
from ...plasticity.trace_process.law import NAMES, TraceProcess
from ...plasticity.trace_process.units import calibrate_units
from ..align import align
from ..calibrate import bounded
from ..quantise import as_factor, exponent_for, quantise_with_units
from .register_widths import check_products

SURROGATE_SLOPE = 2.0  # bim_neuro.model.block trains with it
ROOM = 2.0  # how far beyond its largest value a plastic weight may grow


@dataclass(frozen=True)
class Roles:
    """Which node and edge plays which part in the last block."""

    x: str
    relays: dict[str, str]
    scan: str
    lif: str
    readout: str
    edges: dict[str, Edge]  # by group


def plastic_block(reference: FloatGraph, plasticity: Plasticity, x: Array, room: float = ROOM) -> PlasticBlock:
    """Return the integers of ``reference`` ready to learn; x (samples, steps, lines) is encoded sample input."""
    roles = roles_of(reference)
    grown = _with_room(bounded(reference), roles, room)
    grows = room * WEIGHT_MAX / plasticity.weight_limit
    ports = {f"{edge.target}.{edge.port}": grows for edge in roles.edges.values()}
    integer, units = quantise_with_units(grown, ports)
    graph = align(integer)
    edges = roles_of(graph).edges
    block = PlasticBlock(
        graph=graph,
        exponents=units.exponents,
        edges={group: edge.name for group, edge in edges.items()},
        x=roles.x,
        relays=roles.relays,
        process=_process(grown, graph, roles, plasticity),
        omega=_omega(graph.nodes[roles.readout], x.shape[1]),
        error_factor=_error_factor(grown.nodes[roles.readout], x.shape[1]),
        readout=roles.readout,
        plasticity=plasticity,
    )
    block = replace(block, process=replace(block.process, units=calibrate_units(block, x)))
    check_products(block, roles.scan)
    return block


def roles_of(graph: FloatGraph | IntegerGraph) -> Roles:
    """Find the parts of the last block, or refuse the graph by name."""
    readout = graph.output
    into = [edge for edge in graph.into(readout) if isinstance(edge.synapse, Dense)]
    if not isinstance(graph.nodes[readout], (Readout, IntegerReadout)) or len(into) != 1:
        raise _no_block(readout, "is not a leaky readout of one block")
    lif = into[0].source
    wires = [edge for edge in graph.into(lif) if isinstance(edge.synapse, Soma)]
    if len(wires) != 1 or not isinstance(graph.nodes[wires[0].source], (Scan, IntegerScan)):
        raise _no_block(lif, "is not the soma of a selective scan")
    scan = wires[0].source
    relays = {port: next(e.source for e in graph.into(scan) if e.port == port) for port in ("u", "B", "C")}
    edges = {f"w_{port.lower()}": graph.into(name)[0] for port, name in relays.items()}
    edges["w_dt"] = next(edge for edge in graph.into(scan) if edge.port == "dt")
    edges["w_o"] = into[0]
    return Roles(edges["w_dt"].source, relays, scan, lif, readout, edges)


def _no_block(layer: str, why: str) -> DoesNotFit:
    hint = "learning on the chip needs a BIM block below the readout"
    return DoesNotFit([Finding("plastic-block", layer, f"layer '{layer}' {why}", hint=hint)])


def _with_room(graph: FloatGraph, roles: Roles, room: float) -> FloatGraph:
    """Widen the calibrated ranges of what plastic weights feed."""
    nodes: dict[str, Node] = dict(graph.nodes)
    for name in roles.relays.values():
        relay = nodes[name]
        assert isinstance(relay, Relay)
        nodes[name] = replace(relay, message_range=relay.message_range * room)
    scan, readout = nodes[roles.scan], nodes[roles.readout]
    assert isinstance(scan, Scan)
    assert isinstance(readout, Readout)
    r = scan.ranges
    nodes[roles.scan] = replace(scan, ranges=ScanRange(r.u * room, r.du * room, r.h * room, r.y * room))
    nodes[roles.readout] = replace(readout, v_range=readout.v_range * room)
    return graph.with_nodes(nodes)


def real_weights(
    reference: FloatGraph, weights: dict[str, Array], plasticity: Plasticity, room: float = ROOM
) -> FloatGraph:
    """Return the float graph with learnt weights in it, in the units that `plastic_block` gave their layers."""
    learnt = {}
    for group, edge in roles_of(reference).edges.items():
        assert isinstance(edge.synapse, Dense)
        unit = room * float(np.abs(edge.synapse.weight).max()) / plasticity.weight_limit
        learnt[edge.name] = Dense(weights[group] * unit)
    edges = tuple(replace(e, synapse=learnt[e.name]) if e.name in learnt else e for e in reference.edges)
    return replace(reference, edges=edges)


def soma_unit(real: Node, lif: IntegerLIF, layer: str) -> float:
    """Return the real value of one unit of a soma's voltage, a power of two; without a threshold there is none."""
    assert isinstance(real, LIF)
    if real.v_threshold <= 0 or lif.v_threshold <= 0:
        held = f"{lif.v_threshold} ({real.v_threshold:.3g} in float)"
        message = f"layer '{layer}' has a threshold of {held}, learning needs 1"
        hint = "learning measures how far a voltage is from its threshold, which must be above 0: train anew"
        raise DoesNotFit([Finding("plastic-threshold", layer, message, lif.v_threshold, 1, hint)])
    return float(2.0 ** round(log2(real.v_threshold / lif.v_threshold)) / 2**ACCUMULATOR_SHIFT)


def _process(reference: FloatGraph, graph: IntegerGraph, roles: Roles, plasticity: Plasticity) -> TraceProcess:
    scan, lif, real = graph.nodes[roles.scan], graph.nodes[roles.lif], reference.nodes[roles.scan]
    assert isinstance(scan, IntegerScan)
    assert isinstance(lif, IntegerLIF)
    assert isinstance(real, Scan)
    taps = sorted((e for e in graph.into(roles.scan) if e.port == "u"), key=lambda e: e.delay)
    conv = np.stack([np.asarray(edge.synapse.weight, np.int64) for edge in taps], axis=1)  # type: ignore[attr-defined]
    rate, rate_shift = as_factor(-real.a)
    drive_shift = _drive_shift(scan)
    unit = soma_unit(reference.nodes[roles.lif], lif, roles.lif)
    psi_factor, psi_shift = as_factor(np.asarray(unit * SURROGATE_SLOPE * 2**12))
    v_factor, v_shift = as_factor(np.asarray(unit * 2**12))
    return TraceProcess(
        scan=scan,
        lif=lif,
        conv=conv,
        rate=rate,
        rate_shift=rate_shift,
        drive_shift=drive_shift,
        skip_shift=scan.c_shift - scan.d_shift + scan.du_shift + scan.b_shift - drive_shift,
        psi_factor=int(psi_factor),
        psi_shift=psi_shift,
        v_factor=int(v_factor),
        v_shift=v_shift,
        units=dict.fromkeys(NAMES, np.zeros(scan.neurons, np.int64)),
        bits=plasticity.trace_bits,
        rounding=plasticity.rounding,
        seed=plasticity.seed,
    )


def _drive_shift(scan: IntegerScan) -> int:
    """Keep delta B, at delta = 1 and the largest B, inside a word."""
    return max(0, FRACTION_BITS + 15 - floor(log2(WORD_MAX)))


def _omega(readout: object, steps: int) -> Array:
    """Return what a spike of each step will count in the summed readout, the largest as 2^16 - 1."""
    assert isinstance(readout, IntegerReadout)
    gamma = readout.decay / 2**16
    counts = np.array([sum(gamma**later for later in range(steps - t)) for t in range(steps)])
    return np.asarray(np.rint(counts / counts.max() * (2**16 - 1)), np.int64)


def _error_factor(readout: object, steps: int) -> tuple[int, int]:
    """Return the factor and shift from summed readout words to log2 odds of the mean readout, in units of 2^-20."""
    assert isinstance(readout, Readout)
    exponent = min(exponent_for(readout.v_range, WORD_MAX), 20)
    factor, shift = as_factor(np.asarray(2.0 ** (FRACTION_BITS - exponent) * np.log2(np.e) / steps))
    return int(factor), shift

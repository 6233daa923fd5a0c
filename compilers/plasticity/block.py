"""Plastic block: quantise a float graph whose last block and readout continue to learn on the chip.

Plastic weights get one scale per layer and can grow by a factor (GROWTH); number formats get the same factor. The trace
process takes its constants from the scan, and the unit of every trace from its largest value on sample input (N20).
"""

from __future__ import annotations

from dataclasses import astuple, replace
from math import e, floor, log2

import numpy as np

from ...errors import DoesNotFit, Finding, InputError
from ...graph import FloatGraph, IntegerGraph
from ...nodes import LIF, Dense, IntegerLIF, IntegerReadout, Readout, ScanRange
from ...nodes.arithmetic import FRACTION_BITS, WORD_MAX, Array
from ...nodes.lif import ACCUMULATOR_SHIFT
from ...nodes.node import Node
from ...nodes.synapses import WEIGHT_MAX
from ...plasticity.request import Plasticity
from ...plasticity.trace_process.block import PlasticBlock
from ...plasticity.trace_process.law import NAMES, TraceProcess
from ...plasticity.trace_process.units import calibrate_units
from ..align import align
from ..calibrate import with_bounds
from ..quantise import quantise_with_units
from ..quantise_nodes import as_factor, exponent_for
from .register_widths import check_products
from .roles import Roles, conv_of, dense_weight, float_parts, integer_parts, roles_of

SURROGATE_SLOPE = 2.0  # as in training (bim_neuro.model.block)
GROWTH = 2.0  # factor by which the largest plastic weight may grow


def plastic_block(
    reference: FloatGraph, plasticity: Plasticity, x: Array, growth: float = GROWTH, read_from: int = 0
) -> PlasticBlock:
    """Return the integers of ``reference`` ready to learn; x (samples, steps, lines) is encoded sample input.

    Answer and error are of the mean readout from step ``read_from`` on, for tasks that ask late; `Engine` reads all.
    """
    steps = x.shape[1]
    if not 0 <= read_from < steps:
        raise InputError(f"the readout cannot be read from step {read_from!r:.20} of {steps}", f"0 to {steps - 1}")
    roles = roles_of(reference)
    grown = _with_growth(with_bounds(reference), roles, growth)
    factor = growth * WEIGHT_MAX / plasticity.weight_limit
    ports = {f"{edge.target}.{edge.port}": factor for edge in roles.edges.values()}
    integer, units = quantise_with_units(grown, ports)
    graph = align(integer)
    edges = roles_of(graph).edges
    block = PlasticBlock(
        graph=graph,
        exponents={name: round(exponent) for name, exponent in units.exponents.items()},  # of a BIM block: whole
        state_units=units.states,
        edges={group: edge.name for group, edge in edges.items()},
        x=roles.x,
        relays=roles.relays,
        process=_process(grown, graph, roles, plasticity),
        omega=_omega(integer_parts(graph, roles).readout, steps, read_from),
        error_factor=_error_factor(float_parts(grown, roles).readout, steps - read_from),
        readout=roles.readout,
        plasticity=plasticity,
        read_from=read_from,
    )
    block = replace(block, process=replace(block.process, units=calibrate_units(block, x)))
    check_products(block, roles.scan)
    return block


def _with_growth(graph: FloatGraph, roles: Roles, growth: float) -> FloatGraph:
    """Widen the calibrated ranges of the nodes behind plastic weights."""
    parts = float_parts(graph, roles)
    ranges = ScanRange(*(growth * largest for largest in astuple(parts.scan.ranges)))
    grown: dict[str, Node] = {
        roles.scan: replace(parts.scan, ranges=ranges),
        roles.readout: replace(parts.readout, v_range=parts.readout.v_range * growth),
        **{
            roles.relays[port]: replace(relay, message_range=relay.message_range * growth)
            for port, relay in parts.relays.items()
        },
    }
    return graph.with_nodes({**graph.nodes, **grown})


def real_weights(
    reference: FloatGraph, weights: dict[str, Array], plasticity: Plasticity, growth: float = GROWTH
) -> FloatGraph:
    """Return the float graph with the learnt weights, converted by the units that `plastic_block` gave their layers."""
    learnt = {}
    for group, edge in roles_of(reference).edges.items():
        unit = growth * float(np.abs(dense_weight(edge)).max()) / plasticity.weight_limit
        learnt[edge.name] = Dense(weights[group] * unit)
    edges = tuple(replace(e, synapse=learnt[e.name]) if e.name in learnt else e for e in reference.edges)
    return replace(reference, edges=edges)


def soma_unit(real: LIF, lif: IntegerLIF, layer: str) -> float:
    """Return the real value of one unit of a soma's voltage, a power of two; needs a threshold above 0."""
    if real.v_threshold <= 0 or lif.v_threshold <= 0:
        held = f"{lif.v_threshold} ({real.v_threshold:.3g} in float)"
        message = f"layer '{layer}' has a threshold of {held}, learning needs 1"
        hint = "learning uses the distance of the voltage to the threshold, which must be above 0: train again"
        raise DoesNotFit([Finding("plastic-threshold", layer, message, lif.v_threshold, 1, hint)])
    return float(2.0 ** round(log2(real.v_threshold / lif.v_threshold)) / 2**ACCUMULATOR_SHIFT)


def _process(reference: FloatGraph, graph: IntegerGraph, roles: Roles, plasticity: Plasticity) -> TraceProcess:
    real, parts = float_parts(reference, roles), integer_parts(graph, roles)
    scan, lif = parts.scan, parts.lif
    rate, rate_shift = as_factor(-real.scan.a)
    drive_shift = _drive_shift()
    unit = soma_unit(real.lif, lif, roles.lif)
    psi_factor, psi_shift = as_factor(np.asarray(unit * SURROGATE_SLOPE * 2**12))
    v_factor, v_shift = as_factor(np.asarray(unit * 2**12))
    return TraceProcess(
        scan=scan,
        lif=lif,
        conv=conv_of(roles_of(graph)),
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


def _drive_shift() -> int:
    """Return the shift that keeps delta B in a word at delta = 1 and the largest B."""
    return max(0, FRACTION_BITS + 15 - floor(log2(WORD_MAX)))


def _omega(readout: IntegerReadout, steps: int, read_from: int = 0) -> Array:
    """Return the weight of each step's spike in the summed readout, scaled to a largest value of 2^16 - 1."""
    gamma = readout.decay / 2**16
    counts = np.array([sum(gamma**later for later in range(max(read_from - t, 0), steps - t)) for t in range(steps)])
    return np.asarray(np.rint(counts / counts.max() * (2**16 - 1)), np.int64)


def _error_factor(readout: Readout, steps: int) -> tuple[int, int]:
    """Return the factor and shift from the summed readout to log2 odds of the mean readout, in units of 2^-20."""
    exponent = min(exponent_for(readout.v_range, WORD_MAX), 20)
    factor, shift = as_factor(np.asarray(2.0 ** (FRACTION_BITS - exponent) * np.log2(e) / steps))
    return int(factor), shift

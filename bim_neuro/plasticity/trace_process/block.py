"""A block that learns: the names of its parts in the graph, and its constants for law and kernel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...errors import InputError
from ...graph import IntegerGraph
from ...nodes import Dense, IntegerReadout, IntegerRelay
from ...nodes.arithmetic import FRACTION_BITS, Array, exp2_minus, multiply_shift, saturate
from ..request import ROUNDINGS, Plasticity
from .law import NAMES, TraceProcess
from .parameters import Constants, EachChannel, EachClass, EachState, EachTrace, Parameters

ERROR_BITS = 15
CALIBRATION_BITS = 40
"""Bits of a trace word during calibration: no trace of a calibration sample saturates."""


@dataclass(frozen=True)
class PlasticBlock:
    """An integer graph whose last block learns: names of its parts, and the constants of its trace process."""

    graph: IntegerGraph
    exponents: dict[str, int]  # of each layer's message
    state_units: dict[str, dict[str, float]]  # real value of one unit of each layer's states
    edges: dict[str, str]  # edge name by group
    x: str  # the node the block reads
    relays: dict[str, str]  # relay by port
    process: TraceProcess
    omega: Array  # (T,)
    error_factor: tuple[int, int]
    readout: str
    plasticity: Plasticity
    read_from: int = 0  # the first step whose readout counts, for answer and error

    @property
    def scan(self) -> str:
        """The node whose states the traces follow."""
        return next(edge.target for edge in self.graph.edges if edge.name == self.edges["w_dt"])

    def weights(self) -> dict[str, Array]:
        """Return the int8 weights of every dense projection of the block, as int64, by group."""
        found = {edge.name: edge.synapse for edge in self.graph.edges}
        return {group: np.asarray(found[name].weight, np.int64) for group, name in self.edges.items()}  # type: ignore[attr-defined]

    def with_weights(self, weights: dict[str, Array]) -> IntegerGraph:
        """Return the graph with these weights in it."""
        fresh = {self.edges[group]: Dense(weight.astype(np.int8)) for group, weight in weights.items()}
        edges = tuple(replace(e, synapse=fresh[e.name]) if e.name in fresh else e for e in self.graph.edges)
        return replace(self.graph, edges=edges)

    @cached_property
    def share(self) -> dict[str, Array]:
        """Return the value of an LSB of R in each channel, in 2^-16 of the largest, (D,) by family.

        It is the trace's unit and, for u, the channel's input scale.
        """
        worth = {family: 2.0 ** self.process.units[f"R.{family}"] for family in ("dt", "u", "b", "c")}
        worth["u"] = worth["u"] * self.process.scan.u_multiplier
        return {family: np.rint(each / each.max() * (2**16 - 1)).astype(np.int64) for family, each in worth.items()}

    @cached_property
    def parameters(self) -> Parameters:
        """Return the constants as the kernel reads them."""
        process, scan, lif = self.process, self.process.scan, self.process.lif
        u, b, c = (self._relay(port) for port in ("u", "B", "C"))
        readout = self.graph.nodes[self.readout]
        assert isinstance(readout, IntegerReadout)
        numbers = {
            **{name: getattr(scan, name) for name in Constants._fields if hasattr(scan, name)},
            **{name: getattr(process, name) for name in Constants._fields if hasattr(process, name)},
            "du": lif.du, "dv": lif.dv, "v_threshold": lif.v_threshold,
            "relay_u_shift": u.shift, "relay_b_shift": b.shift, "relay_c_shift": c.shift,
            "readout_shift": readout.shift, "readout_decay": readout.decay,
            "read_from": self.read_from,
            "bits": process.bits or CALIBRATION_BITS, "rounding": ROUNDINGS.index(process.rounding),
        }  # fmt: skip
        d, n, classes = scan.neurons, scan.alpha.shape[1], readout.neurons
        channels = EachChannel(
            d_skip=scan.d_skip, u_multiplier=scan.u_multiplier, u_bias=scan.u_bias, dt_multiplier=scan.dt_multiplier,
            dt_bias=scan.dt_bias, relay_u_multiplier=u.multiplier, relay_u_bias=u.bias, lif_bias=lif.bias,
        )  # fmt: skip
        states = EachState(b_multiplier=b.multiplier, b_bias=b.bias, c_multiplier=c.multiplier, c_bias=c.bias)
        return Parameters(
            constants=Constants(**{name: int(numbers[name]) for name in Constants._fields}),
            channels=EachChannel(*(_whole(row, (d,)) for row in channels)),
            states=EachState(*(_whole(row, (n,)) for row in states)),
            readout=EachClass(*(_whole(row, (classes,)) for row in (readout.multiplier, readout.bias))),
            alpha=_whole(scan.alpha, (d, n)),
            rate=_whole(process.rate, (d, n)),
            conv=_whole(process.conv, process.conv.shape),
            omega=_whole(self.omega, self.omega.shape),
            units=EachTrace(*(_whole(process.units[name], (d,)) for name in NAMES)),
        )

    def _relay(self, port: str) -> IntegerRelay:
        node = self.graph.nodes[self.relays[port]]
        assert isinstance(node, IntegerRelay)
        return node

    def traces(self) -> EachTrace:
        """Return zero arrays for every trace."""
        shapes = self.process.shapes(self.weights()["w_u"].shape[1])
        return EachTrace(*(np.zeros(shapes[name], np.int64) for name in NAMES))

    def error(self, output: Array, target: int) -> Array:
        """Return softmax(output) - target in units of 2^-15, (C,), from the readout summed over a sample's steps."""
        factor, shift = self.error_factor
        odds = exp2_minus(np.minimum(multiply_shift(output.max() - output, factor, shift), 24 << FRACTION_BITS))
        error = (odds << ERROR_BITS) // int(odds.sum())
        error[target] -= 1 << ERROR_BITS
        return np.asarray(error)

    def products(self, traces: EachTrace, error: Array, w_o: Array) -> dict[str, Array]:
        """Return P of every group, in the shape of its weights."""
        whole, _ = saturate(error @ w_o)
        signal = {family: multiply_shift(whole, share, 16) for family, share in self.share.items()}
        return {
            "w_u": signal["u"][:, None] * traces.r_u,
            "w_dt": signal["dt"][:, None] * traces.r_dt,
            "w_b": np.einsum("d,dnj->nj", signal["b"], traces.r_b),
            "w_c": np.einsum("d,dnj->nj", signal["c"], traces.r_c),
            "w_o": error[:, None] * traces.r_o,
        }


def check_stream(block: PlasticBlock, x: Array, y: Array) -> None:
    """Refuse a stream whose shape or labels do not match the block."""
    weights = block.weights()
    wanted, classes = (len(block.omega), weights["w_u"].shape[1]), len(weights["w_o"])
    if x.ndim != 3 or x.shape[1:] != wanted or len(x) != len(y) or not len(x):
        shape = f"(samples, {wanted[0]}, {wanted[1]})"
        raise InputError(f"a learning stream of shape {x.shape} with {len(y)} labels, wanted {shape}")
    if y.min() < 0 or y.max() >= classes:
        raise InputError(f"labels run from {y.min()} to {y.max()}, the model has {classes} classes")


def _whole(values: Array, shape: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(np.broadcast_to(np.asarray(values, np.int64), shape))

"""What the kernel of a segment reads and fills: the recorded steps of a block, and the parts of one channel."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..jit import section
from ..nodes.arithmetic import Array


class Record(NamedTuple):
    """`steps.Steps` as the kernel reads them, time first, with what the readout sends and asks."""

    x: Array  # (taps - 1 + T, batch, M)
    w: Array  # (taps - 1 + T, batch, D)
    delta: Array  # (T, batch, D)
    slope: Array  # (T, batch, D)
    u: Array  # (T, batch, D)
    b: Array  # (T, batch, N)
    c: Array  # (T, batch, N)
    decay: Array  # (T, batch, D, N)
    h: Array  # (T + 1, batch, D, N)
    kappa: Array  # (T, batch, D), 0 where the membrane is not kept
    emit: Array  # (T, batch, D), omega psi
    direct: Array  # (T, batch, D, 3)
    signal: Array  # (T, batch, D), 0 where the loss is at the end


class Law(NamedTuple):
    """Constants of all steps: weights of the block, and which traces are kept from step to step."""

    a: Array  # (D, N)
    conv: Array  # (D, K)
    d_skip: Array  # (D,)
    keep_scan: Any
    keep_shared: Any
    rho: Any  # 0 where the readout is not kept
    rho_shared: Any  # the same of the weights that every channel reads
    threshold: Any


class Sums(NamedTuple):
    """Accumulators: the gradient, and the loss's by what the projections gave, which a block below asks for."""

    local: Array  # (D, N + M + 1 + M + 1 + K + 3)
    shared: Array  # (2, N, M + 1)
    rate: Array  # (T, batch, D)
    u: Array  # (T, batch, D)
    b: Array  # (T, batch, N)
    c: Array  # (T, batch, N)


class Immediate(NamedTuple):
    """dh_t/dp at fixed h_{t-1} but for the line that p weighs, of one channel; beside it what the chains read."""

    decay: Array  # (T, N)
    h: Array  # (T, N), after the step
    c: Array  # (T, N)
    by_a: Array  # (T, N)
    by_dt: Array  # (T, N)
    by_u: Array  # (T, N)
    by_b: Array  # (T,)


class ChannelReach(NamedTuple):
    """How far a trace at step t reaches, of one channel: into S, E and R at the end, and into the gradient."""

    by_s: Array  # (4, T, N), of S_t into S, E, R and the gradient
    by_e: Array  # (3, T), of E_t into E, R and the gradient
    old_s: Array  # (4, N), of S before the segment into S, E, R and the gradient
    old_e: Array  # (3,), of E before it into E, R and the gradient
    old_r: Array  # (2,), of R before it into R and the gradient


class Lines(NamedTuple):
    """The right factors of the products, and the block's constants, of one channel."""

    x: Array  # (T, M), steps padded as in LeftRows
    heard: Array  # (taps - 1 + T, M)
    w: Array  # (taps - 1 + T,)
    conv: Array  # (taps,)
    d_skip: Any
    sums: Array  # (3, M + 1 + taps), for E, R and the gradient of families dt and u


class Channel(NamedTuple):
    """The traces and gradients of one channel by level and family; E, R and gradients of dt and u have one row."""

    s_a: Array
    s_dt: Array
    s_u: Array
    s_b: Array
    e_a: Array
    e_dt: Array
    e_u: Array
    e_b: Array
    e_c: Array
    e_soma: Array
    r_a: Array
    r_dt: Array
    r_u: Array
    r_b: Array
    r_c: Array
    r_soma: Array
    gradient_a: Array
    gradient_dt: Array
    gradient_u: Array
    gradient_b: Array
    gradient_c: Array
    gradient_soma: Array


class LeftRows(NamedTuple):
    """Left factors of the products; their steps are padded with 0 to a multiple of eight."""

    wide: Array  # (T, N), of one family and level
    heard: Array  # (taps - 1 + T, N), the same through the taps
    thin: Array  # (T, 3), of E, R and the gradient of one family
    thin_heard: Array  # (taps - 1 + T, 3)
    b: Array  # (T, N), the loss's gradient by B, all channels
    c: Array  # (T, N)


@section
def channel(row: Array, spare: Array, local: Array, shared: Array, states: int, one: int, reach: int) -> Channel:
    """Name the parts of one channel's numbers without copying; ``spare`` stands for R where there is none."""
    wide = states * one
    dt, u, b = states, states + wide, states + wide + states * reach  # where families of S begin
    s, rest = row[: b + wide], row[b + wide :]
    later = states + one + reach + 2 * wide + 3  # numbers of E, and of R
    e = rest[:later]
    r = rest[later:] if len(rest) > later else spare
    dt2, u2, b2 = states, states + one, states + one + reach
    c2, soma = b2 + wide, b2 + 2 * wide
    return Channel(
        s[:dt], s[dt:u].reshape(states, one), s[u:b].reshape(states, reach), s[b:].reshape(states, one),
        e[:dt2], e[dt2:u2].reshape(1, one), e[u2:b2].reshape(1, reach), e[b2:c2].reshape(states, one),
        e[c2:soma].reshape(states, one), e[soma:],
        r[:dt2], r[dt2:u2].reshape(1, one), r[u2:b2].reshape(1, reach), r[b2:c2].reshape(states, one),
        r[c2:soma].reshape(states, one), r[soma:],
        local[:dt2], local[dt2:u2].reshape(1, one), local[u2:b2].reshape(1, reach), shared[0], shared[1], local[b2:],
    )  # fmt: skip

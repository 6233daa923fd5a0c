"""What the kernel of the trace process reads and writes, by name; all int64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...nodes.arithmetic import Array


class Constants(NamedTuple):
    """Numbers that hold for the whole block; int64. Names are those of the node or process they come from."""

    u_shift: int
    dt_shift: int
    alpha_shift: int
    du_shift: int
    b_shift: int
    c_shift: int
    d_shift: int
    rate_shift: int
    drive_shift: int
    skip_shift: int
    psi_factor: int
    psi_shift: int
    v_factor: int
    v_shift: int
    du: int  # decays of the LIF, over 2^12
    dv: int
    v_threshold: int
    relay_u_shift: int
    relay_b_shift: int
    relay_c_shift: int
    readout_shift: int
    readout_decay: int
    bits: int
    rounding: int
    seed: int


class Channels(NamedTuple):
    """Numbers of every channel, (D,) int64."""

    d_skip: Array
    u_multiplier: Array
    u_bias: Array
    dt_multiplier: Array
    dt_bias: Array
    relay_u_multiplier: Array
    relay_u_bias: Array
    lif_bias: Array


class States(NamedTuple):
    """Numbers of every state, (N,) int64: what the relays of B and C do to their sums."""

    b_multiplier: Array
    b_bias: Array
    c_multiplier: Array
    c_bias: Array


class Readout(NamedTuple):
    """Numbers of every class, (C,) int64."""

    multiplier: Array
    bias: Array


class Weights(NamedTuple):
    """The plastic projections, int64 (post, pre)."""

    w_u: Array
    w_dt: Array
    w_b: Array
    w_c: Array
    w_o: Array


class EachTrace(NamedTuple):
    """Something of every trace, in the order of law.NAMES: its words, or their units."""

    s_dt: Array
    v_dt: Array
    r_dt: Array
    s_u: Array
    v_u: Array
    r_u: Array
    s_b: Array
    v_b: Array
    r_b: Array
    v_c: Array
    r_c: Array
    r_o: Array


class Parameters(NamedTuple):
    """All that the kernel reads of a block but its plastic weights; int64."""

    constants: Constants
    channels: Channels
    states: States
    readout: Readout
    alpha: Array  # (D, N)
    rate: Array  # (D, N)
    conv: Array  # (D, K)
    omega: Array  # (T,)
    units: EachTrace  # (D,) each


class Signals(NamedTuple):
    """What one step of one channel hands to its traces beside what lies in `Room`, as `law.Signals` names it."""

    du: int
    kappa: int  # 16 bits
    shown: int  # omega psi, 16 bits
    sent: int  # omega s, 16 bits


class Sample(NamedTuple):
    """One sample: its input, and what the block made of it."""

    x: Array  # (T, M)
    spikes: Array  # (T, D)
    psis: Array  # (T, D), 16 bits
    output: Array  # (C,), summed over the steps


class Room(NamedTuple):
    """What the neurons hold from step to step, and room for what a step makes; int64."""

    h: Array  # (D, N)
    g: Array  # (D, N), d h / d z
    drive: Array  # (D, N), delta B
    decay: Array  # (D, N), 16 bits
    relay: Array  # (T, D), messages of relay u
    u_lif: Array  # (D,)
    v_lif: Array  # (D,), after the reset
    v: Array  # (D,), before it
    s: Array  # (D,)
    psi: Array  # (D,), 16 bits
    b: Array  # (N,)
    c: Array  # (N,)
    r: Array  # (C,), the readout
    reach: Array  # (M,)
    seen_dt: Array  # (M,), sum_n c S, as seen_u
    seen_u: Array  # (M,)
    terms: Array  # (M,)


class Rounding(NamedTuple):
    """How trace words are rounded, and the largest of them."""

    mode: int  # STOCHASTIC, NEAREST or TRUNCATE
    seed: np.uint64
    top: int

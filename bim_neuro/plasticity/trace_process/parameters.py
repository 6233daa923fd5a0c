"""Parameters and state of the trace process kernel, by name; all int64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ...nodes.arithmetic import Array


class Constants(NamedTuple):
    """Numbers that hold for the whole block; int64. Names are those of the node or process they come from.

    A shift is how many bits a product loses, towards zero.
    """

    u_shift: int  # of the convolved sum times u_multiplier
    dt_shift: int  # of the sum at port dt times dt_multiplier
    alpha_shift: int  # of delta times alpha: the exponent of the decay, in units of 2^-20
    du_shift: int  # of delta times u
    b_shift: int  # of delta u times B: what the state is fed
    c_shift: int  # of the state times C
    d_shift: int  # of u times d_skip
    rate_shift: int  # of what g loses by the decay, times the rate
    drive_shift: int  # of delta times B
    skip_shift: int  # unit of D_skip reach: 2^skip_shift
    psi_factor: int  # with its shift: from a membrane to units of psi's table, 2^-12
    psi_shift: int
    v_factor: int  # with its shift: from a membrane to units of 2^-12
    v_shift: int
    du: int  # decays of the LIF's current, without Lava's hidden 1, and of its membrane; over 2^12
    dv: int
    v_threshold: int  # in units of 2^6 of the membrane
    relay_u_shift: int  # of a relay's input sum times its multiplier
    relay_b_shift: int
    relay_c_shift: int
    readout_shift: int  # of the readout's input sum times its multiplier
    readout_decay: int  # what the readout keeps from step to step, over 2^16
    bits: int  # of a trace word, sign included
    rounding: int  # index in request.ROUNDINGS
    seed: int  # of the noise that rounds
    read_from: int  # the first step whose readout counts


class EachChannel(NamedTuple):
    """Numbers of every channel, (D,) int64."""

    d_skip: Array  # weight of u in y, over 2^d_shift
    u_multiplier: Array  # over 2^u_shift, as the others over their shift
    u_bias: Array  # added after the shift
    dt_multiplier: Array
    dt_bias: Array  # units of 2^-16, as softplus reads them
    relay_u_multiplier: Array
    relay_u_bias: Array
    lif_bias: Array  # added to the membrane every step, in its unit


class EachState(NamedTuple):
    """Numbers of every state, (N,) int64: what the relays of B and C do to their sums."""

    b_multiplier: Array
    b_bias: Array
    c_multiplier: Array
    c_bias: Array


class EachClass(NamedTuple):
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
    """All constants of a block that the kernel reads, without its plastic weights; int64."""

    constants: Constants
    channels: EachChannel
    states: EachState
    readout: EachClass
    alpha: Array  # (D, N), |A| log2(e) over 2^alpha_shift
    rate: Array  # (D, N), |A| over 2^rate_shift
    conv: Array  # (D, K), the tap of this step first
    omega: Array  # (T,), weight of a step in the readout's sum
    units: EachTrace  # (D,) each: the last bit is 2^unit words of the block


class ChannelSignals(NamedTuple):
    """Signals of one step of one channel that are not in `Room`, named as in `law.Signals`."""

    du: int
    kappa: int  # 16 bits
    shown: int  # omega psi, 16 bits
    sent: int  # omega s, 16 bits


class Sample(NamedTuple):
    """One sample: its input and the block's results."""

    x: Array  # (T, M)
    spikes: Array  # (T, D)
    psis: Array  # (T, D), 16 bits
    output: Array  # (C,), summed over the steps


class Room(NamedTuple):
    """State of the neurons, and buffers of a step; int64."""

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

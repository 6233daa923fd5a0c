r"""Trace process: exact forward traces of one BIM block in fixed-point words, beside the block's own neurons.

Three levels follow every plastic weight (docs/learning.md has the derivation; reset gradient included):

    S_t = decay_t S_{t-1} + immediate                     scan       dt, u: (D, N, M)   b: (D, N, M)
    V_t = kappa_t V_{t-1} + sum_n C_t[n] S_t + direct     membrane   dt, u: (D, M)      b, c: (D, N, M)
    R_t = R_{t-1} + omega_t psi_t V_t                     readout    as V;  o: (D), R_o += omega_t s_t

    family  immediate                                     direct
    dt      (A kept + B u) slope x                        -
    u       delta B reach, reach = sum_k conv[k] x_{t-k}  D_skip reach
    b       delta u x                                     -
    c       -                                             h x

    kappa = beta (1 - s_{t-1}) - beta v_{t-1} psi_{t-1}    psi = (1 + 2 |v - threshold|)^-2    slope = 1 - e^-delta

Every word has ``bits`` bits, sign included, and a power-of-two unit per trace and channel, chosen on data (N20). It
moves by one product and one rounding (N21), in units of 2^-16 of its last bit:

    word' = round((word * factor + immediate) / 2^16)      factor 16 bits; stochastic, nearest, or towards zero

With ``bits`` None the same law runs in float64 without rounding: the reference for the integers.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from ...nodes import IntegerLIF, IntegerScan
from ...nodes.arithmetic import FRACTION_BITS, Array, exp2_minus, multiply_shift, saturate
from ...nodes.lif import DECAY_BITS
from ..noise import noise
from ..surrogate import distance, psi_near_and_far

ONE = 2**16
FACTOR = ONE - 1
_LOG2E = round(np.log2(np.e) * 2**15)

LEVELS = {"dt": ("S", "V", "R"), "u": ("S", "V", "R"), "b": ("S", "V", "R"), "c": ("V", "R"), "o": ("R",)}
"""Which levels a family has; a trace is named by both, as 'S.dt'."""
NAMES = tuple(f"{level}.{family}" for family, levels in LEVELS.items() for level in levels)


class Signals(NamedTuple):
    """The signals of one step of the block that its traces read; integers, as the neurons hold them."""

    x: Array  # (M,)
    reach: Array  # (D, M)
    decay: Array  # (D, N), 16 bits
    c: Array  # (N,)
    g: Array  # (D, N), d h / d z
    drive: Array  # (D, N), delta B
    du: Array  # (D,)
    h: Array  # (D, N)
    kappa: Array  # (D,), 16 bits
    shown: Array  # (D,), omega psi, 16 bits
    sent: Array  # (D,), omega s, 16 bits


@dataclass(frozen=True)
class TraceProcess:
    """The parameters of the law; ``units`` (D,) by trace name are the exponents of the last bits, in the block's words.

    ``conv`` (D, K), ``rate`` (D, N) = |A| as 16-bit factors over 2^rate_shift; ``psi_factor`` and ``v_factor`` over
    their shifts bring a membrane word into the units of psi's table and into 2^-12.
    """

    scan: IntegerScan
    lif: IntegerLIF
    conv: Array
    rate: Array
    rate_shift: int
    drive_shift: int
    skip_shift: int
    psi_factor: int
    psi_shift: int
    v_factor: int
    v_shift: int
    units: dict[str, Array]
    bits: int | None = 12
    rounding: str = "stochastic"
    seed: int = 0

    kind: ClassVar[str] = "traces"

    @property
    def channels(self) -> int:
        return self.scan.neurons

    def exact(self) -> TraceProcess:
        """Return the same law in float64, without rounding, every trace in the block's words."""
        zero = np.zeros(self.channels, np.int64)
        return replace(self, bits=None, units=dict.fromkeys(NAMES, zero))

    def shapes(self, inputs: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of every trace for M block inputs."""
        d, n = self.scan.alpha.shape
        wide, flat = (d, n, inputs), (d, inputs)
        later = {"dt": flat, "u": flat, "b": wide, "c": wide, "o": (d,)}
        return {name: wide if name[0] == "S" else later[name[2:]] for name in NAMES}

    def words(self, inputs: int) -> int:
        """Return how many trace words the block needs."""
        return sum(int(np.prod(shape)) for shape in self.shapes(inputs).values())

    def initial(self, inputs: int) -> dict[str, Array]:
        """Return traces and registers at rest."""
        kind = np.float64 if self.bits is None else np.int64
        traces = {name: np.zeros(shape, kind) for name, shape in self.shapes(inputs).items()}
        d, n = self.scan.alpha.shape
        registers = {"h": np.zeros((d, n), np.int64), "x": np.zeros((self.conv.shape[1], inputs), np.int64)}
        channel = {name: np.zeros(d, np.int64) for name in ("v", "s", "psi", "u_lif", "v_lif")}
        return {**traces, **registers, **channel}

    def step(self, state: dict[str, Array], inputs: dict[str, Array], omega: int, counter: int) -> dict[str, Array]:
        """Advance by one step: ``inputs`` are the scan's ports and x (M,); ``counter`` numbers the draws of noise."""
        signals, registers = self._signals(state, inputs, omega)
        traces = self._advance(state, signals, counter)
        return {**traces, **registers}

    def _signals(
        self, state: dict[str, Array], inputs: dict[str, Array], omega: int
    ) -> tuple[Signals, dict[str, Array]]:
        scan, x = self.scan, inputs["x"]
        recent = np.concatenate([x[None], state["x"][:-1]])  # newest first
        words = scan.words(state["h"], inputs)
        lif = self.lif.step({"u": state["u_lif"], "v": state["v_lif"]}, {"i": words.y})
        v = _before_reset(self.lif, state, words.y)
        psi = psi_near_and_far(distance(v, self.lif.v_threshold, self.psi_factor, self.psi_shift))
        leak = (2**DECAY_BITS - self.lif.dv) << (16 - DECAY_BITS)
        back, _ = saturate(multiply_shift(state["v"], self.v_factor, self.v_shift))
        kappa = leak * (1 - state["s"]) - multiply_shift(back, multiply_shift(state["psi"], leak, 16), 12)
        slope = FACTOR - np.minimum(exp2_minus(multiply_shift(words.delta, _LOG2E, 15)) >> 4, FACTOR)
        fed = multiply_shift(words.u, slope << (FRACTION_BITS - 16), scan.du_shift)  # as N9 makes delta u
        lost = multiply_shift(multiply_shift(words.kept, slope[:, None], 16), self.rate, self.rate_shift)
        g, _ = saturate(multiply_shift(fed[:, None], inputs["B"], scan.b_shift) - lost)
        drive, _ = saturate(multiply_shift(words.delta[:, None], inputs["B"], self.drive_shift))
        signals = Signals(
            x=x,
            reach=np.einsum("dk,km->dm", self.conv, recent),
            decay=words.decay,
            c=inputs["C"],
            g=g,
            drive=drive,
            du=words.du,
            h=words.h,
            kappa=np.clip(kappa, -FACTOR, FACTOR),
            shown=(omega * psi) >> 16,
            sent=omega * lif.message,
        )
        registers = {"h": words.h, "x": recent, "v": v, "s": lif.message, "psi": psi}
        return signals, {**registers, "u_lif": lif.state["u"], "v_lif": lif.state["v"]}

    def _advance(self, state: dict[str, Array], now: Signals, counter: int) -> dict[str, Array]:
        """Advance every trace, level by level, so that each reads the new values of the level before."""
        wide, kappa = now.decay[..., None], now.kappa
        held = {
            "S.dt": (wide, now.g[..., None] * now.x, 0),
            "S.u": (wide, now.drive[..., None] * now.reach[:, None, :], 0),
            "S.b": (wide, (now.du[:, None] * now.x)[:, None, :], 0),
        }
        fresh: dict[str, Array] = {}
        for name, (factor, immediate, unit) in held.items():
            fresh[name] = self._move(name, state[name], factor, [(immediate, unit)], counter)
        seen = {family: np.einsum("n,dnm->dm", now.c, fresh[f"S.{family}"]) for family in ("dt", "u")}
        skip = (self.scan.d_skip[:, None] * now.reach, self.skip_shift)
        membrane: dict[str, tuple[Array, list[tuple[Array, Array | int]]]] = {
            "V.dt": (kappa[:, None], [(seen["dt"], self.units["S.dt"])]),
            "V.u": (kappa[:, None], [(seen["u"], self.units["S.u"]), skip]),
            "V.b": (kappa[:, None, None], [(now.c[:, None] * fresh["S.b"], self.units["S.b"])]),
            "V.c": (kappa[:, None, None], [(now.h[..., None] * now.x, 0)]),
        }
        for name, (factor, terms) in membrane.items():
            fresh[name] = self._move(name, state[name], factor, terms, counter)
            family = name[2:]
            shown = _of_channels(now.shown, fresh[name].ndim) * fresh[name]
            fresh[f"R.{family}"] = self._move(
                f"R.{family}", state[f"R.{family}"], ONE, [(shown, self.units[name] - 16)], counter
            )
        fresh["R.o"] = self._move("R.o", state["R.o"], ONE, [(now.sent, -16)], counter)
        return {name: fresh[name] for name in NAMES}

    def _move(
        self, name: str, word: Array, factor: Array | int, terms: list[tuple[Array, Array | int]], counter: int
    ) -> Array:
        """N21. One product, the terms (each in units of 2^unit, a channel), one rounding, and saturation."""
        lefts = [(term, _of_channels(16 + unit - self.units[name], word.ndim)) for term, unit in terms]
        if self.bits is None:
            return np.asarray((word * factor + sum(term * 2.0**left for term, left in lefts)) / ONE)
        total = word * factor + sum(_shift(term, left) for term, left in lefts)
        moved = round_words(total, 16, self.rounding, self.seed, counter + self._place(name, word.size))
        return saturate(moved, 2 ** (self.bits - 1) - 1)[0]

    def _place(self, name: str, size: int) -> int:
        """Return where a trace's draws begin within a step's: each name has a block of 2^24 counters."""
        return NAMES.index(name) << 24


def round_words(total: Array, shift: int, rounding: str, seed: int, first: int) -> Array:
    """N21. Divide by 2^shift and round: 'stochastic' adds noise below the last bit, 'nearest' half of it."""
    if rounding == "truncate":
        return multiply_shift(total, 1, shift)
    half = noise(seed, first, total.shape, shift) if rounding == "stochastic" else np.asarray(1 << (shift - 1))
    rounded: Array = (total + half) >> shift
    return rounded


def _before_reset(lif: IntegerLIF, state: dict[str, Array], y: Array) -> Array:
    """Return the membrane as the threshold saw it: the same step with a threshold out of reach."""
    silent = replace(lif, v_threshold=2**17)
    return silent.step({"u": state["u_lif"], "v": state["v_lif"]}, {"i": y}).state["v"]


def _shift(word: Array, left: Array) -> Array:
    """Shift left, or right (towards minus infinity) where ``left`` is negative."""
    return np.where(left >= 0, word << np.maximum(left, 0), word >> np.clip(-left, 0, 62))


def _of_channels(values: Array, dimensions: int) -> Array:
    """Reshape values (D,) to broadcast over a trace."""
    return values.reshape(-1, *[1] * (dimensions - 1))

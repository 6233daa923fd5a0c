r"""Exact traces by segments as products, in torch on any device: backwards inside a segment, forwards between segments.

Inside a segment everything is linear in the traces before it and in what each step adds. One run backwards says what a
change of S, E and R at step t is worth at the segment's end,

    e_t = kappa_{t+1} e_{t+1} + (what E_t gives at once)        s_t[n] = decay_{t+1}[n] s_{t+1}[n] + e_t C_t[n]

for each of the ends E, R and the gradient (and prod decay for S). All families then take the whole segment in one
product, (D (7 N + 4), L) by (L, M + 1), and memory is read and written once a segment. The rows of the gradient are the
segment's own backpropagation: `Adjoint`, which a block below takes for its learning signal.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..model.block import BIMBlock
from .steps import BlockWeights, Steps
from .traces import Adjoint, Keep, Traces, parameters


def to_inputs(block: BIMBlock, adjoint: Adjoint) -> Tensor:
    """Return the gradient of the segment's loss by the block's inputs (T, batch, M) within the segment."""
    steps, w = len(adjoint.u), torch.zeros_like(adjoint.u)
    conv = block.folded[0].detach()
    for k in range(min(block.taps, steps)):
        w[: steps - k] += conv[:, k] * adjoint.u[k:]
    pairs = ((adjoint.rate, block.w_dt), (w, block.w_u), (adjoint.b, block.w_b), (adjoint.c, block.w_c))
    return sum((of @ weight.detach() for of, weight in pairs), torch.zeros(()).to(w))


class Reach(NamedTuple):
    """What a change at each step is worth at one end: S, E, R after the segment, or its loss."""

    by_e: Tensor  # (T, batch, D), of E_t
    by_s: Tensor  # (T, batch, D, N), of S_t
    old_e: Tensor  # (batch, D), of E before the segment
    old_s: Tensor  # (batch, D, N), of S before it


class SegmentTraces(Traces):
    """`Traces` whose `run` takes a segment in products."""

    @torch.no_grad()
    def run(
        self, steps: Steps, weights: BlockWeights, rho: float, omega: Tensor, signal: Tensor | None = None
    ) -> Adjoint:
        shared = self.keep.of_shared
        ends = _reaches(steps, self.keep, rho, omega, signal)
        ends_shared = ends if self.keep.shared else _reaches(steps, shared, rho, omega, signal)
        adjoint = self._add_gradient(steps, weights, rho, omega, signal, ends[3], ends_shared[3])
        left = rho * float(self.keep.readout)
        self._carry(ends, left ** len(steps), ("a", "dt", "u", "soma"))
        self._carry(ends_shared, (rho * float(shared.readout)) ** len(steps), ("b", "c"))
        for level, end, end_shared in zip(("scan", "membrane", "readout"), ends, ends_shared, strict=False):
            if f"{level}.a" in self.views:
                self._add(level, steps, weights, end, end_shared)
        if "readout.soma" in self.views:
            emitted = _powers(left, steps) * omega[..., None] * steps.psi
            self.views["readout.soma"][..., 2] -= weights.threshold * emitted.sum(0)
        return adjoint

    def _carry(self, ends: tuple[Reach, ...], left: float, families: tuple[str, ...]) -> None:
        """Replace the traces before the segment by what is left of them after it, from R down to S."""
        for family in families:
            for level, end in (("readout", ends[2]), ("membrane", ends[1]), ("scan", ends[0])):
                into = self.views.get(f"{level}.{family}")
                if into is None:
                    continue
                if level == "scan":
                    into.mul_(_like(end.old_s, into))
                    continue
                into.mul_(left if level == "readout" else _like(end.old_e, into))
                if level == "readout":
                    e = self.views[f"membrane.{family}"]
                    into.add_(_like(end.old_e, e) * e)
                if f"scan.{family}" in self.views:
                    into.add_(_summed(end.old_s, self.views[f"scan.{family}"], family))

    def _add(self, level: str, steps: Steps, weights: BlockWeights, end: Reach, shared: Reach) -> None:
        """Add what the segment's steps give to the traces of one level."""
        q = _rows(level, steps, weights, end, shared)
        taken = _products(q, steps, weights)
        for family, part in taken.items():
            self.views[f"{level}.{family}"].add_(part.reshape(self.views[f"{level}.{family}"].shape))
        self.views[f"{level}.a"].add_(torch.einsum("tbdn,tbdn->bdn", end.by_s, _by_a(steps, weights)))
        if level != "scan":
            self.views[f"{level}.soma"].add_(torch.einsum("tbd,tbdj->bdj", end.by_e, steps.direct))

    def _add_gradient(
        self, steps: Steps, weights: BlockWeights, rho: float, omega: Tensor, signal: Tensor | None,
        end: Reach, shared: Reach,
    ) -> Adjoint:  # fmt: skip
        """Add the gradient of the segment's loss; return it by the projections."""
        rows = _rows("gradient", steps, weights, end, shared)
        adjoint = Adjoint(rows["dt"][..., 0], rows["u"][..., 0], rows["b"].sum(2), rows["c"].sum(2))
        if signal is None:
            return adjoint
        left = rho * float(self.keep.readout)
        signalled = _backwards(signal, torch.full_like(signal, left))
        family = {
            "a": torch.einsum("tbdn,tbdn->dn", end.by_s, _by_a(steps, weights)),
            "soma": torch.einsum("tbd,tbdj->dj", end.by_e, steps.direct),
            **{name: part.sum(0).flatten(1, -2).squeeze(1) for name, part in
               _products({name: rows[name] for name in ("dt", "u")}, steps, weights).items()},
            **{name: torch.cat([of.flatten(0, 1).T @ _lines(steps, weights).flatten(0, 1), of.sum((0, 1))[:, None]], 1)
               for name, of in (("b", adjoint.b), ("c", adjoint.c))},
        }  # fmt: skip
        family["soma"][:, 2] -= weights.threshold * (signalled * omega[..., None] * steps.psi).sum((0, 1))
        for name in family:
            kept = shared if name in ("b", "c") else end
            old_r = left * signalled[0] * (float(self.keep.of_shared.readout) if name in ("b", "c") else 1.0)
            family[name] = family[name] + self._old_gradient(name, kept, old_r)
        for name, value in parameters(family).items():
            self._gradient[name] = self._gradient[name] + value if name in self._gradient else value
        return adjoint

    def _old_gradient(self, family: str, end: Reach, old_r: Tensor) -> Tensor:
        """The gradient of the segment's loss through the traces before it."""
        over = "bd,bdnj->nj" if family in ("b", "c") else "bd,bd...->d..."
        found = torch.einsum(over, end.old_e, self.views[f"membrane.{family}"])
        if f"readout.{family}" in self.views:
            found = found + torch.einsum(over, old_r, self.views[f"readout.{family}"])
        if f"scan.{family}" in self.views:
            by_s = _summed(end.old_s, self.views[f"scan.{family}"], family)
            found = found + (by_s.sum((0, 1)) if family == "b" else by_s.sum(0))
        return found


def _backwards(source: Tensor, factor: Tensor) -> Tensor:
    """Return x_t = source_t + factor_{t+1} x_{t+1} over the first axis."""
    x = source.clone()
    for t in range(len(x) - 2, -1, -1):
        x[t].addcmul_(factor[t + 1], x[t + 1])
    return x


def _powers(left: float, steps: Steps) -> Tensor:
    """left^(T - 1 - t) for each step, (T, 1, 1)."""
    powers = [left**t for t in reversed(range(len(steps)))]
    return torch.tensor(powers, dtype=steps.u.dtype).to(steps.u.device)[:, None, None]


def _reaches(steps: Steps, keep: Keep, rho: float, omega: Tensor, signal: Tensor | None) -> tuple[Reach, ...]:
    """Return the reach into S, E, R and the gradient."""
    decay, kappa = steps.decay * float(keep.scan), steps.kappa * float(keep.membrane)
    left, emit = rho * float(keep.readout), omega[..., None] * steps.psi
    at_end = torch.zeros_like(emit)
    at_end[-1] = 1
    none = torch.zeros_like(emit)
    signalled = none if signal is None else _backwards(signal, torch.full_like(signal, left))
    given = torch.stack([none, at_end, _powers(left, steps) * emit, signalled * emit], 1)  # (T, ends, batch, D)
    by_e = _backwards(given, kappa[:, None].expand_as(given))
    into = by_e[..., None] * steps.c[:, None, :, None, :]
    into[-1, 0] = 1
    by_s = _backwards(into, decay[:, None].expand_as(into))
    old_e, old_s = kappa[0] * by_e[0], decay[0] * by_s[0]
    return tuple(Reach(by_e[:, end], by_s[:, end], old_e[end], old_s[end]) for end in range(4))


def _by_a(steps: Steps, weights: BlockWeights) -> Tensor:
    return steps.delta[..., None] * weights.a * steps.decay * steps.h[:-1]


def _rows(level: str, steps: Steps, weights: BlockWeights, end: Reach, shared: Reach) -> dict[str, Tensor]:
    """Return what each step's lines weigh in the traces of a level, (T, batch, D, rows), by family."""
    b, delta, u = steps.b[:, :, None, :], steps.delta[..., None], steps.u[..., None]
    by_dt = (weights.a * steps.decay * steps.h[:-1] + b * u) * steps.slope[..., None]
    rows = {"dt": end.by_s * by_dt, "u": end.by_s * (delta * b), "b": shared.by_s * (delta * u)}
    if level == "scan":
        return rows
    rows["dt"] = rows["dt"].sum(-1, keepdim=True)
    rows["u"] = rows["u"].sum(-1, keepdim=True) + (end.by_e * weights.d_skip)[..., None]
    return {**rows, "c": shared.by_e[..., None] * steps.h[1:]}


def _lines(steps: Steps, weights: BlockWeights) -> Tensor:
    """The lines of the segment's own steps, (T, batch, M)."""
    return steps.x[weights.conv.shape[1] - 1 :]


def _products(rows: dict[str, Tensor], steps: Steps, weights: BlockWeights) -> dict[str, Tensor]:
    """Return sum_t rows_t x1_t of every family, (batch, D, rows, ...), in one batched product."""
    history = weights.conv.shape[1] - 1
    padded = []
    for family, q in rows.items():
        heard = q.new_zeros(history + len(q), *q.shape[1:])
        for k in range(history + 1 if family == "u" else 1):
            weight = weights.conv[:, k, None] if family == "u" else 1.0
            heard[history - k : history - k + len(q)] += weight * q
        padded.append(heard)
    sizes = [q.shape[-1] for q in rows.values()]
    factors = torch.cat(padded, -1).flatten(2).permute(1, 2, 0)  # (batch, D rows, K - 1 + T)
    product = torch.bmm(factors, steps.x.transpose(0, 1)).unflatten(1, (weights.conv.shape[0], -1))
    parts = dict(zip(rows, product.split(sizes, 2), strict=True))
    taken = {family: torch.cat([part, rows[family].sum(0)[..., None]], -1) for family, part in parts.items()}
    if "u" in rows:
        w = torch.stack([steps.w[history - k : history - k + len(steps)] for k in range(history + 1)], -1)
        taken["u"] = torch.cat([taken["u"], torch.einsum("tbdn,tbdk->bdnk", rows["u"], w)], -1)
    return taken


def _like(factor: Tensor, trace: Tensor) -> Tensor:
    return factor.reshape(*factor.shape, *[1] * (trace.dim() - factor.dim()))


def _summed(factor: Tensor, trace: Tensor, family: str) -> Tensor:
    """factor (batch, D, N) times S; summed over n where E and R have one row for all of them."""
    each = _like(factor, trace) * trace
    return each.sum(2) if family in ("dt", "u") else each

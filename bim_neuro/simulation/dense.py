"""Dense products: where most neurons speak, BLAS multiplies a layer's whole chunk of steps at once.

Integers in floating point are exact while no sum leaves the significand: 2^24 in single, 2^53 in double precision.
`tables` bounds every sum, so the precision is chosen once and no result is ever rounded.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np
import threadpoolctl  # type: ignore[import-untyped,unused-ignore]

from ..errors import InputError
from ..nodes import Dense
from ..nodes.arithmetic import Array
from .kernels import Tables, Work, layout, unfold
from .plan import Plan
from .shapes import PAIR_MAX
from .tables import largest_sum

PATHS = ("auto", "events", "gemm")

# Seconds, measured on one core of an AMD EPYC with AVX-512 (docs/engine.md); only their ratios matter for the choice.
SPIKE_EVENT = 10e-12  # one weight of a neuron that fired
GRADED_EVENT = 12e-12  # one weight times a message of 16 bits
WIDE_EVENT = 46e-12  # one weight times a message of more
PRODUCT = 31e-12  # one weight of any neuron, in single precision
PRODUCT_STEP = 2e-6  # writing messages out as a matrix and reading the sums back


@dataclass(frozen=True)
class DenseProduct:
    """A dense synapse left to BLAS: ``weight`` (pre, post) in the precision that is exact, ``stage`` that it feeds."""

    place: int
    stage: int
    weight: Array


def choose_products(plan: Plan, activity: dict[str, float], path: str) -> list[dict[str, Any]]:
    """Say, for every dense synapse, how it adds up and why: both costs a step, from the ``activity`` of its source."""
    choices = []
    for place, edge in enumerate(plan.edges):
        if not isinstance(edge.synapse, Dense):
            continue
        post, pre = edge.synapse.weight.shape
        active = activity[edge.source]
        events = active * pre * post * event_seconds(plan, edge.source)
        gemm = pre * post * PRODUCT * (1 if largest_sum(plan, place) < 2**24 else 2) + PRODUCT_STEP
        able = _able(plan, place)
        wanted = gemm < events if path == "auto" else path == "gemm"
        choices.append(
            {
                "synapse": edge.name,
                "place": place,
                "path": "gemm" if wanted and able else "events",
                "activity": round(float(active), 6),
                "events_us": round(float(events) * 1e6, 4),
                "gemm_us": round(float(gemm) * 1e6, 4),
                "in_loop": _in_loop(plan, place),
            }
        )
    return choices


def event_seconds(plan: Plan, source: str) -> float:
    """Return what one weight of a neuron that sent something takes."""
    if plan.graph.nodes[source].message_bits == 1:
        return SPIKE_EVENT
    return GRADED_EVENT if plan.bounds[source] <= PAIR_MAX else WIDE_EVENT


def products_of(plan: Plan, choices: list[dict[str, Any]]) -> list[DenseProduct]:
    """Return the products of the synapses whose choice is 'gemm', in the order of the stages they feed."""
    products = []
    for choice in choices:
        if choice["path"] != "gemm":
            continue
        place = choice["place"]
        synapse = plan.edges[place].synapse
        if not isinstance(synapse, Dense):
            raise InputError(f"synapse '{choice['synapse']}' is not dense")
        exact = np.float32 if largest_sum(plan, place) < 2**24 else np.float64
        products.append(DenseProduct(place, _stage(plan, place), np.ascontiguousarray(synapse.weight.T, exact)))
    return sorted(products, key=lambda product: product.stage)


def multiply(tables: Tables, work: Work, product: DenseProduct, t0: int, t1: int) -> None:
    """Write into ``work.products`` what one synapse adds at steps t0 to t1."""
    pre, post = product.weight.shape
    edge = tables.edges[product.place]
    messages = np.empty((t1 - t0, pre), product.weight.dtype)
    unfold(tables, work, edge, t0, t1, messages)
    start = edge[layout.PRODUCTS]
    work.products[start : start + (t1 - t0) * post] = (messages @ product.weight).reshape(-1)


def blas_threads(threads: int) -> AbstractContextManager[Any]:
    """Keep BLAS to so many threads while open: the samples may have threads already, and two teams would collide."""
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(threads, user_api="blas")
    return limits


def _able(plan: Plan, place: int) -> bool:
    """Whether BLAS may multiply a synapse: its source has run through the chunk before, and no sum is rounded."""
    return not _in_loop(plan, place) and largest_sum(plan, place) < 2**53


def _in_loop(plan: Plan, place: int) -> bool:
    return _stage(plan, place) == _stage_of(plan, plan.names.index(plan.edges[place].source))


def _stage(plan: Plan, place: int) -> int:
    return _stage_of(plan, plan.names.index(plan.edges[place].target))


def _stage_of(plan: Plan, node: int) -> int:
    return int(np.searchsorted(plan.tables.stages[:, 1], node, side="right"))

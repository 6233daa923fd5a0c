"""Team: several threads in one sample, each with its slice of a layer's neurons; they meet between layers.

The words of ``sync`` are shared: how often members have arrived, and whether one gave up. They are read and written
with atomic instructions, as the compiler may keep any other load of a loop in a register for ever.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .layout import LINE

ARRIVED, GIVEN_UP = 0, 8  # places in `sync`, a cache line apart
SYNC_WORDS = 16
_SPINS = 2000  # looks at the counter, some microseconds, before the core is offered to somebody else

if binding.address_of_symbol("sched_yield"):
    _offer_core: Any = types.ExternalFunction("sched_yield", types.int32())
else:

    @kernel
    def _offer_core() -> int:
        return 0


def _address(context: Any, builder: Any, kind: Any, array: Any, place: Any) -> Any:
    return builder.gep(context.make_array(kind)(context, builder, array).data, [place])


def _add(typing: Any, array: Any, place: Any) -> Any:
    """Add 1 to array[place] at once, for all threads to see."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        at = _address(context, builder, signature.args[0], *values)
        builder.atomic_rmw("add", at, ir.Constant(ir.IntType(64), 1), "seq_cst")

    return types.void(array, types.int64), code


def _look(typing: Any, array: Any, place: Any) -> Any:
    """Return array[place] as it is now, with all that was written before it."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        at = _address(context, builder, signature.args[0], *values)
        return builder.load_atomic(at, "acquire", 8, typ=ir.IntType(64))

    return types.int64(array, types.int64), code


_arrive: Any = intrinsic(_add)
_seen: Any = intrinsic(_look)


@kernel
def meet(sync: Array, size: int, passed: int) -> int:
    """Wait until all ``size`` members are here. ``passed`` counts the arrivals before; return it with these.

    After a member gave up nobody waits: what the others compute from then on is thrown away.
    """
    if size == 1:
        return passed
    passed += size
    _arrive(sync, ARRIVED)
    spins = 0
    while _seen(sync, ARRIVED) < passed and _seen(sync, GIVEN_UP) == 0:
        spins += 1
        if spins > _SPINS:
            _offer_core()
    return passed


def give_up(sync: Array) -> None:
    """Release the others; called from Python, where one word is written whole."""
    sync[GIVEN_UP] = np.int64(1)


@kernel
def share(width: int, member: int, size: int) -> tuple[int, int]:
    """Return the first neuron of a member's slice and the one after its last."""
    first, last = width * member // size, width * (member + 1) // size
    return min((first + LINE - 1) & -LINE, width), min((last + LINE - 1) & -LINE, width)

"""Runs: weights that lie together are added to accumulators that lie together, in vectors of LLVM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, intrinsic, section, types
from ...nodes.arithmetic import Array
from .rows import multiply_pairs
from .vectors import address, spread, vector

_LONG = ir.IntType(64)


class _Runs:
    """Code that adds runs: a list as `_list` returns it, and accumulators, weights, lists and spikes of a kernel."""

    def __init__(self, context: Any, builder: Any, kinds: Any, values: Any, runs: Any) -> None:
        self.context, self.builder, self.kinds, self.values = context, builder, kinds, values
        self.weight, self.to, *self.counts = code_tools.unpack_tuple(builder, runs)

    def one(self, which: int, place: Any) -> Any:
        """One word of 32 bits of an array among the arguments, as a place."""
        data = self.context.make_array(self.kinds[which])(self.context, self.builder, self.values[which]).data
        return self.builder.sext(self.builder.load(self.builder.gep(data, [place])), _LONG)

    def of(self, at: Any, known: int = 0, ahead: Any = None) -> Iterator[tuple[Any, Any]]:
        """The accumulators and weights of the runs of a sender at a place; of ``known`` rows of one column each.

        Its weights begin ``ahead`` of the list's.
        """
        builder = self.builder
        rows, columns, row_step, row_back, column_step, column_back = self.counts
        begin = self.weight if ahead is None else builder.add(self.weight, ahead)
        weight, to = begin, builder.add(at, self.to)
        for _ in range(known):
            yield to, weight
            weight, to = builder.add(weight, row_step), builder.sub(to, row_back)
        if known:
            return
        with code_tools.for_range(builder, rows) as row:
            weight = builder.add(begin, builder.mul(row.index, row_step))
            to = builder.sub(builder.add(at, self.to), builder.mul(row.index, row_back))
            with code_tools.for_range(builder, columns) as column:
                yield (
                    builder.sub(to, builder.mul(column.index, column_back)),
                    builder.add(weight, builder.mul(column.index, column_step)),
                )

    def registers(self, number: int | Any) -> Iterator[Any]:
        """Each of so many registers: known now, or as the code runs."""
        if isinstance(number, int):
            yield from (_LONG(register) for register in range(number))
        else:
            with code_tools.for_range(self.builder, number) as loop:
                yield loop.index

    def weights(self, place: Any, lanes: int, bits: int) -> Any:
        """Some weights, in words of so many bits."""
        row = address(self.context, self.builder, self.kinds[1], self.values[1], place, vector(lanes, 8))
        return self.builder.sext(self.builder.load(row, align=1), vector(lanes, bits))

    def add(self, place: Any, more: Any) -> None:
        """Add to accumulators."""
        to = address(self.context, self.builder, self.kinds[0], self.values[0], place, more.type)
        self.builder.store(self.builder.add(self.builder.load(to, align=2), more), to, align=2)


def _stretch(size: int, number: int | None, rows: int = 0) -> Any:
    """Build: some neurons with one list of runs fired; a run is ``number`` registers of ``size`` bits.

    ``events``: the first of them in ``fired``, and how many. ``order`` tells a neuron's place: the first neuron of the
    channel; in plane order that of the tile, then the reciprocal of its channels, how many there are, and the weights
    of one. When a list was looked up for each neuron, its weights waited for three loads, one after the other, and a
    step took half as long again; to tell channels apart where there is but one took a third more.
    """

    def typed(
        typing: Any,
        plane: Any,
        weights: Any,
        lists: Any,
        fired: Any,
        list_: Any,
        events: Any,
        order: Any,
        registers: Any,
    ) -> Any:
        bits = plane.dtype.bitwidth
        lanes = size // bits

        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            runs = _Runs(context, builder, signature.args, values, values[4])
            start, count = code_tools.unpack_tuple(builder, values[5])
            first, *tile = code_tools.unpack_tuple(builder, values[6])
            with code_tools.for_range(builder, count) as loop:
                neuron = place = builder.sub(runs.one(3, builder.add(start, loop.index)), first)
                more = None
                if tile:
                    reciprocal, channels, block = tile
                    place = builder.lshr(builder.mul(neuron, reciprocal), _LONG(32))
                    more = builder.mul(builder.sub(neuron, builder.mul(place, channels)), block)
                for to, weight in runs.of(runs.one(2, place), rows, more):
                    for register in runs.registers(values[7] if number is None else number):
                        ahead = builder.mul(register, _LONG(lanes))
                        runs.add(builder.add(to, ahead), runs.weights(builder.add(weight, ahead), lanes, bits))

        return types.void(plane, weights, lists, fired, list_, events, order, types.int64), code

    return intrinsic(typed)


def _pairs(number: int | None, rows: int = 0) -> Any:
    """Build: the runs of two channels are multiplied by their messages and added, sixteen accumulators at a time."""

    def typed(typing: Any, plane: Any, weights: Any, list_: Any, at: Any, registers: Any, messages: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            half = ir.IntType(32)
            low, high = code_tools.unpack_tuple(builder, values[5])
            both = builder.or_(builder.and_(low, half(0xFFFF)), builder.shl(high, half(16)))
            spread_out = builder.bitcast(spread(builder, both, 16), vector(32, 16))
            runs = _Runs(context, builder, signature.args, values, values[2])
            for to, weight in runs.of(values[3], rows):
                for register in runs.registers(values[4] if number is None else number):
                    place = builder.add(weight, builder.mul(register, _LONG(32)))
                    more = multiply_pairs(builder, runs.weights(place, 32, 16), spread_out)
                    runs.add(builder.add(to, builder.mul(register, _LONG(16))), more)

        return types.void(plane, weights, list_, types.int64, types.int64, messages), code

    return intrinsic(typed)


_any, _half, _quarter = _stretch(512, None), _stretch(256, 1), _stretch(128, 1)
_rows_of_3, _rows_of_6, _rows_of_5 = _stretch(512, 3, 3), _stretch(512, 6, 3), _stretch(512, 5, 5)
_of_2, _of_3, _of_5, _of_6, _of_10 = (_stretch(512, number) for number in (2, 3, 5, 6, 10))
_any_pairs, _three_pairs, _six_pairs = _pairs(None), _pairs(3, 3), _pairs(6, 3)


@section
def add_stretch(
    plane: Array, weights: Array, lists: Array, fired: Array, runs: tuple[int, ...], events: tuple[int, int],
    order: tuple[int, ...], number: int, lanes: int,
) -> None:  # fmt: skip
    """Add the runs of some neurons; a run is ``number`` registers, or a part of one, of ``lanes`` accumulators.

    Of registers whose number the compiler knows it takes no loop: kernels of 3 x 3 and 5 x 5 and tiles of 32 and 64.
    """
    rows = runs[2] * runs[3]
    if lanes == 8:
        _quarter(plane, weights, lists, fired, runs, events, order, number)
    elif lanes == 16:
        _half(plane, weights, lists, fired, runs, events, order, number)
    elif number == 6 and rows == 3 and runs[3] == 1:
        _rows_of_6(plane, weights, lists, fired, runs, events, order, number)
    elif number == 3 and rows == 3 and runs[3] == 1:
        _rows_of_3(plane, weights, lists, fired, runs, events, order, number)
    elif number == 5 and rows == 5 and runs[3] == 1:
        _rows_of_5(plane, weights, lists, fired, runs, events, order, number)
    elif number == 6:
        _of_6(plane, weights, lists, fired, runs, events, order, number)
    elif number == 3:
        _of_3(plane, weights, lists, fired, runs, events, order, number)
    elif number == 2:
        _of_2(plane, weights, lists, fired, runs, events, order, number)
    elif number == 5:
        _of_5(plane, weights, lists, fired, runs, events, order, number)
    elif number == 10:
        _of_10(plane, weights, lists, fired, runs, events, order, number)
    else:
        _any(plane, weights, lists, fired, runs, events, order, number)


@section
def add_any_stretch(
    plane: Array, weights: Array, lists: Array, fired: Array, runs: tuple[int, ...], events: tuple[int, int],
    order: tuple[int, ...], number: int, lanes: int,
) -> None:  # fmt: skip
    """The same by loops: no layer that is worth the compiler's time."""
    if lanes == 8:
        _quarter(plane, weights, lists, fired, runs, events, order, number)
    elif lanes == 16:
        _half(plane, weights, lists, fired, runs, events, order, number)
    else:
        _any(plane, weights, lists, fired, runs, events, order, number)


@section
def add_wide_stretch(
    plane: Array, weights: Array, lists: Array, fired: Array, runs: tuple[int, ...], events: tuple[int, int],
    order: tuple[int, ...], number: int, lanes: int,
) -> None:  # fmt: skip
    """The same in accumulators of 32 bits: layers of very many large weights."""
    if lanes == 8:
        _half(plane, weights, lists, fired, runs, events, order, number)
    else:
        _any(plane, weights, lists, fired, runs, events, order, number)


@section
def add_pair(plane: Array, weights: Array, runs: tuple[int, ...], at: np.int64, number: int, messages: Any) -> None:
    """Add the runs of two channels at a place times their messages; runs are ``number`` times sixteen accumulators."""
    if number == 6 and runs[2] == 3 and runs[3] == 1:
        _six_pairs(plane, weights, runs, at, number, messages)
    elif number == 3 and runs[2] == 3 and runs[3] == 1:
        _three_pairs(plane, weights, runs, at, number, messages)
    else:
        _any_pairs(plane, weights, runs, at, number, messages)

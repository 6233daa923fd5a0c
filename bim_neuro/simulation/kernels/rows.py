"""Rows: sums of many rows of int8 weights, kept in vector registers while the rows pass.

A spike adds its row: 32 columns a register, in 16 bits, which 252 rows cannot overflow (252 * 128 < 2^15). A graded
message of 16 bits multiplies its row: two rows lie interleaved, so that one instruction multiplies both by their
messages and adds; 16 columns a register, in 32 bits.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import code_tools, compiles_for, intrinsic, kernel, types
from ...nodes.arithmetic import Array
from .vectors import address, spread, vector

BLOCK_ROWS = 252
COLUMNS = 32  # what rows and sums are filled up to
_WIDE = compiles_for("avx512bw")  # 32 registers of 64 bytes; AVX2 has 16 of 32
_SPIKE_TILE = 16 if _WIDE else 4
_PAIR_TILE = 4
_FOUR_TILE = 4 if _WIDE else 1  # of four steps at once
_LONG = ir.IntType(64)


class _Sums:
    """Some registers of sums, and how a row or a pair of rows enters them."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Any, registers: int, bits: int) -> None:
        self.context, self.builder, self.kinds, self.values = context, builder, signature.args, values
        self.lanes = 512 // bits
        zero = vector(self.lanes, bits)([0] * self.lanes)
        self.cells = [code_tools.alloca_once_value(builder, zero) for _ in range(registers)]

    def word(self, which: int, place: Any) -> Any:
        """One word of an array among the arguments."""
        data = self.context.make_array(self.kinds[which])(self.context, self.builder, self.values[which]).data
        return self.builder.load(self.builder.gep(data, [place]))

    def weights(self, place: Any, number: int) -> Any:
        """The weights that belong to a register: 32 bytes, as words of 16 bits."""
        at = self.builder.add(place, _LONG(32 * number))
        row = address(self.context, self.builder, self.kinds[0], self.values[0], at, vector(32, 8))
        return self.builder.sext(self.builder.load(row, align=1), vector(32, 16))

    def add(self, number: int, value: Any) -> None:
        """Add to a register."""
        cell = self.cells[number]
        self.builder.store(self.builder.add(self.builder.load(cell), value), cell)

    def write(self, which: int, place: Any) -> None:
        """Add the registers to an array of sums."""
        kind = self.kinds[which]
        lanes = vector(self.lanes, kind.dtype.bitwidth)
        for number, cell in enumerate(self.cells):
            at = self.builder.add(place, _LONG(self.lanes * number))
            to = address(self.context, self.builder, kind, self.values[which], at, lanes)
            value = self.builder.load(cell)
            value = value if value.type == lanes else self.builder.sext(value, lanes)
            self.builder.store(self.builder.add(self.builder.load(to, align=4), value), to, align=4)


def _spikes(registers: int) -> Any:
    """Build: sums[at...] += the rows of fired[start] to fired[start + count], some registers of columns."""

    def typed(typing: Any, weights: Any, fired: Any, sums: Any, places: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            place, stride, start, count, at = code_tools.unpack_tuple(builder, values[3])
            held = _Sums(context, builder, signature, values, registers, 16)
            with code_tools.for_range(builder, count) as loop:
                row = builder.sext(held.word(1, builder.add(start, loop.index)), _LONG)
                begin = builder.add(place, builder.mul(row, stride))
                for number in range(registers):
                    held.add(number, held.weights(begin, number))
            held.write(2, at)

        return types.void(weights, fired, sums, places), code

    return intrinsic(typed)


def _pairs(registers: int, steps: int) -> Any:
    """Build, for some steps: sums[at...] += two messages times their rows, ``count`` pairs from pairs[start] on.

    Each two rows of weights are read once for all steps. ``begins``: where the messages of each step do; sums of one
    step are ``pitch`` from those of the next.
    """

    def typed(typing: Any, weights: Any, messages: Any, pairs: Any, sums: Any, places: Any, begins: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
            place, stride, start, count, at, pitch = code_tools.unpack_tuple(builder, values[4])
            rows = code_tools.unpack_tuple(builder, values[5])
            held = [_Sums(context, builder, signature, values, registers, 32) for _ in range(steps)]
            with code_tools.for_range(builder, count) as loop:
                pair = builder.sext(held[0].word(2, builder.add(start, loop.index)), _LONG)
                begin = builder.add(place, builder.mul(pair, builder.mul(stride, _LONG(2))))
                row = [held[0].weights(begin, number) for number in range(registers)]
                for step in range(steps):
                    even = builder.add(rows[step], builder.mul(pair, _LONG(2)))
                    low = builder.and_(held[0].word(1, even), ir.IntType(32)(0xFFFF))
                    high = builder.shl(held[0].word(1, builder.add(even, _LONG(1))), ir.IntType(32)(16))
                    both = builder.bitcast(spread(builder, builder.or_(low, high), 16), vector(32, 16))
                    for number in range(registers):
                        held[step].add(number, multiply_pairs(builder, row[number], both))
            for step in range(steps):
                held[step].write(3, builder.add(at, builder.mul(pitch, pitch.type(step))))

        return types.void(weights, messages, pairs, sums, places, begins), code

    return intrinsic(typed)


def multiply_pairs(builder: Any, a: Any, b: Any) -> Any:
    """Sixteen sums a[2 k] b[2 k] + a[2 k + 1] b[2 k + 1] of words of 16 bits, in 32."""
    if _WIDE or not compiles_for("avx2"):
        return _pair_sums(builder, a, b, 16, "llvm.x86.avx512.pmaddw.d.512" if _WIDE else "")
    halves = [
        [builder.shuffle_vector(x, x, vector(16, 32)(list(range(start, start + 16)))) for x in (a, b)]
        for start in (0, 16)
    ]
    low, high = (_pair_sums(builder, half[0], half[1], 8, "llvm.x86.avx2.pmadd.wd") for half in halves)
    return builder.shuffle_vector(low, high, vector(16, 32)(list(range(16))))


def _pair_sums(builder: Any, a: Any, b: Any, lanes: int, name: str) -> Any:
    if name:
        kind = ir.FunctionType(vector(lanes, 32), [vector(2 * lanes, 16)] * 2)
        return builder.call(builder.module.declare_intrinsic(name, (), kind), [a, b])
    products = []
    for odd in (0, 1):
        some = vector(lanes, 32)(list(range(odd, 2 * lanes, 2)))
        x, y = (builder.sext(builder.shuffle_vector(v, v, some), vector(lanes, 32)) for v in (a, b))
        products.append(builder.mul(x, y))
    return builder.add(*products)


_many_spikes, _some_spikes, _one_spikes = _spikes(_SPIKE_TILE), _spikes(4), _spikes(1)
_many_pairs, _one_pairs = _pairs(_PAIR_TILE, 1), _pairs(1, 1)
_many_pairs_of_four, _one_pairs_of_four = _pairs(_FOUR_TILE, 4), _pairs(1, 4)


@kernel
def add_rows(
    weights: Array, place: int, stride: int, fired: Array, start: int, count: int, sums: Array, at: int, width: int
) -> None:
    """Add the rows of neurons that fired to sums from ``at`` on; ``width`` is a multiple of `COLUMNS`."""
    for done in range(0, count, BLOCK_ROWS):
        some, column = min(count - done, BLOCK_ROWS), 0
        while column + _SPIKE_TILE * COLUMNS <= width:
            _many_spikes(weights, fired, sums, (place + column, stride, start + done, some, at + column))
            column += _SPIKE_TILE * COLUMNS
        while column + 4 * COLUMNS <= width:
            _some_spikes(weights, fired, sums, (place + column, stride, start + done, some, at + column))
            column += 4 * COLUMNS
        while column < width:
            _one_spikes(weights, fired, sums, (place + column, stride, start + done, some, at + column))
            column += COLUMNS


@kernel
def add_pairs(
    weights: Array, place: int, stride: int, messages: Array, message: int, pairs: Array, count: int, some: int,
    sums: Array, at: int, width: int,
) -> None:  # fmt: skip
    """Add messages times rows, two at a time; 32 bits hold the products of ``some`` pairs."""
    for start in range(0, count, some):
        few, column = min(count - start, some), 0
        while column + _PAIR_TILE * 16 <= width:
            where = (place + 2 * column, stride, start, few, at + column, 0)
            _many_pairs(weights, messages, pairs, sums, where, (message,))
            column += _PAIR_TILE * 16
        while column < width:
            where = (place + 2 * column, stride, start, few, at + column, 0)
            _one_pairs(weights, messages, pairs, sums, where, (message,))
            column += 16


@kernel
def add_pairs_of_four(
    weights: Array, place: int, stride: int, messages: Array, rows: tuple[int, int, int, int], pairs: Array,
    count: int, some: int, sums: Array, at: int, pitch: int, width: int,
) -> None:  # fmt: skip
    """As `add_pairs`, for four steps, whose messages begin at ``rows``, and whose sums are ``pitch`` apart."""
    for start in range(0, count, some):
        few, column = min(count - start, some), 0
        while column + _FOUR_TILE * 16 <= width:
            where = (place + 2 * column, stride, start, few, at + column, pitch)
            _many_pairs_of_four(weights, messages, pairs, sums, where, rows)
            column += _FOUR_TILE * 16
        while column < width:
            where = (place + 2 * column, stride, start, few, at + column, pitch)
            _one_pairs_of_four(weights, messages, pairs, sums, where, rows)
            column += 16

"""Vectors: the few operations that numba's compiler does not find by itself, written as vectors of LLVM.

They are plain LLVM: every processor gets them in registers of whatever width it has.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import compiles_for, intrinsic, types

_LANE = ir.IntType(32)
_DOUBLES = ir.VectorType(ir.DoubleType(), 16)


def vector(lanes: int, bits: int) -> Any:
    """Return the type of so many integers."""
    return ir.VectorType(ir.IntType(bits), lanes)


def spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with the value in every lane."""
    nothing = ir.Constant(ir.VectorType(value.type, lanes), ir.Undefined)
    first = builder.insert_element(nothing, value, ir.Constant(_LANE, 0))
    return builder.shuffle_vector(first, nothing, ir.Constant(vector(lanes, 32), [0] * lanes))


def address(context: Any, builder: Any, kind: Any, array: Any, place: Any, lanes: Any) -> Any:
    """Return the address of array[place] as one of a vector."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [place]), lanes.as_pointer())


class Lanes:
    """Sixteen words of 32 bits in code that is being built: ``x + y`` and the like are instructions on all of them."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def _with(self, instruction: str, other: Any) -> Lanes:
        value = other.value if isinstance(other, Lanes) else vector(16, 32)([other] * 16)
        return Lanes(self.builder, getattr(self.builder, instruction)(self.value, value))

    def __add__(self, other: Any) -> Lanes:
        return self._with("add", other)

    def __sub__(self, other: Any) -> Lanes:
        return self._with("sub", other)

    def __mul__(self, other: Any) -> Lanes:
        return self._with("mul", other)

    def __and__(self, other: Any) -> Lanes:
        return self._with("and_", other)

    def __xor__(self, other: Any) -> Lanes:
        return self._with("xor", other)

    def __rshift__(self, other: Any) -> Lanes:
        """Shift right, zeros come in."""
        return self._with("lshr", other)

    def sign(self) -> Lanes:
        """-1 where the word is below 0, else 0."""
        return self._with("ashr", 31)

    def down(self, bits: int) -> Lanes:
        """Shift right, the sign comes in."""
        return self._with("ashr", bits)

    def size(self) -> Lanes:
        """The word without its sign."""
        return self.turned(self.sign())

    def turned(self, sign: Lanes) -> Lanes:
        """Minus the word where ``sign`` is -1, the word where it is 0."""
        return (self ^ sign) - sign

    def at_most(self, limit: int, comparison: str = "icmp_signed") -> Lanes:
        """The lesser of the word and a limit."""
        other = vector(16, 32)([limit] * 16)
        less = getattr(self.builder, comparison)("<", self.value, other)
        return Lanes(self.builder, self.builder.select(less, self.value, other))

    def at_least(self, limit: int) -> Lanes:
        """The greater of the word and a limit."""
        other = vector(16, 32)([limit] * 16)
        return Lanes(
            self.builder, self.builder.select(self.builder.icmp_signed(">", self.value, other), self.value, other)
        )

    def within(self, limit: int) -> Lanes:
        """At most ``limit`` either way."""
        return self.at_most(limit).at_least(-limit)

    def differs(self, other: Lanes) -> Lanes:
        """-1 where two words differ, else 0."""
        unequal = self.builder.icmp_unsigned("!=", self.value, other.value)
        return Lanes(self.builder, self.builder.sext(unequal, vector(16, 32)))

    def negative(self) -> Lanes:
        """Minus the word."""
        return Lanes(self.builder, vector(16, 32)([0] * 16)) - self


class Doubles:
    """Sixteen numbers of 53 bits, which hold products of whole numbers exactly, until they are cut towards zero."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    @classmethod
    def of(cls, words: Lanes) -> Doubles:
        """Sixteen words."""
        return cls(words.builder, words.builder.sitofp(words.value, _DOUBLES))

    def __mul__(self, other: Doubles) -> Doubles:
        return Doubles(self.builder, self.builder.fmul(self.value, other.value))

    def scaled_down(self, bits: Any) -> Doubles:
        """Times 2^-bits, ``bits`` a word of 32: the power of two is put together from its exponent."""
        long = ir.IntType(64)
        exponent = self.builder.shl(self.builder.sub(long(1023), self.builder.zext(bits, long)), long(52))
        return self * Doubles(self.builder, spread(self.builder, self.builder.bitcast(exponent, ir.DoubleType()), 16))

    def within(self, limit: float) -> Doubles:
        """At most ``limit`` either way."""
        builder, value = self.builder, self.value
        for comparison, border in (("<", limit), (">", -limit)):
            other = ir.Constant(_DOUBLES, [border] * 16)
            value = builder.select(builder.fcmp_ordered(comparison, value, other), value, other)
        return Doubles(builder, value)

    def beyond(self, limit: float) -> Lanes:
        """-1 where the number or minus it is at least ``limit``, else 0."""
        builder = self.builder
        high, low = (ir.Constant(_DOUBLES, [border] * 16) for border in (limit, -limit))
        over, under = builder.fcmp_ordered(">=", self.value, high), builder.fcmp_ordered("<=", self.value, low)
        return Lanes(builder, builder.sext(builder.or_(over, under), vector(16, 32)))

    def whole(self) -> Lanes:
        """Cut towards zero."""
        return Lanes(self.builder, self.builder.fptosi(self.value, vector(16, 32)))


class Place:
    """A row of words in memory, in code that is being built."""

    def __init__(self, context: Any, builder: Any, kind: Any, array: Any) -> None:
        self.context, self.builder, self.kind, self.array = context, builder, kind, array

    def _at(self, place: Any) -> Any:
        return address(self.context, self.builder, self.kind, self.array, place, vector(16, 32))

    def load(self, place: Any) -> Lanes:
        """The sixteen words from a place on."""
        return Lanes(self.builder, self.builder.load(self._at(place), align=4))

    def take_half(self, place: Any) -> Lanes:
        """Sixteen words of 16 bits from a place on, which are 0 afterwards."""
        half = vector(16, 16)
        at = address(self.context, self.builder, self.kind, self.array, place, half)
        taken = self.builder.load(at, align=2)
        self.builder.store(half([0] * 16), at, align=2)
        return Lanes(self.builder, self.builder.sext(taken, vector(16, 32)))

    def store(self, words: Lanes, place: Any) -> None:
        """Write sixteen words from a place on."""
        self.builder.store(words.value, self._at(place), align=4)

    def one(self, place: Any) -> Any:
        """One word."""
        data = self.context.make_array(self.kind)(self.context, self.builder, self.array).data
        return self.builder.load(self.builder.gep(data, [place]))

    def spread(self, place: Any) -> Lanes:
        """One word, in all lanes."""
        return Lanes(self.builder, spread(self.builder, self.one(place), 16))


class Table:
    """32 or 64 words to choose from: in registers where the processor picks from two at once, AVX-512."""

    def __init__(self, place: Place, size: int) -> None:
        self.place, self.quarters = place, []
        if compiles_for("avx512f"):
            self.quarters = [place.load(ir.IntType(64)(16 * k)).value for k in range(size // 16)]

    def look_up(self, index: Lanes) -> Lanes:
        """The words at sixteen places."""
        builder, words = index.builder, vector(16, 32)
        if not self.quarters:
            found = ir.Constant(words, ir.Undefined)
            for k in range(16):
                lane = _LANE(k)
                place = builder.zext(builder.extract_element(index.value, lane), ir.IntType(64))
                found = builder.insert_element(found, self.place.one(place), lane)
            return Lanes(builder, found)
        kind = ir.FunctionType(words, [words, words, words])
        permute = builder.module.declare_intrinsic("llvm.x86.avx512.vpermi2var.d.512", (), kind)
        low = builder.call(permute, [self.quarters[0], index.value, self.quarters[1]])
        if len(self.quarters) == 2:
            return Lanes(builder, low)
        high = builder.call(permute, [self.quarters[2], index.value, self.quarters[3]])
        upper = builder.icmp_unsigned("!=", (index & 32).value, words([0] * 16))
        return Lanes(builder, builder.select(upper, high, low))


def _write_places(typing: Any, row: Any, at: Any, places: Any, first: Any) -> Any:
    """Write first + p for the eight bytes p of ``places`` to row[at], row[at + 1], ..."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        array, place, packed, start = values
        eight = builder.zext(builder.bitcast(packed, vector(8, 8)), vector(8, 32))
        to = address(context, builder, signature.args[0], array, place, vector(8, 32))
        builder.store(builder.add(eight, spread(builder, start, 8)), to, align=4)

    return types.void(row, types.uint64, types.uint64, types.int32), code


write_places: Any = intrinsic(_write_places)


def _write_set(typing: Any, row: Any, at: Any, bits: Any, first: Any) -> Any:
    """Write first + k, for every k of sixteen whose bit is set, to row[at], row[at + 1], ...; 16 words are written.

    AVX-512 picks them in one instruction.
    """

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        array, place, packed, start = values
        words, mask = vector(16, 32), vector(16, 1)
        numbers = builder.add(spread(builder, start, 16), words(list(range(16))))
        kind = ir.FunctionType(words, [words, words, mask])
        compress = builder.module.declare_intrinsic("llvm.x86.avx512.mask.compress.v16i32", (), kind)
        wanted = builder.bitcast(builder.trunc(packed, ir.IntType(16)), mask)
        listed = builder.call(compress, [numbers, words([0] * 16), wanted])
        builder.store(listed, address(context, builder, signature.args[0], array, place, words), align=4)

    return types.void(row, types.uint64, types.uint64, types.int32), code


write_set: Any = intrinsic(_write_set)


def _expect_write(typing: Any, row: Any, place: Any) -> Any:
    """Ask for the line of the cache that row[place] lies in, which will soon be written to."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> None:
        byte = ir.IntType(8).as_pointer()
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        kind = ir.FunctionType(ir.VoidType(), [byte, _LANE, _LANE, _LANE])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        at = builder.bitcast(builder.gep(data, [values[1]]), byte)
        builder.call(prefetch, [at, _LANE(1), _LANE(3), _LANE(1)])

    return types.void(row, types.int64), code


expect_write: Any = intrinsic(_expect_write)

_BITS = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1, bitorder="little")
PLACES = np.argsort(1 - _BITS, axis=1, kind="stable").astype(np.uint8).view("<u8").reshape(-1)
"""Which of eight bits are set, as eight bytes in a word, those that are set first; one word for each byte of bits."""

"""Lanes: a vector of numbers side by side, which kernels compute with as if it were one number.

    x = load(row, at)               16 numbers of float32, 8 of float64
    x = x * y + 2.5                 operators take lanes and numbers
    store(row, at, x)
    load_part(row, at, end)         numbers from ``end`` on are 0 and not read; `store_part` does not write them
    exponential(x)                  of numbers up to 0
    above(x, y)                     1 where x > y, else 0
    size(x), spread(number), total(x)

Loops over arrays become vectors only where the compiler can prove that no two arrays overlap, which it gives up on for
more than a few. These are plain vectors of LLVM: every processor has them in registers of its own width.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir  # type: ignore[import-untyped,unused-ignore]

from ...jit import intrinsic, new_type, operator_of, types

BYTES = 64
"""Of a vector: one register of the widest processors, and one line of a cache."""
_CONTRACT = ("contract",)  # a product and a sum may be one instruction
_HALF = ir.IntType(32)


class _Format(NamedTuple):
    """A floating-point format, and what its exponential needs."""

    number: Any
    name: str
    bits: int
    mantissa: int  # bits that are stored
    terms: int  # of the series: the next one is below half a unit in the last place
    least: float  # below it the result would be denormal
    high: float  # the leading bits of ln 2, so few that n times them is exact
    low: float  # the rest of ln 2

    @property
    def lanes(self) -> int:
        return 8 * BYTES // self.bits

    @property
    def vector(self) -> Any:
        return ir.VectorType(self.number, self.lanes)

    def everywhere(self, value: float) -> Any:
        """A constant in every lane."""
        return ir.Constant(self.vector, [value] * self.lanes)


_FORMATS = {
    types.float32: _Format(ir.FloatType(), "f32", 32, 23, 8, -87.0, 0.693359375, -2.121944400546905e-4),
    types.float64: _Format(ir.DoubleType(), "f64", 64, 52, 14, -708.0, 0.6931471803691238, 1.9082149292705877e-10),
}
_LANES: dict[Any, Any] = {number: new_type(f"lanes of {number}", form.vector) for number, form in _FORMATS.items()}
_FORMAT_OF: dict[Any, _Format] = {lanes: _FORMATS[number] for number, lanes in _LANES.items()}
_NUMBER_OF: dict[Any, Any] = {lanes: number for number, lanes in _LANES.items()}


def _call(builder: Any, name: str, result: Any, *values: Any, flags: tuple[str, ...] = ()) -> Any:
    """Call a function of LLVM."""
    kind = ir.FunctionType(result, [value.type for value in values])
    module = builder.module
    return builder.call(module.globals.get(name) or ir.Function(module, kind, name), values, fastmath=flags)


def _spread(builder: Any, value: Any, lanes: int) -> Any:
    """Return a vector with the value in every lane."""
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, _HALF(0))
    return builder.shuffle_vector(first, first, ir.Constant(ir.VectorType(_HALF, lanes), [0] * lanes))


def _in_lanes(context: Any, builder: Any, kind: Any, value: Any, lanes: Any) -> Any:
    """Return an operand as lanes: a number stands in every one."""
    if kind is lanes:
        return value
    return _spread(builder, context.cast(builder, value, kind, _NUMBER_OF[lanes]), _FORMAT_OF[lanes].lanes)


def _of_two(combine: Callable[[Any, _Format, Any, Any], Any]) -> Callable[[Any, Any], tuple[Any, Any]]:
    """Return the type and the code of what ``combine`` makes of two operands, of which one may be a number."""

    def build(a: Any, b: Any) -> tuple[Any, Any]:
        lanes = a if a in _FORMAT_OF else b

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            operands = (_in_lanes(context, builder, *each, lanes) for each in zip((a, b), values, strict=True))
            return combine(builder, _FORMAT_OF[lanes], *operands)

        return lanes, code

    return build


def _instruction(name: str) -> Callable[[Any, Any], tuple[Any, Any]]:
    return _of_two(lambda builder, form, a, b: getattr(builder, name)(a, b, flags=_CONTRACT))


operator_of(operator.add, _FORMAT_OF, _instruction("fadd"))
operator_of(operator.sub, _FORMAT_OF, _instruction("fsub"))
operator_of(operator.mul, _FORMAT_OF, _instruction("fmul"))
operator_of(operator.truediv, _FORMAT_OF, _instruction("fdiv"))


def _above(typing: Any, a: Any, b: Any) -> Any:
    """1 where a > b, else 0."""

    def compare(builder: Any, form: _Format, a: Any, b: Any) -> Any:
        return builder.uitofp(builder.fcmp_ordered(">", a, b), form.vector)

    lanes, code = _of_two(compare)(a, b)
    return lanes(a, b), code


def _address(context: Any, builder: Any, signature: Any, values: Any, form: _Format) -> Any:
    """Return the address of row[at] as one of a vector."""
    data = context.make_array(signature.args[0])(context, builder, values[0]).data
    return builder.bitcast(builder.gep(data, [values[1]]), form.vector.as_pointer())


def _within(builder: Any, at: Any, end: Any, form: _Format) -> Any:
    """Return which of the lanes from ``at`` on lie before ``end``."""
    left = _spread(builder, builder.trunc(builder.sub(end, at), _HALF), form.lanes)
    return builder.icmp_signed("<", ir.Constant(left.type, list(range(form.lanes))), left)


def _load(typing: Any, row: Any, at: Any) -> Any:
    """The numbers row[at], row[at + 1] ... of a row in order."""
    form = _FORMATS[row.dtype]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_address(context, builder, signature, values, form), align=form.bits // 8)

    return _LANES[row.dtype](row, types.intp), code


def _store(typing: Any, row: Any, at: Any, x: Any) -> Any:
    """Write lanes to row[at], row[at + 1] ..."""
    form = _FORMATS[row.dtype]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _address(context, builder, signature, values, form), align=form.bits // 8)
        return context.get_dummy_value()

    return types.void(row, types.intp, x), code


def _load_part(typing: Any, row: Any, at: Any, end: Any) -> Any:
    """As `load`, 0 from row[end] on, which is not read."""
    form = _FORMATS[row.dtype]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, within = (
            _address(context, builder, signature, values, form),
            _within(builder, values[1], values[2], form),
        )
        name = f"llvm.masked.load.v{form.lanes}{form.name}.p0"
        return _call(builder, name, form.vector, address, _HALF(form.bits // 8), within, form.everywhere(0.0))

    return _LANES[row.dtype](row, types.intp, types.intp), code


def _store_part(typing: Any, row: Any, at: Any, end: Any, x: Any) -> Any:
    """As `store`; row[end] and what follows is left alone."""
    form = _FORMATS[row.dtype]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address, within = (
            _address(context, builder, signature, values, form),
            _within(builder, values[1], values[2], form),
        )
        name = f"llvm.masked.store.v{form.lanes}{form.name}.p0"
        _call(builder, name, ir.VoidType(), values[3], address, _HALF(form.bits // 8), within)
        return context.get_dummy_value()

    return types.void(row, types.intp, types.intp, x), code


def _spread_number(typing: Any, x: Any) -> Any:
    """A number in every lane."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _spread(builder, values[0], _FORMATS[x].lanes)

    return _LANES[x](x), code


def _size(typing: Any, x: Any) -> Any:
    """The numbers without their signs."""
    form = _FORMAT_OF[x]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _call(builder, f"llvm.fabs.v{form.lanes}{form.name}", form.vector, values[0])

    return x(x), code


def _total(typing: Any, x: Any) -> Any:
    """The sum of all lanes."""
    form = _FORMAT_OF[x]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        name = f"llvm.vector.reduce.fadd.v{form.lanes}{form.name}"
        return _call(builder, name, form.number, ir.Constant(form.number, -0.0), values[0], flags=("reassoc",))

    return _NUMBER_OF[x](x), code


def _exponential(typing: Any, x: Any) -> Any:
    """exp(x) = 2^n exp(r), n = round(x / ln 2), exp(r) its Taylor series; never less than the least normal number."""
    form = _FORMAT_OF[x]

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def add(a: Any, b: Any) -> Any:
            return builder.fadd(a, b, flags=_CONTRACT)

        def times(a: Any, b: float) -> Any:
            return builder.fmul(a, form.everywhere(b), flags=_CONTRACT)

        least, whole = form.everywhere(form.least), ir.VectorType(ir.IntType(form.bits), form.lanes)
        bounded = builder.select(builder.fcmp_ordered("<", values[0], least), least, values[0])  # nan stays nan
        shift = form.everywhere(1.5 * 2.0**form.mantissa)  # so large that its last bit is 1: adding it rounds
        rounded = builder.fadd(times(bounded, 1 / math.log(2)), shift)
        n = builder.fsub(rounded, shift)
        r = add(add(bounded, times(n, -form.high)), times(n, -form.low))
        series = form.everywhere(1 / math.factorial(form.terms - 1))
        for power in range(form.terms - 2, -1, -1):
            series = add(
                builder.fmul(series, r, flags=_CONTRACT),
                form.everywhere(1 / math.factorial(power)),
            )
        places = ir.Constant(whole, [form.mantissa] * form.lanes)
        exponent = builder.shl(builder.bitcast(rounded, whole), places)
        return builder.bitcast(builder.add(builder.bitcast(series, whole), exponent), form.vector)

    return x(x), code


load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
load_part: Any = intrinsic(_load_part)
store_part: Any = intrinsic(_store_part)
spread: Any = intrinsic(_spread_number)
above: Any = intrinsic(_above)
size: Any = intrinsic(_size)
total: Any = intrinsic(_total)
exponential: Any = intrinsic(_exponential)

"""Checks of the arguments of the public Python API; each error names the argument.

Whatever numpy converts without loss is accepted: lists, numpy numbers, torch tensors. Anything else raises InputError
here, so that no TypeError comes from inner code and no NaN enters it.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from dataclasses import fields
from math import inf, isfinite, nan
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, first_line

T = TypeVar("T")
_WIDEST = np.iinfo(np.int64).max


def instance(value: Any, kind: type[T], name: str, hint: str = "") -> T:
    """Return ``value`` if it is a ``kind``."""
    if not isinstance(value, kind):
        raise InputError(f"{name} is {said(value)}, {_article(kind.__name__)} is needed", hint)
    return value


def function(value: Any, name: str) -> None:
    """Refuse what cannot be called."""
    if not callable(value):
        raise InputError(f"{name} is {said(value)}, a function is needed")


def path(value: Any, name: str = "path") -> Path:
    """Return a text or Path as a Path."""
    if not isinstance(value, str | os.PathLike) or isinstance(value, bytes):
        raise InputError(f"{name} is {said(value)}, a text or a Path is needed")
    place = os.fspath(value)
    if not isinstance(place, str) or not place or "\0" in place:
        raise InputError(f"{name} is {said(place)}, which is not a file path")
    return Path(place)


def new_file(value: Any, name: str = "path") -> Path:
    """Return the Path of a file to write; its folder must exist."""
    place = path(value, name)
    if not place.parent.is_dir():
        raise InputError(f"there is no folder {place.parent} to write {place.name} into")
    if place.is_dir():
        raise InputError(f"{place} is a folder", f"give a file in it, as {place / 'model'}")
    return place


def text(value: Any, name: str) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise InputError(f"{name} is {said(value)}, a text is needed")
    return str(value)


def choice(value: Any, allowed: Sequence[str], name: str) -> str:
    """Return one of a few names."""
    if not isinstance(value, str) or value not in allowed:
        shown = f"'{value:.60}'" if isinstance(value, str) else said(value)
        raise InputError(f"unknown {name} {shown}", f"there are: {', '.join(allowed)}")
    return value


def number(value: Any, name: str, low: float = -inf, high: float = inf, *, above: float = -inf) -> float:
    """Return a finite number from ``low`` to ``high``, beyond ``above``."""
    real = isinstance(value, Real) and not isinstance(value, bool | np.bool_)
    try:
        found = float(value) if real else nan
    except OverflowError:
        found = inf
    if not (isfinite(found) and low <= found <= high and found > above):
        raise InputError(f"{name} is {shown(value)}, {_range('a finite number', low, high, above)} is needed")
    return found


def duration(value: Any, name: str) -> float:
    """Return a positive, finite number of seconds."""
    try:
        return number(value, name, above=0)
    except InputError:
        raise InputError(f"{name} is {shown(value)} s, it must be positive and finite") from None


def whole(value: Any, name: str, low: int = 0, high: int = _WIDEST) -> int:
    """Return a whole number from ``low`` to ``high``."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Integral) or not _within(value, low, high):
        raise InputError(f"{name} is {shown(value)}, {_range('a whole number', low, high)} is needed")
    return int(value)


def numbers_of(owner: Any, limits: Sequence[tuple[str, float, float]], what: str) -> None:
    """Check fields of a dataclass against their ranges; an int field must be whole, None is allowed if declared."""
    declared = {field.name: str(field.type) for field in fields(owner)}
    for name, low, high in limits:
        value, kind = getattr(owner, name), declared[name]
        if value is None and "None" in kind:
            continue
        if kind.startswith("int"):
            whole(value, f"{what}: {name}", int(low), int(high))
        else:
            number(value, f"{what}: {name}", low, high)


def array(value: Any, name: str) -> NDArray[Any]:
    """Return real numbers as an array: from an array, a tensor, or nested lists of equal lengths."""
    found = _plain(value, name)
    if found.dtype.kind not in "fiub":
        holds = "Python objects, or lists of unequal lengths" if found.dtype.kind == "O" else str(found.dtype)
        raise InputError(f"{name} holds {holds}, real numbers are needed")
    return found


def sequences(value: Any, name: str = "x", *, channels: int | None = None, empty: bool = False) -> NDArray[Any]:
    """Return (samples, steps, channels) of finite numbers; no samples at all only if they may be ``empty``."""
    found = array(value, name)
    if channels is not None and (found.ndim != 3 or found.shape[2] != channels or 0 in found.shape):
        wants = f"(samples, steps, {channels}) with at least one of each"
        raise InputError(f"{name} has shape {found.shape}, the model needs {wants}")
    if found.ndim != 3:
        raise InputError(f"{name} has {found.ndim} axes {found.shape}, 3 are needed: samples, steps, channels")
    if 0 in (found.shape[1:] if empty else found.shape):
        raise InputError(f"{name} is empty: its shape is {found.shape}")
    finite(found, name)
    return found


def finite(found: NDArray[Any], name: str) -> None:
    """Refuse numbers that are not finite, naming how many there are and the first."""
    if found.dtype.kind != "f":
        return
    wrong = sum(int(np.count_nonzero(~np.isfinite(part))) for part in found)  # it may be a file larger than memory
    if wrong:
        index, part = next((index, part) for index, part in enumerate(found) if not np.isfinite(part).all())
        place = (index, *np.argwhere(~np.isfinite(part))[0].tolist())
        axes = zip(("sample", "step", "channel", "row", "column"), place, strict=False)
        where = ", ".join(f"{axis} {position}" for axis, position in axes)
        message = f"{name} holds {part[place[1:]]} at {where}; {wrong:,} of its values are not finite"
        raise InputError(message, "replace or leave out samples that are not finite")


def labels(value: Any, name: str, samples: int, *, rows: bool = False) -> NDArray[np.int64]:
    """Return one whole number per sample, or a row of them where there may be ``rows``."""
    found = array(value, name)
    if found.shape[:1] != (samples,) or found.ndim > 1 + rows:
        hint = f"{name} needs one integer a sample"
        raise InputError(f"{name} has shape {found.shape}, x has {samples} samples", hint)
    if found.dtype.kind == "b" or (found.dtype.kind == "f" and not (found == np.rint(found)).all()):
        raise InputError(f"{name} holds {found.dtype}, a label is a whole number", "0 for the first class")
    if found.size and (float(found.max()) > _WIDEST or float(found.min()) < -_WIDEST):
        raise InputError(f"{name} runs from {found.min()} to {found.max()}, labels are whole numbers of 64 bits")
    if found.ndim > 1 and is_mapped(found):
        return found
    return found.astype(np.int64, copy=found.ndim == 1)


def is_mapped(found: NDArray[Any]) -> bool:
    """Whether an array lies in a file that is mapped into memory: it may be larger than that."""
    base: Any = found
    while base is not None:
        if isinstance(base, np.memmap | mmap.mmap):
            return True
        base = getattr(base, "base", None)
    return False


def said(value: Any) -> str:
    """Describe a value in a few words."""
    if value is None:
        return "None"
    if isinstance(value, bool | int | float | complex | str | bytes):
        return shown(value)
    return _article(type(value).__name__)


def shown(value: Any) -> str:
    """Show a plain value, truncated if long; describe any other."""
    plain = isinstance(value, bool | int | float | complex | str | bytes | np.generic)
    if isinstance(value, int) and value.bit_length() > 1000:
        return f"a whole number of {value.bit_length():,} bits"
    return f"{value!r:.60}" if plain else said(value)


def _article(kind: str) -> str:
    return f"{'an' if kind[:1] in 'aeiouAEIOU' else 'a'} {kind}"


def _plain(value: Any, name: str) -> NDArray[Any]:
    """Return an array; a tensor is detached and copied to the CPU."""
    try:
        if callable(getattr(value, "detach", None)):
            value = value.detach().cpu().numpy()
        if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
            raise InputError(f"{name} has masked values, all are needed", "fill them in, or leave their samples out")
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError, AttributeError) as error:
        message = f"{name} is {said(value)}, which does not become an array of numbers: {first_line(error):.120}"
        raise InputError(message, "numpy.asarray shows how numpy reads it") from None


def _within(value: Any, low: float, high: float) -> bool:
    return bool(low <= value <= high)


def _range(kind: str, low: float, high: float, above: float = -inf) -> str:
    least = f" above {above:g}" if above >= low and above > -inf else f" from {low:,}" if low > -inf else ""
    return kind + least + (f" to {high:,}" if high < _WIDEST else "")

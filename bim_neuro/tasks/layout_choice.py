"""Which of the first two axes of a file's x is time: by request, by what the file says, or by its other arrays."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from numpy.typing import NDArray

from ..errors import InputError
from ..printable import counted
from .layouts import Shape, check_axes, check_layout, layouts_of

Arrays = dict[str, NDArray[Any]]


class AxisOrder(NamedTuple):
    """A layout, why it was taken, and a note where time comes first; no name where a file has no axes to order."""

    name: str
    why: str
    note: str = ""


def layout_of(arrays: Arrays, lengths: dict[str, int], path: Path, asked: str | None, steps: int | None) -> AxisOrder:
    """Return the layout of x.

    The request or the file decides. Else the numbers of labels, groups and splits decide, then the steps the model was
    trained on; if both readings are possible, the file is refused.
    """
    check_layout(asked)
    stored = word(arrays["layout"], f"layout of '{path}'") if "layout" in arrays else None
    check_layout(stored)
    if asked and stored and asked != stored:
        raise InputError(f"'{path}' says that its layout is {stored}, {asked} was asked for", "leave --layout out")
    shape, known = arrays["x"].shape, asked or stored
    if known:
        check_axes(known, shape, f"x of '{path}'")
        return _chosen(known, path, shape, "as was asked for" if asked else "as it says")
    names = layouts_of(shape, f"x of '{path}'")
    fitting = [name for axis, name in enumerate(names) if _fits(arrays, lengths, axis)]
    if not fitting:
        return AxisOrder(names[0], "")  # nothing fits: a later check names the array
    if lengths and len(fitting) == 1:
        column = next(iter(lengths))
        return _chosen(fitting[0], path, shape, f"{column} has {lengths[column]} entries")
    agreeing = [name for name in fitting if steps == shape[1 - names.index(name)]]
    if len(agreeing) == 1 or len(fitting) == 1:
        (name,) = agreeing if len(agreeing) == 1 else fitting
        why = f"the model was trained on {steps} steps" if agreeing else "x_test has as many steps"
        return _chosen(name, path, shape, why)
    raise _either(names, shape, path)


def _chosen(name: str, path: Path, shape: Shape, why: str) -> AxisOrder:
    steps, samples = shape[:2]
    note = f"x of '{path}' is read time first, {counted(samples, 'sample')} of {counted(steps, 'step')}: {why}"
    return AxisOrder(name, why, note if name[0] == "T" else "")


def _either(names: tuple[str, str], shape: Shape, path: Path) -> InputError:
    samples, steps_read = counted(shape[0], "sample"), counted(shape[1], "step")
    samples_first, steps_first = counted(shape[1], "sample"), counted(shape[0], "step")
    rest = "".join(f", {axis}" for axis in ("height", "width")[: len(shape) - 3])
    return InputError(
        f"x of '{path}' has shape {shape}: {samples} of {steps_read} or, time first, {samples_first} of {steps_first}?",
        f"--layout {names[0]} reads (samples, steps, channels{rest}), --layout {names[1]} reads (steps, samples, "
        f"channels{rest}); the file may say so itself, as numpy.savez(path, x=x, layout='{names[1]}')",
    )


def _fits(arrays: Arrays, lengths: dict[str, int], axis: int) -> bool:
    """Whether every column has one entry a sample, if samples lie on ``axis``, and x_test as many steps as x."""
    owner = {"y_test": "x_test"}
    if any(length != arrays[owner.get(name, "x")].shape[axis] for name, length in lengths.items()):
        return False
    return "x_test" not in arrays or arrays["x"].shape[1 - axis] == arrays["x_test"].shape[1 - axis]


def word(array: NDArray[Any], who: str) -> str:
    """Return the one word that an array holds."""
    if array.size != 1 or array.dtype.kind not in "US":
        raise InputError(f"{who} must be one word, it is {array.dtype} of shape {array.shape}")
    return as_text(array.item(), who)


def as_text(given: str | bytes, who: str) -> str:
    """Return text as it is; bytes are read as UTF-8."""
    if isinstance(given, str):
        return given
    try:
        return given.decode()
    except UnicodeDecodeError:
        raise InputError(f"{who} holds bytes that are no text: {given!r}", "give strings, or bytes of UTF-8") from None

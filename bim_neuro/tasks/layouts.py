"""Layouts: which axis of an array counts samples, steps, channels and places, and how it becomes one line a value.

    TBCHW    x (steps, samples, channels, height, width)    ->    (samples, steps, channels * height * width)

Lines count in the order of NIR: channels slowest, columns fastest, as a Flatten of a frame leaves them.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import arguments
from ..choices import LAYOUTS
from ..errors import InputError
from ..intake import is_stored

AXES = {"B": "samples", "T": "steps", "C": "channels", "L": "length", "H": "height", "W": "width"}
Shape = tuple[int, ...]


def check_layout(layout: str | None) -> None:
    """Refuse a name that is no layout."""
    if layout is not None and arguments.text(layout, "layout") not in LAYOUTS:
        raise InputError(
            f"no layout is called '{layout}'",
            "BTC is (samples, steps, channels), TBC is (steps, samples, channels), time first; "
            "BTCL and TBCL have an axis of places behind the channels, BTCHW and TBCHW rows and columns",
        )


def layouts_of(shape: Shape, who: str) -> tuple[str, str]:
    """Return the layouts with as many axes as an array has: samples first, time first."""
    fitting = [name for name in LAYOUTS if len(name) == len(shape)]
    if not fitting:
        wanted = "3 to 5 are needed: samples, steps, channels, and places where the channels are pictures"
        hint = "a single sample is x[None]" if len(shape) == 2 else ""
        raise InputError(f"{who} has {len(shape)} axes {shape}, {wanted}", hint)
    return fitting[0], fitting[1]


def check_axes(layout: str, shape: Shape, who: str) -> None:
    """Refuse an array with other axes than its layout names, and say which layout would fit."""
    if len(layout) != len(shape):
        near = next(name for name in layouts_of(shape, who) if name[0] == layout[0])
        said = ", ".join(AXES[axis] for axis in layout)
        raise InputError(f"{who} is {shape}, {layout} has {len(layout)} axes: {said}", f"--layout {near} would fit")


def sequences_of(x: NDArray[Any], layout: str) -> NDArray[Any]:
    """Return an array as (samples, steps, lines)."""
    x = x.swapaxes(0, 1) if layout[0] == "T" else x
    return x.reshape(*x.shape[:2], prod(x.shape[2:]))


def as_sequences(x: Any, layout: str | None, wanted: Shape, who: str) -> NDArray[Any]:
    """Return an array in a layout, samples first if none is given, as (samples, steps, lines) of a graph's input."""
    check_layout(layout)
    x = finite_numbers(x, who)
    layout = layout or layouts_of(x.shape, who)[0]
    check_axes(layout, x.shape, who)
    if len(x.shape) > len("BTC"):
        check_grid(x.shape, layout, wanted, who)
    return sequences_of(x, layout)


def check_grid(shape: Shape, layout: str, wanted: Shape, who: str) -> None:
    """Refuse an array whose channels and places are not those of the graph's input, naming both.

    Only lines are compared where the array or the graph has no places.
    """
    found = shape[2:]
    if prod(found) == prod(wanted) and (found == wanted or 1 in (len(found), len(wanted))):
        return
    axes = " x ".join(AXES[axis] for axis in layout[2:])
    message = f"{who} is {shape}, {layout}: {axes} is {said(found)}, the graph's Input reads {said(wanted)}"
    raise InputError(message, _mended(shape, layout, wanted))


def said(shape: Shape) -> str:
    """Write a shape as '2 x 34 x 34'."""
    return " x ".join(str(size) for size in shape)


def _mended(shape: Shape, layout: str, wanted: Shape) -> str:
    """Say what would make the array fit, where that can be seen."""
    found = shape[2:]
    if found == (*wanted[1:], wanted[0]) and len(wanted) > 1:
        return f"its channels are last: numpy.moveaxis(x, -1, 2) brings them before the places, for {layout}"
    if shape[1:] == wanted:
        return f"it may be one sample without an axis of samples: x[None], {LAYOUTS[2 * min(len(wanted), 3) - 2]}"
    return "give the model's own input, or another --layout"


def finite_numbers(x: Any, who: str) -> NDArray[Any]:
    """Return an array of finite numbers with the axes of a layout, none of them empty but that of the samples."""
    found: Any = x if is_stored(x) else arguments.array(x, who)
    layouts_of(found.shape, who)
    if not found.size:
        raise InputError(f"{who} is empty: its shape is {found.shape}")
    arguments.finite(found, who)
    return found if is_stored(x) else np.asarray(found)

"""What a file of sequences holds, of whatever kind it is: an .npz of arrays, an event file, or NIRData."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, cast

from numpy.typing import NDArray

from ..errors import InputError
from ..intake import is_hdf5, opened, read_npz, read_npz_headers, stored_samples
from . import event_file
from .layout_choice import AxisOrder
from .model_input import DT_S, ModelInput
from .nir_data import read_nir_data

KEYS = ("x", "y", "group", "class_names", "dt", "x_test", "y_test", "split", "layout", "head", "lengths")
RECORDED = ("spk__", "out__", "v__", "mem__", "syn__")
"""How the names of arrays begin that --expect reads of the same file; it reads `out` and `meta` too."""
WANTED = "x is (samples, steps, channels); y is one class index a sample, counting from 0 (docs/inputs.md)"
LARGE_BYTES = 2**22
"""Of x; a larger one stays in its file where the caller can read samples one at a time."""
NO_AXES = AxisOrder("", "it has no axes to order")

Arrays = dict[str, NDArray[Any]]


class Content(NamedTuple):
    """The arrays of a file by the names of `KEYS`; ``layout`` is set where x is (samples, steps, lines) already."""

    arrays: Arrays
    notes: tuple[str, ...] = ()
    dt: float | None = None
    layout: AxisOrder | None = None


def content_of(path: Path, layout: str | None, reads: ModelInput, *, stored: bool = False) -> Content:
    """Read a file; an option or setting that has no effect on its kind is refused.

    With ``stored`` a large x of three axes comes as `StoredSamples` where its bytes lie in the file as they are.
    """
    with opened(path) as file:
        hdf5 = is_hdf5(file)
    if hdf5:
        return _nir_data(path, layout, reads)
    held = read_npz_headers(path)
    _refuse(reads.node is not None, "input.node", path, "a file of NIRData")
    if event_file.is_event_file({name: header.shape for name, header in held.items()}):
        return _events(path, list(held), layout, reads)
    _refuse(reads.time_unit is not None, "input.time_unit", path, "an event file")
    _refuse(reads.bins is not None, "input.bins", path, "an event file")
    if "x" not in held:
        raise InputError(f"'{path}' has no array 'x', it has: {', '.join(held) or 'none'}", hint=WANTED)
    known = (*KEYS, "out", "meta")
    large = stored and "x_test" not in held and len(held["x"].shape) == len("BTC") and held["x"].nbytes > LARGE_BYTES
    x = stored_samples(path, "x") if large else None
    arrays = read_npz(path, KEYS if x is None else [key for key in KEYS if key != "x"])
    return Content(
        arrays if x is None else {"x": cast(Any, x)} | arrays,
        _unread([name for name in held if name not in known and not name.startswith(RECORDED)], path),
    )


def _events(path: Path, held: list[str], layout: str | None, reads: ModelInput) -> Content:
    _refuse(layout is not None, "--layout", path, "an array of steps")
    columns = event_file.RECORDS not in held
    common = {"group", "class_names", "dt", "split", *(() if columns else ("y",))}
    arrays = read_npz(path, {*common, *event_file.KEYS}, records=(event_file.RECORDS,))
    dt = reads.dt or (float(arrays["dt"].item()) if "dt" in arrays and arrays["dt"].size == 1 else DT_S)
    if not dt > 0:
        raise InputError(f"dt of '{path}' is {dt:g}, it must be positive")
    x, notes = event_file.sequences_of_events(arrays, path, reads, dt)
    kept = {name: arrays[name] for name in common - {"dt"} if name in arrays} | {"x": x}
    if "labels" in arrays:
        kept["y"] = arrays["labels"]
    unread = [name for name in held if name not in {*common, *event_file.KEYS}]
    return Content(kept, (*notes, *_unread(unread, path)), dt, NO_AXES)


def _nir_data(path: Path, layout: str | None, reads: ModelInput) -> Content:
    _refuse(layout is not None, "--layout", path, "an .npz of steps")
    _refuse(reads.time_unit is not None, "input.time_unit", path, "an event file in other units than seconds")
    x, dt, notes = read_nir_data(path, reads, reads.dt or DT_S)
    return Content({"x": x}, notes, dt, NO_AXES)


def _refuse(given: bool, option: str, path: Path, wanted: str) -> None:
    if given:
        raise InputError(f"{option} has no effect: '{path}' is not {wanted}", "leave it out")


def _unread(names: list[str], path: Path) -> tuple[str, ...]:
    if not names:
        return ()
    verbs = ("means", "was") if len(names) == 1 else ("mean", "were")
    listed = ", ".join(f"'{name}'" for name in names)
    return (f"{listed} of '{path}' {verbs[0]} nothing here and {verbs[1]} not read",)

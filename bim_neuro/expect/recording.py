"""A recording: what somebody else's run of a model gave, as an .npz or a table of arrays (docs/inputs.md).

out           what the output sent                   spk__NODE, out__NODE   what a layer sent
v__NODE, mem__NODE    voltages                       syn__NODE              synaptic currents
dt, layout, or both in meta, a JSON text; there "kind": "integers" says that a chip, or Lava, recorded it
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .. import arguments
from ..choices import LAYOUTS
from ..errors import InputError
from ..intake import read_npz, read_npz_headers
from ..nodes.arithmetic import Array
from ..tasks.content import KEYS
from ..tasks.content import RECORDED as PREFIXES
from ..tasks.layout_choice import as_text

OUT, META, INPUT = "out", "meta", "x"
SENT, VOLTAGE, CURRENT = "message", "v", "u"
"""What may be recorded of a layer, as probes call it."""
INTEGERS = "integers"
_KINDS = ("framework", INTEGERS)
MOMENTS = {"voltages": ("after", "before"), "currents": ("added", "decayed")}
"""When in a step states were recorded: after its reset or before; when the input was added, or decayed for the next."""
_WHAT = dict(zip(PREFIXES, (SENT, SENT, VOLTAGE, VOLTAGE, CURRENT), strict=True))
_HINT = "save it as numpy.savez(path, x=x, out=what_the_output_sent), docs/inputs.md has the other arrays"


class Recorded(NamedTuple):
    """A layer, and what of it was recorded."""

    layer: str
    what: str


@dataclass(frozen=True, eq=False)
class Recording:
    """Arrays (samples, steps, neurons) by place; those of a file have its own axes until `with_samples_first`."""

    origin: str
    arrays: Mapping[Recorded, Array]
    kind: str = _KINDS[0]
    dt: float | None = None
    layout: str | None = None
    has_input: bool = False
    voltages: str = "after"
    currents: str = "added"

    def at(self, moments: Mapping[str, str]) -> Recording:
        """Return the recording with states that were recorded at other ``moments`` of a step."""
        return replace(
            self,
            voltages=moments.get("voltages", self.voltages),
            currents=moments.get("currents", self.currents),
        )

    @property
    def other_moments(self) -> Iterator[Recording]:
        """Return the recording as it is if its states were recorded at other moments of a step."""
        held = {what for _, what in self.arrays}
        given = {VOLTAGE: "voltages", CURRENT: "currents"}
        names = [name for what, name in given.items() if what in held]
        for moments in product(*(MOMENTS[name] for name in names)):
            other = self.at(dict(zip(names, moments, strict=True)))
            if (other.voltages, other.currents) != (self.voltages, self.currents):
                yield other

    @property
    def integers(self) -> bool:
        """Whether a chip, or a simulation of one, recorded it."""
        return self.kind == INTEGERS

    def with_samples_first(self, layout: str | None) -> Recording:
        """Return the recording with flat layers, samples first.

        Where the file says no layout it is that of x, ``layout``; a chip's recording has samples first.
        """
        time_first = (self.layout or ("BTC" if self.integers else layout) or "").startswith("T")
        arrays = {place: self._flat(place, array, time_first) for place, array in self.arrays.items()}
        return replace(self, arrays=arrays, layout="BTC")

    def _flat(self, place: Recorded, array: Array, time_first: bool) -> Array:
        if array.ndim < 2 or 0 in array.shape:
            said = f"{place.what} of '{place.layer}' in {self.origin} has the shape {array.shape}"
            raise InputError(said, "its first two axes are those of x: samples and steps")
        array = array.swapaxes(0, 1) if time_first else array
        return array.reshape(*array.shape[:2], -1)


def head_of(path: Path) -> Recording:
    """Return what a file says of itself, without the arrays of its layers."""
    held = read_npz_headers(path)
    said = read_npz(path, ("dt", "layout", META))
    meta = _meta(_text(said[META], f"meta of {path}"), path) if META in said else {}
    dt = said["dt"].item() if "dt" in said and said["dt"].size == 1 else meta.get("dt")
    layout = _text(said["layout"], f"layout of {path}") if "layout" in said else meta.get("layout")
    moments = {
        name: arguments.choice(meta.get(name, allowed[0]), allowed, f"{name} in meta of {path}")
        for name, allowed in MOMENTS.items()
    }
    return Recording(
        str(path),
        {},
        kind=arguments.choice(meta.get("kind", _KINDS[0]), _KINDS, f"kind in meta of {path}"),
        dt=None if dt is None else arguments.duration(dt, f"dt of {path}"),
        layout=None if layout is None else arguments.choice(layout, LAYOUTS, f"layout of {path}"),
        has_input=INPUT in held,
    ).at(moments)


def recording_of(given: Path | Mapping[str, Any], nodes: Collection[str], output: str) -> Recording:
    """Return the recording in a file, or in a table {key: array}, of a graph with these ``nodes``."""
    if isinstance(given, Path):
        head, keys = head_of(given), tuple(read_npz_headers(given))
    else:
        head, keys = Recording("the given table", {}), tuple(arguments.text(key, "a key") for key in given)
    places = _places(keys, nodes, output, head, plain=isinstance(given, Path))
    arrays = read_npz(given, tuple(places)) if isinstance(given, Path) else given
    held: dict[Recorded, Array] = {}
    for key, place in places.items():
        array = _numbers(arrays[key], key, head)
        if place in held and not np.array_equal(held[place], array):
            other = next(other for other, taken in places.items() if taken == place)
            raise InputError(
                f"'{key}' and '{other}' of {head.origin} are the same layer, and differ", "keep one of them"
            )
        held[place] = array
    return replace(head, arrays=held)


def _places(
    keys: Iterable[str], nodes: Collection[str], output: str, head: Recording, *, plain: bool
) -> dict[str, Recorded]:
    """Return where each key belongs; a file may hold others, a table may not."""
    places: dict[str, Recorded] = {}
    for key in keys:
        if plain and key in KEYS:
            continue
        prefix = next((prefix for prefix in PREFIXES if key.startswith(prefix)), None)
        if key == OUT:
            place = Recorded(output, SENT)
        elif prefix is not None and key not in nodes:
            place = Recorded(_node(key.removeprefix(prefix), key, nodes, head), _WHAT[prefix])
        elif key in nodes or not plain:
            place = Recorded(_node(key, key, nodes, head), SENT)
        else:
            continue
        places[key] = place
    if plain and Recorded(output, SENT) not in places.values() and not (head.integers and places):
        raise InputError(f"{head.origin} has no array 'out', it has: {', '.join(keys) or 'none'}", _HINT)
    return places


def _node(name: str, key: str, nodes: Collection[str], head: Recording) -> str:
    """Return the node that a key names, with or without leading underscores."""
    if name in nodes:
        return name
    alike = [node for node in nodes if node.strip("_") == name.strip("_")]
    if len(alike) == 1:
        return alike[0]
    near = get_close_matches(name, list(nodes), n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(nodes)}"
    raise InputError(f"'{key:.60}' of {head.origin}: the graph has no layer '{name:.60}'", hint)


def _numbers(given: Any, key: str, head: Recording) -> Array:
    array = np.asarray(given)
    if array.dtype.kind not in "fiub":
        raise InputError(f"{key} of {head.origin} holds {array.dtype}, not numbers", _HINT)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{key} of {head.origin} holds values that are not finite")
    return array


def _text(array: Array, who: str) -> str:
    if array.size != 1 or array.dtype.kind not in "US":
        raise InputError(f"{who} is {array.dtype} of shape {array.shape}, one text is needed")
    return as_text(array.item(), who)


def _meta(text: str, path: Path) -> Mapping[str, Any]:
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InputError(f"meta of {path} is no JSON table", 'write it as json.dumps({"dt": 1e-3, "layout": "TBC"})')
    return said

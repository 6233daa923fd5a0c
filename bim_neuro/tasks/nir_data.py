"""NIRData files, as nir.write_data writes them: signals of a graph's nodes, on a grid of steps or as events.

    /nodes/NAME/observables/NAME     TimeGriddedData    data (samples, steps, neurons), dt
                                     EventData          idx and time (samples, events), -1 where there is none
                                     ValuedEventData    and value (samples, events)

The file is read by our own tolerant reader; NIR's own is not imported.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import Budget, Tree, read_hdf5
from .events import Events, binned, check_places, check_times
from .layouts import finite_numbers
from .model_input import ModelInput

_KINDS = ("TimeGriddedData", "EventData", "ValuedEventData")
_DEPTH = 16
_HINT = "nir.write_data makes such files"


def read_nir_data(path: Path, reads: ModelInput, dt: float) -> tuple[NDArray[Any], float | None, tuple[str, ...]]:
    """Return x (samples, steps, neurons) of one node, the step that the file states, and how it was read."""
    tree = read_hdf5(path, lambda parts: True, attributes=True)
    if tree.get("@__type__") != "NIRGraphData":
        hint = "a graph of NIR is the MODEL, --input is its data" if "node" in tree else _HINT
        raise InputError(f"'{path}' is an HDF5 file without NIRData: its type is {_text(tree, '__type__')}", hint)
    found = dict(_signals(tree, "", _DEPTH))
    name = _chosen(found, reads, path)
    group, who = found[name], f"'{name}' of '{path}'"
    kind = _text(group, "__type__")
    if kind not in _KINDS:
        raise InputError(f"{who} is of type {kind}, these are read: {', '.join(_KINDS)}")
    said = f"'{name}' of '{path}' was read, {kind}"
    if kind == "TimeGriddedData":
        x = finite_numbers(_array(group, "data", who), who)
        return x, _number(group, "dt", who), (said,)
    events, lines, duration = _events(group, who)
    x, merged = binned(events, lines, dt, duration, Budget.of_file(path.stat().st_size), count=reads.counted)
    return x, None, (said, *merged)


def _signals(tree: Tree, prefix: str, depth: int) -> Iterator[tuple[str, Tree]]:
    """Yield every signal by 'node.observable'; the names of nested graphs go before."""
    if not depth:
        raise InputError(f"graphs are nested more than {_DEPTH} deep at '{prefix}'")
    nodes = tree.get("nodes")
    for name, node in nodes.items() if isinstance(nodes, dict) else ():
        if isinstance(node, dict) and "nodes" in node:
            yield from _signals(node, f"{prefix}{name}.", depth - 1)
        elif isinstance(node, dict) and isinstance(observables := node.get("observables"), dict):
            for signal, group in observables.items():
                if isinstance(group, dict):
                    yield f"{prefix}{name}.{signal}", group


def _chosen(found: dict[str, Tree], reads: ModelInput, path: Path) -> str:
    """Return the signal that was asked for, that of the graph's input, or the only one."""
    if not found:
        raise InputError(f"'{path}' holds no signal of a node", _HINT)
    wanted = reads.node or reads.source
    of_node = [name for name in found if wanted and (name == wanted or name.rpartition(".")[0] == wanted)]
    fitting = of_node or ([] if reads.node else list(found))
    if len(fitting) == 1:
        return fitting[0]
    asked = f", and none is called '{reads.node:.60}'" if reads.node and not fitting else ""
    message = f"'{path}' holds the signals {', '.join(list(found)[:8])}{asked}"
    raise InputError(message, f"name one, as --set input.node={next(iter(fitting or found))}")


def _events(group: Tree, who: str) -> tuple[Events, int, float]:
    index, time = _array(group, "idx", who), _array(group, "time", who)
    valued = _text(group, "__type__") == "ValuedEventData"
    value = _array(group, "value", who) if valued else None
    for name, array in (("idx", index), ("time", time), ("value", value)):
        if array is not None and (array.ndim != 2 or array.shape != index.shape):
            raise InputError(f"{name} of {who} has shape {array.shape}, idx has {index.shape}: (samples, events)")
    if not np.array_equal(index, np.rint(index)):
        raise InputError(f"idx of {who} holds numbers that are not whole")
    there = index != -1
    sample = np.repeat(np.arange(len(index)), there.sum(axis=1))
    neurons = int(said := _number(group, "n_neurons", who))
    if neurons != said:
        raise InputError(f"n_neurons of {who} is {said:g}, a whole number is needed", _HINT)
    line = index[there].astype(np.int64)
    check_places(line, neurons, "idx", who)
    check_times(time[there], sample, f"time of {who}")
    weights = None if value is None else finite_values(value[there], f"value of {who}")
    events = Events(who, len(index), sample, time[there].astype(np.float64), line, weights)
    return events, neurons, _number(group, "t_max", who)


def finite_values(values: NDArray[Any], who: str) -> NDArray[np.float64]:
    """Return numbers as float64; refuse those that are not finite."""
    wrong = np.flatnonzero(~np.isfinite(values.astype(np.float64)))
    if len(wrong):
        raise InputError(f"{who} is {values[wrong[0]]} at event {wrong[0]}, {len(wrong):,} are not finite")
    return values.astype(np.float64)


def _array(group: Tree, name: str, who: str) -> NDArray[Any]:
    found = group.get(name)
    if not isinstance(found, np.ndarray):
        raise InputError(f"{who} has no numbers '{name}'", _HINT)
    return found


def _number(group: Tree, name: str, who: str) -> float:
    found = group.get(f"@{name}")
    number = float(found) if isinstance(found, np.ndarray) and found.size == 1 else float("nan")
    if not 0 < number < 2**53:
        raise InputError(f"{name} of {who} is {number:g}, one positive number is needed", _HINT)
    return number


def _text(group: Tree, name: str) -> str:
    found = group.get(f"@{name}")
    return found if isinstance(found, str) else "none"

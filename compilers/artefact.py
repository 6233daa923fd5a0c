"""The artefact, model.bimn: an integer program with a sample input and the spikes it must give.

A .npz archive without pickles: `header` (JSON text) and the arrays it names. `check` runs the program on its own
sample and compares every message with what was stored: a self-test that needs no other file.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..atomic import replacing
from ..engine.reference import simulate
from ..errors import InputError, ThresholdMissed
from ..graph import IntegerGraph
from ..nodes.arithmetic import Array
from ..pack import pack, unpack
from .align import MAX_DELAY
from .fields import out_of_field

FORMAT = "bim-neuro program"
VERSION = 2  # of version 1, which held a LIF's bias whole, `unpack` makes mantissa and exponent


@dataclass(frozen=True)
class Artefact:
    """An aligned integer graph for ``target``, ``sample`` (samples, steps, lines) and ``expected`` messages by key."""

    graph: IntegerGraph
    target: str
    sample: Array
    expected: dict[str, Array]


def save_artefact(artefact: Artefact, path: Path) -> None:
    """Write model.bimn atomically."""
    graph, arrays = pack(artefact.graph)
    header = {"format": FORMAT, "version": VERSION, "target": artefact.target, "graph": graph}
    content = {f"graph:{key}": value for key, value in arrays.items()}
    content |= {f"expected:{key}": value for key, value in artefact.expected.items()}
    memory = io.BytesIO()  # a full disk would leave zipfile with an archive it cannot close
    np.savez_compressed(memory, header=np.array(json.dumps(header)), sample=artefact.sample, **content)  # type: ignore[arg-type]
    with replacing(path) as temporary:
        temporary.write_bytes(memory.getbuffer())


def load_artefact(path: Path) -> Artefact:
    """Read model.bimn; anything else is refused, and nothing in it is executed."""
    if not path.is_file():
        raise InputError(f"no such file: {path}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            content: dict[str, Array] = dict(archive.items())
        header: dict[str, Any] = dict(json.loads(str(content["header"])))
        sample = content["sample"].astype(np.int64)
    except Exception as error:  # noqa: BLE001  numpy, zlib and zipfile raise whatever damaged bytes lead them to
        raise InputError(f"{path} is damaged or not a .bimn artefact: {_first_line(error)}") from None
    if header.get("format") != FORMAT or header.get("version") not in (1, VERSION):
        raise InputError(f"{path} is not a bim-neuro program of version 1 or {VERSION}")
    graph = unpack(header.get("graph", {}), _under("graph:", content))
    aligned = isinstance(getattr(graph, "depth", None), dict)  # its type, like all else, came from the file
    if not isinstance(graph, IntegerGraph) or not aligned or set(graph.depth) != set(graph.nodes):
        raise InputError(f"{path} holds no aligned integer graph")
    _check_times(graph, path)
    for finding in out_of_field(graph):
        raise InputError(f"{path}: {finding.message}")
    return Artefact(graph, str(header.get("target", "")), sample, _under("expected:", content))


def _check_times(graph: IntegerGraph, path: Path) -> None:
    """Refuse delays and depths that no chip has and that a simulation would wait for."""
    times = {edge.name: edge.delay for edge in graph.edges} | graph.depth | {"the gap between samples": graph.gap}
    for name, steps in times.items():
        limit = len(graph.nodes) if name in graph.depth else MAX_DELAY
        if type(steps) is not int or not 0 <= steps <= limit:
            raise InputError(f"{path}: '{name}' has {steps!r} steps, allowed are 0 to {limit}")


def check(artefact: Artefact) -> int:
    """Run the sample; return how many messages were compared; `ThresholdMissed` names the first layer that differs."""
    if not artefact.expected:
        raise InputError("the artefact holds no expected messages to compare with")
    try:
        record = simulate(artefact.graph, artefact.sample, probe=True)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        raise InputError(f"the artefact's program does not run: {_first_line(error)}") from None
    compared = 0
    for key, expected in artefact.expected.items():
        got = record.probes.get(key)
        if got is None or got.shape != expected.shape:
            raise InputError(f"the artefact expects '{key}', which the program does not give in that shape")
        different = int(np.count_nonzero(got != expected))
        if different:
            raise ThresholdMissed(f"self-test: '{key}' differs in {different} of {expected.size} values")
        compared += expected.size
    return compared


def expected_messages(graph: IntegerGraph, sample: Array) -> dict[str, Array]:
    """Return every message of the program on the sample, as the artefact stores them."""
    probes = simulate(graph, sample, probe=True).probes
    return {key: value.astype(np.int32) for key, value in probes.items() if key.endswith(".message")}


def _under(prefix: str, content: dict[str, Array]) -> dict[str, Array]:
    return {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

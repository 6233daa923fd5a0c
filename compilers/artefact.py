"""The artefact, model.bimn: an integer program with sample input and the messages it must produce.

A .npz archive without pickles: `header` (JSON text) and the arrays it names. `check` runs the program on the stored
sample and compares every message with the stored ones: a self-test that needs no other file.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import arguments
from ..atomic import write
from ..errors import InputError, ThresholdMissed, first_line
from ..graph import IntegerGraph
from ..intake import NPZ_NAME, Budget, read_npz
from ..nodes.arithmetic import Array
from ..pack import pack, unpack
from ..printable import plain
from ..simulation.reference import simulate
from .align import MAX_DELAY
from .fields import out_of_field

FORMAT = "bim-neuro program"
VERSION = 2  # version 1 stored a LIF's bias as one integer; `unpack` converts it to mantissa and exponent

MAX_SHIFT = 63
EFFORT = 2
"""Deflate level: numpy's level 6 takes five times as long for spikes, and makes a file of weights only 1 % smaller."""


@dataclass(frozen=True)
class Artefact:
    """An aligned integer graph for ``target``, ``sample`` (samples, steps, lines) and ``expected`` messages by key."""

    graph: IntegerGraph
    target: str
    sample: Array
    expected: dict[str, Array]

    def __repr__(self) -> str:
        samples, steps, _ = self.sample.shape
        return f"<Artefact for {plain(self.target)}, proved on {samples} samples of {steps} steps: {self.graph!r}>"


def save_artefact(artefact: Artefact, path: str | Path) -> None:
    """Write model.bimn atomically."""
    arguments.instance(artefact, Artefact, "artefact")
    path = arguments.new_file(path)
    graph, arrays = pack(artefact.graph)
    header = {"format": FORMAT, "version": VERSION, "target": artefact.target, "graph": graph}
    content = {"header": np.array(json.dumps(header)), "sample": artefact.sample}
    content |= {f"graph:{key}": value for key, value in arrays.items()}
    content |= {f"expected:{key}": value for key, value in artefact.expected.items()}
    write(path, npz(content))


def npz(content: dict[str, Array]) -> memoryview:
    """Return what `numpy.savez_compressed` writes, at a lower compression level and without a date."""
    memory = io.BytesIO()  # a full disk would leave zipfile with an archive it cannot close
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_DEFLATED, compresslevel=EFFORT) as archive:
        for name, array in content.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                spikes = array.dtype == bool and name.startswith("expected:")
                np.lib.format.write_array(member, array.astype(np.int32) if spikes else array, allow_pickle=False)
    return memory.getbuffer()


def load_artefact(path: str | Path) -> Artefact:
    """Read model.bimn; any other file is refused, and no code in it is executed."""
    path = arguments.path(path)
    try:
        content = read_npz(path, _is_ours)
    except InputError as error:
        raise InputError(error.message.replace(NPZ_NAME, "a .bimn artefact"), error.hint) from None
    header = _header(content, path)
    if header.get("format") != FORMAT or header.get("version") not in (1, VERSION):
        raise InputError(f"{path} is not a bim-neuro program of version 1 or {VERSION}")
    try:
        artefact = _artefact(header, content)
        _check_run(artefact, Budget.of_file(path.stat().st_size))
    except InputError as error:
        raise InputError(f"{path}: {error.message}", error.hint) from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise InputError(f"{path} holds a program with a damaged part: {first_line(error)}") from None
    return artefact


def _artefact(header: dict[str, Any], content: dict[str, Array]) -> Artefact:
    graph = unpack(header.get("graph", {}), _under("graph:", content))
    aligned = isinstance(getattr(graph, "depth", None), dict)  # its type, like all else, came from the file
    if not isinstance(graph, IntegerGraph) or not aligned or set(graph.depth) != set(graph.nodes):
        raise InputError("it holds no aligned integer graph")
    _check_times(graph)
    for finding in out_of_field(graph):
        raise InputError(finding.message)
    return Artefact(graph, str(header.get("target", "")), content["sample"], _under("expected:", content))


def _is_ours(name: str) -> bool:
    return name in ("header", "sample") or name.startswith(("graph:", "expected:"))


def _header(content: dict[str, Array], path: Path) -> dict[str, Any]:
    """Return the JSON header of an archive that has one, and a sample."""
    missing = [name for name in ("header", "sample") if name not in content]
    if missing:
        raise InputError(f"{path} is not a .bimn artefact: it has no array '{missing[0]}'")
    try:
        header = json.loads(str(content["header"]))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is damaged or not a .bimn artefact: {first_line(error)}") from None
    if not isinstance(header, dict):
        raise InputError(f"{path} is damaged or not a .bimn artefact: its header is a {type(header).__name__}")
    return header


def _check_run(artefact: Artefact, budget: Budget) -> None:
    """Refuse a sample, shifts or sizes that no program of ours has and that would make the run fail."""
    graph, sample = artefact.graph, artefact.sample
    lines = graph.nodes[graph.source].neurons
    if sample.dtype.kind not in "iu" or sample.ndim != 3 or sample.shape[2] != lines or not sample.size:
        raise InputError(f"the sample is {sample.dtype} of shape {sample.shape}, (samples, steps, {lines}) fits")
    slots = sample.shape[0] * sample.shape[1]
    for edge in graph.edges:
        weights = int(getattr(edge.synapse, "weight", np.empty(0)).size)
        budget.take(f"synapse '{edge.name}' in the self-test", 8 * weights)
    for name, node in graph.nodes.items():
        shifts = {key: value for key, value in vars(node).items() if key.endswith(("shift", "_exp"))}
        wide = {key: bits for key, bits in shifts.items() if not -MAX_SHIFT <= bits <= MAX_SHIFT}
        if wide or node.neurons < 1:
            raise InputError(f"node '{name}' has {wide or f'{node.neurons} neurons'}, which no program of ours has")
        budget.take(f"node '{name}' in the self-test", 8 * node.neurons * (slots + 1) * (1 + node.state_words))


def _check_times(graph: IntegerGraph) -> None:
    """Refuse delays and depths longer than any chip allows: a simulation of them would take very long."""
    times = {edge.name: edge.delay for edge in graph.edges} | graph.depth | {"the gap between samples": graph.gap}
    for name, steps in times.items():
        limit = len(graph.nodes) if name in graph.depth else MAX_DELAY
        if type(steps) is not int or not 0 <= steps <= limit:
            raise InputError(f"'{name}' has {steps!r:.40} steps, allowed are 0 to {limit}")


def check(artefact: Artefact) -> int:
    """Run the sample; return how many messages were compared; `ThresholdMissed` names the first layer that differs."""
    if not arguments.instance(artefact, Artefact, "artefact").expected:
        raise InputError("the artefact holds no expected messages to compare with")
    try:
        record = simulate(artefact.graph, artefact.sample.astype(np.int64), probe=True)
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, MemoryError) as error:
        raise InputError(f"the artefact's program does not run: {first_line(error)}") from None
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
    """Return every message of the program on the sample; spikes are bool here and int32 in the file."""
    probes = simulate(graph, sample, probe=[f"{name}.message" for name in graph.nodes]).probes
    return {key: value if value.dtype == bool else value.astype(np.int32) for key, value in probes.items()}


def _under(prefix: str, content: dict[str, Array]) -> dict[str, Array]:
    return {key.removeprefix(prefix): value for key, value in content.items() if key.startswith(prefix)}

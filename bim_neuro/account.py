"""What a program says of itself: integers beside the float law or another backend, report, raster, notebook table."""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from difflib import get_close_matches
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from . import arguments, report
from .atomic import cannot_write
from .compilers.placement.place import arrange
from .compilers.rounding import Constant
from .errors import Finding, InputError
from .estimates.neurobench import Activity, ActivityCounter, activity
from .extras import check_extra
from .graph import FloatGraph, IntegerGraph, PlacedGraph
from .hardware import HardwareProfile
from .nodes.arithmetic import Array
from .printable import plain
from .record import RunRecord, merge
from .simulation.agreement import Agreement, compared
from .simulation.counting import count_messages
from .simulation.probes import Probe, Watch, check_kept, samples_at_once
from .tasks import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BATCH = 64
ROW_INCHES = 1.6
Ran = tuple[RunRecord, RunRecord, Agreement, Activity]
"""What a run left: the records of the integers and of the float law, how far they agree, and what was done."""
_MODEL, _GIVEN = "a Program in Python", "the given input"


class Runs(Protocol):
    """A compiled program, as `pipeline.Program` is one."""

    @property
    def reference(self) -> FloatGraph: ...

    @property
    def graph(self) -> IntegerGraph: ...

    @property
    def placed(self) -> PlacedGraph: ...

    @property
    def profile(self) -> HardwareProfile: ...

    @property
    def assumptions(self) -> tuple[str, ...]: ...

    @property
    def findings(self) -> tuple[Finding, ...]: ...

    @property
    def constants(self) -> tuple[Constant, ...]: ...

    @property
    def exponents(self) -> dict[str, int]: ...

    def run(
        self,
        raw: Array,
        *,
        backend: str = "engine",
        probe: Probe = False,
        watch: Watch | None = None,
        time_limit: float | None = None,
    ) -> RunRecord: ...

    def run_float(self, raw: Array, probe: Probe = True) -> RunRecord: ...


def play(
    program: Runs,
    raw: Array,
    *,
    backend: str = "engine",
    keep: bool = False,
    time_limit: float | None = None,
    stage: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
    advance: Callable[[int], None] = lambda samples: None,
) -> Ran:
    """Run integers and float law, as many samples at a time as memory allows; ``keep`` the probes of all."""
    graph, probed = program.graph, compared(program.graph)
    agreement, counted = Agreement(), Activity()
    records: list[RunRecord] = []
    floats: list[RunRecord] = []
    if keep:
        check_kept(graph, 2 * len(raw), raw.shape[1])
    lava = backend == "lava"
    batch = len(raw) if lava else samples_at_once(graph, probed, min(len(raw), BATCH), raw.shape[1])
    for first in range(0, len(raw), batch):
        part = raw[first : first + batch]
        with stage("float reference"):
            reference = program.run_float(part, probed)
        counter = ActivityCounter(graph, raw.shape[1])
        with stage("simulate"):
            record = program.run(part, backend=backend, probe=keep or probed, watch=counter, time_limit=time_limit)
            if lava:
                record = replace(record, layers=count_messages(graph, record.probes, record.steps))
        agreement.add(graph, reference, record)
        counted += activity(graph, record) if lava else counter.counted
        records = [merge([*records, record if keep else replace(record, probes={})])]
        floats = [merge([*floats, replace(reference, probes={})])]
        advance(len(part))
    return records[0], floats[0], agreement, counted


def verify(record: RunRecord, other: RunRecord) -> dict[str, Any]:
    """Compare every message and state of two probed runs, layer by layer and step by step.

    Of the values, those count apart that are not zero in both: silence is equal to silence, and says little.
    """
    for name, run_record in (("record", record), ("other", other)):
        if not arguments.instance(run_record, RunRecord, name).probes:
            raise InputError(f"{name} has no probes, nothing can be compared", "run with probe=True")
    if missing := record.probes.keys() - other.probes.keys():
        raise InputError(f"the other run has no '{min(missing)}'", "compare runs of the same program")
    layers: list[dict[str, Any]] = []
    for key, values in record.probes.items():
        theirs = other.probes[key]
        same = values == theirs if values.shape == theirs.shape else np.zeros(values.shape, bool)
        sent = (values != 0) | (theirs != 0) if values.shape == theirs.shape else values != 0
        layer, what = key.rsplit(".", 1)
        counts = {
            "values": values.size,
            "equal": same.sum(),
            "nonzero": sent.sum(),
            "nonzero_equal": (same & sent).sum(),
        }
        layers.append({"layer": layer, "what": what, **{name: int(count) for name, count in counts.items()}})
    messages = [row for row in layers if row["what"] == "message"]
    states = [row for row in layers if row["what"] != "message"]
    return {
        "backend": other.backend,
        "samples": record.samples,
        "messages": sum(row["nonzero"] for row in messages),
        "messages_equal": sum(row["nonzero_equal"] for row in messages),
        "spike_slots": sum(row["values"] for row in messages),
        "equal": sum(row["equal"] for row in messages),
        "states": sum(row["values"] for row in states),
        "states_equal": sum(row["equal"] for row in states),
        "layers": layers,
    }


def placed_for(program: Runs, record: RunRecord) -> PlacedGraph:
    """Return the cores where the messages of a run go the shortest way, as bim-compile places them."""
    return arrange(program.placed, program.profile, traffic=record)


def write_report(program: Runs, data: Dataset, folder: Path) -> dict[str, Any]:
    """Run the engine, write the report's files into a folder that is new or empty, and return the summary."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise InputError(f"{folder} holds other files, a report's folder is new or empty", "give another folder")
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    record, floats, agreement, counted = play(program, data.x)
    placed = placed_for(program, record)
    shown = [f"{name}.message" for name in program.graph.nodes]
    first = program.run(data.x[:1, : report.RASTER_STEPS], probe=shown)
    facts = report.Facts(
        model=_MODEL,
        input=_GIVEN,
        sequences=_sequences(len(data)),
        command="Program.report",
        placed=placed,
        profile=program.profile,
        optimise=None,
        assumptions=program.assumptions,
        record=record,
        floats=floats,
        agreement=agreement,
        activity=counted,
        y=data.y,
        verification=None,
        findings=program.findings,
        constants=program.constants,
        exponents=program.exponents,
        request=report.asked({}, None, program.profile, data.x, data.y, None),
    )
    summary = report.summarise(facts)
    report.write_files(summary, placed, report.series(record, first, placed, program.profile), folder)
    return summary


def _sequences(samples: int) -> dict[str, Any]:
    """Return what the report says of sequences that came as an array: of no file, and all of them."""
    unknown = dict.fromkeys(("split", "seen_in_training", "layout"))
    return {"origin": _GIVEN, "samples": samples, "of": samples, "notes": [], **unknown}


def raster(program: Runs, raw: Array, layers: Collection[str] | None) -> Figure:
    """Draw a dot for each message of the first sequence: a row of axes a layer, those that spike unless named."""
    check_extra("train", "matplotlib", "Program.plot_raster")
    from matplotlib.figure import Figure

    names = _drawn(program.graph, layers)
    record = program.run(raw[:1], probe=[f"{name}.message" for name in names])
    figure = Figure(figsize=(8, ROW_INCHES * len(names) + 0.6), layout="constrained")
    rows = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, names, strict=True):
        steps, neurons = np.nonzero(record.probes[f"{name}.message"][0])
        axes.scatter(steps, neurons, s=4, marker="|")
        axes.set(ylabel=plain(name), ylim=(-0.5, program.graph.nodes[name].neurons - 0.5))
    rows[-1].set(xlabel="step", xlim=(-0.5, record.period - 0.5))
    return figure


def _drawn(graph: IntegerGraph, layers: Collection[str] | None) -> list[str]:
    if layers is None:
        spiking = [name for name in graph.order if graph.nodes[name].message_bits == 1]
        return spiking or list(graph.order)
    named = [layers] if isinstance(layers, str) else list(layers)
    for name in named:
        if name not in graph.nodes:
            near = get_close_matches(str(name), graph.nodes, n=1) or list(graph.nodes)
            raise InputError(f"no layer is called '{name!s:.60}'", f"one of: {', '.join(near)}")
    if not named:
        raise InputError("layers is empty, at least one is drawn", "leave it out for all that spike")
    return named


def as_html(title: str, layers: list[dict[str, Any]]) -> str:
    """Return the table of layers that a notebook shows; every text in it is escaped."""
    columns = ("name", "kind", "neurons", "synapses", "cores")
    head = "".join(f"<th>{column}</th>" for column in columns)
    rows = ("".join(f"<td>{_cell(layer[column])}</td>" for column in columns) for layer in layers)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(plain(value))

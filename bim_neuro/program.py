"""A compiled model: run it on any backend, compare it with float, and read its costs."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import arguments, report
from .atomic import new_folder
from .choices import BACKENDS
from .compilers.artefact import Artefact, expected_messages, save_artefact
from .compilers.constants import Constant
from .compilers.lower_stock import Lowered
from .compilers.placement.design_rules import assumptions
from .compilers.placement.place import arrange
from .errors import Finding
from .estimates.energy import EnergyReport, price
from .estimates.latency import LatencyReport, latency
from .estimates.neurobench import ActivityCounter, activity
from .excerpts import Excerpts
from .extras import check_extra
from .graph import FloatGraph, IntegerGraph, PlacedGraph
from .hardware import HardwareProfile
from .nodes import InputSeen
from .nodes.arithmetic import Array
from .printable import counted, plain
from .ran import Ran, joined
from .record import RunRecord
from .report.notebook import as_html, drawn, raster
from .simulation.agreement import Agreement, compared, verify
from .simulation.counting import count_messages
from .simulation.probes import Probe, Watch, check_kept, samples_at_once
from .simulation.reference import Progress, check_progress, simulate, simulate_float
from .stages import calibrate_on, float_input, sequences_for, sequences_in, to_cores
from .stopwatch import Stopwatch
from .tasks import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .compilers.to_lava.build import LavaNetwork
    from .simulation.compiled import Engine

BATCH = 64
_MODEL, _GIVEN = "a Program in Python", "the given input"


@dataclass(frozen=True)
class Program:
    """A compiled model: run it, save it, or take its Lava processes.

    >>> import bim_neuro
    >>> program = bim_neuro.compile("examples/digits.pt", target="loihi2")
    >>> program.run(bim_neuro.load_task("digits").test.x[:4]).predicted
    array([2, 3, 7, 0])
    """

    reference: FloatGraph
    placed: PlacedGraph
    profile: HardwareProfile
    findings: tuple[Finding, ...] = ()
    """Warnings of the compiler."""
    constants: tuple[Constant, ...] = ()
    """Each constant in float and as the integers hold it."""
    exponents: Mapping[str, float] = field(default_factory=dict)
    """Scale of each layer's message: its real value is message * 2^-exponent; of those that the model has."""
    state_units: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Real value of one unit of each layer's states, by their names; of those that the model has."""
    lowered: FloatGraph | None = None
    """The float graph that was made integers, where it is not that of the model."""

    def __repr__(self) -> str:
        widths = [node.neurons for node in self.graph.nodes.values() if node.kind != "source"]
        size = f"{counted(len(widths), 'layer')}, {counted(sum(widths), 'neuron')}"
        cores = counted(len({core.index for core in self.placed.cores}), "core")
        return f"<Program for {plain(self.profile.name)}: {size}, {cores}, {counted(len(self.findings), 'finding')}>"

    @property
    def graph(self) -> IntegerGraph:
        """The aligned integer graph."""
        return self.placed.graph

    @cached_property
    def engine(self) -> Engine:
        """The compiled simulation, built on first use."""
        from .simulation.compiled import Engine

        return Engine(self.graph)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What this program assumes, one sentence each."""
        extra = (self.lowered or self.reference).extra
        measured = (extra["calibration"],) if "calibration" in extra else ()
        encoded, *scaled = extra.get("read_as", ()) or ("",)
        read_as = (report.READ_AS + encoded, *scaled) if encoded else ()
        return (*read_as, *extra.get("assumptions", ()), *measured, *assumptions(self.graph, self.profile))

    def calibrated(self, raw: Array, origin: str = "the given input") -> Program:
        """Return the program with its unknown ranges measured on the first of these sequences.

        ``origin`` is what `assumptions` calls them. A program whose ranges are all known is returned as it is.
        """
        reference = calibrate_on(self.reference, raw, origin)
        if reference is self.reference:
            return self
        return compiled(reference, self.profile, Stopwatch(), before=self.placed)

    def sequences(self, given: Any, layout: str | None = None, **events: str) -> Array:
        """Return (samples, steps, channels), as every method here reads them, of a file or an array in a layout.

        ``given`` is an array, or the path of an .npz, an event file or NIRData; ``layout`` is 'TBCHW' or another of
        docs/inputs.md; ``events`` are time_unit, bins and node, as the settings input.* are.
        """
        return sequences_in(self.reference, given, layout, events)

    def encode(self, raw: Array) -> Array:
        """Turn raw sequences (samples, steps, channels) into what the chip's input lines carry."""
        return self.encode_and_see(raw)[0]

    def encode_and_see(self, raw: Array) -> tuple[Array, InputSeen]:
        """Return what `encode` does, and what the encoder met: the values of each channel that it cut off."""
        return self.graph.encoder.encode_and_see(sequences_for(self.graph, raw))

    def run(
        self,
        raw: Array,
        *,
        backend: str = "engine",
        probe: Probe = False,
        watch: Watch | None = None,
        progress: Progress | None = None,
        time_limit: float | None = None,
    ) -> RunRecord:
        """Run raw sequences on a backend ('engine', 'reference' or 'lava') and count what happened.

        ``probe`` keeps every message and state, or those it names, for example 'block1.lif.message'; ``watch`` is
        called with all of them during the run (not with Lava, which always keeps them); ``time_limit`` (seconds) is for
        Lava. ``seen`` of the record tells which input was clipped.
        """
        arguments.choice(backend, BACKENDS, "backend")
        if time_limit is not None:
            arguments.number(time_limit, "time_limit", above=0)
        check_progress(progress)
        x, seen = self.encode_and_see(raw)
        if backend == "engine":
            record = self.engine.run(x, probe=probe, watch=watch, progress=progress)
        elif backend == "reference":
            record = simulate(self.graph, x, probe=probe, watch=watch, progress=progress)
        else:
            from .compilers.to_lava import run_lava

            check_kept(self.graph, len(x), x.shape[1])
            record = run_lava(self.graph, x, time_limit=time_limit)
        return replace(record, seen=seen)

    def run_float(self, raw: Array, probe: Probe = True) -> RunRecord:
        """Run the model's float law on the same encoded input, or on raw values where the encoder ``reads_raw``."""
        return simulate_float(self.reference, float_input(self.reference, raw), probe=probe)

    def play(
        self,
        raw: Array,
        *,
        backend: str = "engine",
        keep: bool = False,
        time_limit: float | None = None,
        stage: Callable[[str], AbstractContextManager[None]] = lambda name: nullcontext(),
        advance: Callable[[int], None] = lambda samples: None,
    ) -> Ran:
        """Run the integers and the float model in batches that fit in memory; ``keep`` the probes of all samples."""
        graph, probed, raw = self.graph, compared(self.graph), sequences_for(self.graph, raw)
        arguments.function(stage, "stage")
        arguments.function(advance, "advance")
        done: list[Ran] = []
        if keep:
            check_kept(graph, 2 * len(raw), raw.shape[1])
        lava = backend == "lava"
        batch = len(raw) if lava else samples_at_once(graph, probed, min(len(raw), BATCH), raw.shape[1])
        for first in range(0, len(raw), batch):
            part = raw[first : first + batch]
            with stage("float reference"):
                reference = self.run_float(part, probed)
            counter = ActivityCounter(graph, raw.shape[1])
            with stage("simulate"):
                record = self.run(part, backend=backend, probe=keep or probed, watch=counter, time_limit=time_limit)
                if lava:
                    record = replace(record, layers=count_messages(graph, record.probes, record.steps))
            agreement = Agreement()
            agreement.add(graph, reference, record)
            did = activity(graph, record) if lava else counter.counted
            record = record if keep else replace(record, probes={})
            done = [joined([*done, Ran(record, replace(reference, probes={}), agreement, did)])]
            advance(len(part))
        return done[0]

    def excerpt(self, raw: Array, samples: Sequence[int] = (0,), backend: str = "engine") -> RunRecord:
        """Run the first steps of some samples, named by their indices, with all messages, for the report's raster."""
        raw = sequences_for(self.graph, raw)
        chosen = [arguments.whole(sample, "samples", 0, len(raw) - 1) for sample in samples]
        part = raw[chosen, : report.RASTER_STEPS]
        return self.run(part, backend=backend, probe=[f"{name}.message" for name in self.graph.nodes])

    def facts(self, ran: Ran, y: Array | None) -> report.Facts:
        """Return the contents of a report on sequences given as an array, on cores placed before the run."""
        samples, unknown = ran.record.samples, dict.fromkeys(("split", "seen_in_training", "layout"))
        return report.Facts(
            model=_MODEL,
            input=_GIVEN,
            sequences={"origin": _GIVEN, "samples": samples, "of": samples, "notes": [], **unknown},
            command="Program.report",
            placed=self.placed,
            profile=self.profile,
            optimise=None,
            assumptions=self.assumptions,
            **ran._asdict(),
            y=y,
            verification=None,
            findings=self.findings,
            constants=self.constants,
            exponents=self.exponents,
            state_units=self.state_units,
            reference=self.reference,
        )

    def summary(self) -> dict[str, Any]:
        """Return the part of summary.json that needs no run; `report` returns all of it."""
        return report.known(self.placed, self.profile, self.assumptions, self.findings, self.constants)

    def energy(self, raw: Array) -> EnergyReport:
        """Simulate; return the energy of a sample on the chip, with cores placed for the messages of this run."""
        return price(arrange(self.placed, self.profile, traffic=(record := self.run(raw))), record, self.profile)

    def latency(self, raw: Array) -> LatencyReport:
        """Simulate; return the latency of a sample on the chip, with cores placed as for `energy`."""
        return latency(arrange(self.placed, self.profile, traffic=(record := self.run(raw))), record, self.profile)

    def report(self, raw: Array, path: str | Path, y: Any = None) -> dict[str, Any]:
        """Run the simulation and the float model, write the report's files into a new folder; return the summary.

        With labels ``y`` (samples,) it holds accuracies. The figures are those of bim-compile on the same sequences.
        """
        data = Dataset(sequences_for(self.graph, raw), y).of_classes(self.graph.nodes[self.graph.output].neurons)
        folder = new_folder(arguments.path(path))
        facts = self.facts(self.play(data.x), data.y)
        facts = replace(facts, placed=arrange(self.placed, self.profile, traffic=facts.record))
        summary = report.summarise(replace(facts, request=report.asked({}, None, self.profile, data.x, data.y, None)))
        series = report.series(facts, Excerpts(self, data.x)) | report.training_curves(self.reference)
        report.write_files(summary, facts.placed, series, folder)
        return summary.as_dict()

    def verify(self, raw: Array, backend: str = "lava", *, time_limit: float | None = None) -> dict[str, Any]:
        """Run the simulation and another backend; compare every message and state, see `bim_neuro.verify`."""
        other = self.run(raw, backend=backend, probe=True, time_limit=time_limit)
        return verify(self.run(raw, probe=True), other)

    def plot_raster(self, raw: Array, layers: Collection[str] | None = None) -> Figure:
        """Draw a raster plot of the first sequence: a matplotlib figure of the named layers, or of all that spike."""
        check_extra("train", "matplotlib", "Program.plot_raster")
        names = drawn(self.graph, layers)
        record = self.run(sequences_for(self.graph, raw)[:1], probe=[f"{name}.message" for name in names])
        return raster(self.graph, record, names)

    def _repr_html_(self) -> str:
        return as_html(repr(self), self.summary()["layers"])

    def to_lava(self, raw: Array) -> LavaNetwork:
        """Return connected Lava processes that will play ``raw``; imports Lava into this process."""
        from .compilers.to_lava.compat import import_lava

        import_lava()
        from .compilers.to_lava.build import build

        return build(self.graph, self.encode(raw))

    def artefact(self, raw: Array) -> Artefact:
        """Return the artefact: the integer program, ``raw`` as its self-test sample, and the expected messages."""
        sample = self.encode(raw)
        return Artefact(self.graph, self.placed.target, sample, expected_messages(self.graph, sample))

    def save(self, path: str | Path, raw: Array) -> None:
        """Write a .bimn artefact."""
        place = arguments.new_file(path)
        save_artefact(self.artefact(raw), place)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle without the compiled simulation, whose threads belong to this process; a copy builds its own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def compiled(
    reference: FloatGraph, profile: HardwareProfile, watch: Stopwatch, effort: float = 1.0,
    before: PlacedGraph | None = None, lowered: Lowered | None = None,
) -> Program:  # fmt: skip
    """Take a float graph through every stage; ``effort``, ``before`` and ``lowered`` are as in `to_cores`."""
    return Program(reference, profile=profile, **vars(to_cores(reference, profile, watch, effort, before, lowered)))

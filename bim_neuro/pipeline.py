"""The pipeline: model -> float graph -> integer graph -> placed program, each stage timed and loggable."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import account, arguments, report
from .choices import BACKENDS
from .compilers.align import align
from .compilers.artefact import Artefact, expected_messages, save_artefact
from .compilers.calibrate import SAMPLES, calibrated, range_findings
from .compilers.fields import wide_sums
from .compilers.placement.design_rules import assumptions
from .compilers.placement.place import place
from .compilers.quantise import quantise_with_units
from .compilers.rounding import Constant, rounding
from .errors import DoesNotFit, Finding, InputError
from .estimates.energy import EnergyReport, price
from .estimates.latency import LatencyReport, latency
from .extras import check_extra
from .graph import FloatGraph, IntegerGraph, PlacedGraph
from .hardware import HardwareProfile, load_profile
from .intake import is_hdf5, opened
from .nodes import InputSeen
from .nodes.arithmetic import Array
from .printable import counted, plain
from .record import RunRecord
from .simulation.probes import Probe, Watch, check_kept
from .simulation.reference import Progress, simulate, simulate_float
from .tasks import Dataset

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from .compilers.to_lava.build import LavaNetwork
    from .simulation.compiled import Engine


@dataclass
class Stopwatch:
    """Seconds spent in each named stage, in order."""

    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


@dataclass(frozen=True)
class Program:
    """A compiled model: run it, save it, or take its Lava processes.

    >>> program = bim_neuro.compile("model.pt", target="loihi2")       # doctest: +SKIP
    >>> program.run(x).predicted                                        # doctest: +SKIP
    """

    reference: FloatGraph
    placed: PlacedGraph
    profile: HardwareProfile
    findings: tuple[Finding, ...] = ()
    """What compiling found that refuses nothing but that a reader must know."""
    constants: tuple[Constant, ...] = ()
    """Each constant as the model asks for it and as the integers hold it."""
    exponents: dict[str, int] = field(default_factory=dict)
    """What a layer's message is worth: its real value is message * 2^-exponent."""

    def __repr__(self) -> str:
        layers = [node for node in self.graph.nodes.values() if node.kind != "source"]
        size = f"{counted(len(layers), 'layer')}, {counted(sum(node.neurons for node in layers), 'neuron')}"
        cores = counted(len({core.index for core in self.placed.cores}), "core")
        return f"<Program for {plain(self.profile.name)}: {size}, {cores}, {counted(len(self.findings), 'finding')}>"

    @property
    def graph(self) -> IntegerGraph:
        """The aligned integer graph."""
        return self.placed.graph

    @cached_property
    def engine(self) -> Engine:
        """The compiled engine, made ready on first use."""
        from .simulation.compiled import Engine

        return Engine(self.graph)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What this program takes for granted, one sentence each."""
        extra = self.reference.extra
        measured = (extra["calibration"],) if "calibration" in extra else ()
        return (*extra.get("assumptions", ()), *measured, *assumptions(self.graph, self.profile))

    def calibrated(self, raw: Array, origin: str = "the given input") -> Program:
        """Return the program with the ranges that nobody measured, measured on the first of these sequences.

        ``origin`` is what `assumptions` calls them. A program whose ranges are all known is returned as it is.
        """
        reference = _calibrated(self.reference, raw, origin)
        return self if reference is self.reference else _compiled(reference, self.profile, Stopwatch())

    def encode(self, raw: Array) -> Array:
        """Turn raw sequences (samples, steps, channels) into what the chip's input lines carry."""
        return encode(self.graph, raw)

    def encode_and_see(self, raw: Array) -> tuple[Array, InputSeen]:
        """Return what `encode` does, and what the encoder met: the values of each channel that it cut off."""
        return encode_and_see(self.graph, raw)

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

        ``probe`` keeps every message and state, or those it names, as 'block1.lif.message'; ``watch`` sees all of them
        pass (Lava always keeps them, and is not watched); ``time_limit`` (seconds) is for Lava. ``seen`` of the record
        tells which input was clipped.
        """
        arguments.choice(backend, BACKENDS, "backend")
        if time_limit is not None:
            arguments.number(time_limit, "time_limit", above=0)
        if progress is not None:
            arguments.function(progress, "progress")
        x, seen = self.encode_and_see(raw)
        if backend == "engine":
            record = self.engine.run(x, probe=probe, watch=watch, progress=progress)
        else:
            record = run(self.graph, x, backend, probe=probe, watch=watch, progress=progress, time_limit=time_limit)
        return replace(record, seen=seen)

    def run_float(self, raw: Array, probe: Probe = True) -> RunRecord:
        """Run the float law on the same encoded input, with all probes or those named."""
        return simulate_float(self.reference, self.graph.encoder.to_float(self.encode(raw)), probe=probe)

    def summary(self) -> dict[str, Any]:
        """Return what compiling knows, without a run, under the keys of summary.json; `report` returns all of it."""
        return report.known(self.placed, self.profile, self.assumptions, self.findings, self.constants)

    def energy(self, raw: Array) -> EnergyReport:
        """Run the engine; return what a sample costs on the chip, its cores placed for the messages of this run."""
        record = self.run(raw)
        return price(account.placed_for(self, record), record, self.profile)

    def latency(self, raw: Array) -> LatencyReport:
        """Run the engine; return how long a sample takes on the chip, placed as for `energy`."""
        record = self.run(raw)
        return latency(account.placed_for(self, record), record, self.profile)

    def report(self, raw: Array, path: str | Path, y: Any = None) -> dict[str, Any]:
        """Run the engine beside the float law and write the report's files into a new folder; return the summary.

        With labels ``y`` (samples,) it holds accuracies. The figures are those of bim-compile on the same sequences.
        """
        data = Dataset(_sequences(self.graph, raw), y)
        return account.write_report(self, data, arguments.path(path))

    def verify(self, raw: Array, backend: str = "lava", *, time_limit: float | None = None) -> dict[str, Any]:
        """Run the engine and another backend; compare every message and state, see `bim_neuro.verify`."""
        other = self.run(raw, backend=backend, probe=True, time_limit=time_limit)
        return account.verify(self.run(raw, probe=True), other)

    def plot_raster(self, raw: Array, layers: Collection[str] | None = None) -> Figure:
        """Draw who sent a message when, in the first sequence: a matplotlib figure of the named or spiking layers."""
        return account.raster(self, _sequences(self.graph, raw), layers)

    def _repr_html_(self) -> str:
        return account.as_html(repr(self), self.summary()["layers"])

    def to_lava(self, raw: Array) -> LavaNetwork:
        """Return connected Lava processes that will play ``raw``; imports Lava into this process."""
        from .compilers.to_lava.compat import import_lava

        import_lava()
        from .compilers.to_lava.build import build

        return build(self.graph, self.encode(raw))

    def artefact(self, raw: Array) -> Artefact:
        """Return the integer program with ``raw`` as its sample and the messages it must give."""
        sample = self.encode(raw)
        return Artefact(self.graph, self.placed.target, sample, expected_messages(self.graph, sample))

    def save(self, path: str | Path, raw: Array) -> None:
        """Write a .bimn artefact."""
        place = arguments.new_file(path)
        save_artefact(self.artefact(raw), place)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the engine behind, whose threads and buffers belong to this process: a copy makes its own."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


def compile_model(
    model: str | Path | FloatGraph,
    target: str = "loihi2",
    *,
    dt: float | None = None,
    input: Array | None = None,  # noqa: A002
    watch: Stopwatch | None = None,
) -> Program:
    """Compile a model.pt, a .nir file or a float graph for a target.

    ``input`` (samples, steps, channels) measures the ranges of a graph that brings none, as imported ones do.
    Raises `InputError` for what cannot be read, `DoesNotFit` with every finding for what the target cannot hold.
    """
    watch = Stopwatch() if watch is None else arguments.instance(watch, Stopwatch, "watch")
    profile = load_profile(target)
    with watch.stage("read"):
        reference = _given(model, dt) if isinstance(model, FloatGraph) else read_model(model, dt)
    if input is not None:
        with watch.stage("calibrate"):
            reference = _calibrated(reference, input, "the given input")
    return _compiled(reference, profile, watch)


def _given(graph: FloatGraph, dt: float | None) -> FloatGraph:
    """Return a float graph that was built by hand, once it is found sound."""
    from .nir_bridge.check import check_graph

    check_graph(graph)
    if dt is not None and arguments.duration(dt, "dt") != graph.dt:
        raise InputError(f"the graph has dt = {graph.dt:g} s, dt says {dt:g} s", "leave dt out")
    return graph


def _compiled(reference: FloatGraph, profile: HardwareProfile, watch: Stopwatch) -> Program:
    findings = list(range_findings(reference))
    try:
        with watch.stage("quantise"):
            integer, units = quantise_with_units(reference)
            constants = rounding(reference, integer, units)
            findings += [finding for _, finding in constants if finding]
        with watch.stage("align"):
            aligned = align(integer)
            findings += wide_sums(aligned)
        with watch.stage("place"):
            placed = place(aligned, profile)
    except DoesNotFit as refusal:  # what refuses may come of what was only worth a warning
        raise DoesNotFit((*refusal.findings, *findings)) from None
    held = tuple(constant for constant, _ in constants)
    return Program(reference, placed, profile, tuple(findings), held, units.exponents)


def _calibrated(reference: FloatGraph, raw: Array, origin: str) -> FloatGraph:
    few = encode(reference, _sequences(reference, raw)[:SAMPLES])
    return calibrated(reference, reference.encoder.to_float(few), arguments.text(origin, "origin"))


def encode(graph: FloatGraph | IntegerGraph, raw: Array) -> Array:
    """Turn raw sequences (samples, steps, channels) into what the graph's input lines carry."""
    return encode_and_see(graph, raw)[0]


def encode_and_see(graph: FloatGraph | IntegerGraph, raw: Array) -> tuple[Array, InputSeen]:
    """Return what `encode` does, and what the encoder met."""
    return graph.encoder.encode_and_see(_sequences(graph, raw))


def _sequences(graph: FloatGraph | IntegerGraph, raw: Any) -> Array:
    return arguments.sequences(raw, "input", channels=len(graph.encoder.gain))


def read_model(path: str | Path, dt: float | None = None) -> FloatGraph:
    """Read a float graph from model.pt or .nir, told apart by their first bytes."""
    path = arguments.path(path, "model")
    if dt is not None:
        dt = arguments.duration(dt, "dt")
    with opened(path, empty=path.suffix == ".bimn") as file:
        hdf5 = is_hdf5(file)
    if path.suffix == ".nir" or hdf5:
        from .nir_bridge import read_nir

        return read_nir(path, dt=dt)
    if path.suffix == ".bimn":
        raise InputError(f"{path} is a compiled artefact", "give the model it was made from, or add --self-test")
    check_extra("train", "torch", f"{path}, a model.pt,")
    from .model.checkpoint import load_checkpoint
    from .model.export import export

    checkpoint = load_checkpoint(path)
    if not checkpoint.ranges:
        hint = "run the same bim-train again: it goes on after the training"
        raise InputError(f"{path} was not calibrated: its training was stopped right after the last epoch", hint)
    graph = export(checkpoint)
    if dt is not None and dt != graph.dt:
        raise InputError(f"{path} was trained with dt = {graph.dt:g} s, --dt says {dt:g} s", "leave --dt out")
    return graph


def run(
    graph: IntegerGraph,
    x: Array,
    backend: str,
    *,
    probe: Probe = False,
    watch: Watch | None = None,
    progress: Progress | None = None,
    time_limit: float | None = None,
) -> RunRecord:
    """Run encoded input on a backend by name."""
    arguments.choice(backend, BACKENDS, "backend")
    if backend == "engine":
        from .simulation.compiled import simulate_engine

        return simulate_engine(graph, x, probe=probe, watch=watch, progress=progress)
    if backend == "reference":
        return simulate(graph, x, probe=probe, watch=watch, progress=progress)
    from .compilers.to_lava import run_lava

    check_kept(graph, len(x), x.shape[1])
    return run_lava(graph, x, time_limit=time_limit)


def with_steps(raw: Array, steps: int | None) -> Array:
    """Keep the first ``steps`` steps of every sample."""
    if steps is None:
        return raw
    if not 1 <= arguments.whole(steps, "steps") <= raw.shape[1]:
        raise InputError(f"--steps {steps}: the samples have {raw.shape[1]} steps")
    return raw[:, :steps]

"""The engine: the integers of the numpy law and of Lava, whatever the graph, the threads, the batch or the path."""

from __future__ import annotations

import io
import os
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from threading import Event
from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import random_graph, random_input
from small_models import small_checkpoint, small_graphs, small_input

from bim_neuro import jit, program
from bim_neuro.compilers.align import align
from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.errors import InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.jobs import simulate as parts
from bim_neuro.jobs.compile import compile_to_folder
from bim_neuro.jobs.request import Request
from bim_neuro.jobs.shards import SHA256, Shards, from_arrays, run_key, to_arrays
from bim_neuro.model.checkpoint import save_checkpoint
from bim_neuro.nodes import (
    Broadcast,
    Dense,
    Diagonal,
    Encoder,
    IntegerLIF,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    SomaWire,
    Source,
    arithmetic,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.program import Program
from bim_neuro.record import LayerCount, RunRecord
from bim_neuro.simulation import (
    Engine,
    InputEvents,
    Stream,
    Tuning,
    compiled,
    dense,
    kernels,
    lines,
    playing,
    simulate,
    simulate_engine,
)
from bim_neuro.simulation.crew import Crew
from bim_neuro.simulation.forms import form
from bim_neuro.simulation.kernels import words
from bim_neuro.simulation.kernels.gates import LANES, SCRATCH_ROWS
from bim_neuro.simulation.kernels.rows import COLUMNS
from bim_neuro.simulation.kernels.scan import scan


def assert_equal(expected: RunRecord, record: RunRecord) -> None:
    """Every message, state, output and counter, layer by layer and step by step."""
    assert expected.probes.keys() == record.probes.keys()
    for key, values in expected.probes.items():
        np.testing.assert_array_equal(record.probes[key], values, err_msg=key)
    np.testing.assert_array_equal(record.output, expected.output)
    for name, count in expected.layers.items():
        for counter in fields(LayerCount):
            theirs = getattr(record.layers[name], counter.name)
            np.testing.assert_array_equal(theirs, getattr(count, counter.name), err_msg=f"{name} {counter.name}")


GRAPHS = {
    "seed": st.integers(0, 2**32 - 1),
    "layers": st.integers(1, 6),
    "width": st.sampled_from([1, 3, 8, 17, 40, 100]),
    "loud": st.booleans(),
    "loops": st.booleans(),
    "maps": st.booleans(),
    "samples": st.integers(1, 5),
    "steps": st.one_of(st.integers(1, 12), st.sampled_from([64, 65, 90])),
    "activity": st.sampled_from([0.0, 0.02, 0.3, 1.0]),
}


@settings(max_examples=40)
@given(**GRAPHS)
def test_random_graphs_equal_the_numpy_law(**drawn: Any) -> None:
    check_a_random_graph(**drawn)


@pytest.mark.slow
@pytest.mark.timeout(600)
@settings(max_examples=1000)
@given(**GRAPHS)
def test_a_thousand_random_graphs_equal_the_numpy_law(**drawn: Any) -> None:
    check_a_random_graph(**drawn)


def check_a_random_graph(
    seed: int, layers: int, width: int, loud: bool, loops: bool, maps: bool, samples: int, steps: int, activity: float
) -> None:
    """Two paths, one and two threads, over samples and over neurons, batches of 1, 2 and 64, watched and not."""
    graph = random_graph(seed, layers=layers, width=width, loud=loud, loops=loops, maps=maps)
    x = random_input(graph, seed, samples=samples, steps=steps, activity=activity)
    expected = simulate(graph, x, probe=True)
    engine = Engine(graph)
    for path, threads, batch in (("events", 1, 64), ("gemm", 2, 1), ("auto", 2, 2)):
        assert_equal(expected, engine.run(x, probe=True, threads=threads, tuning=Tuning(path, batch=batch)))
    assert_equal(expected, engine.run(x, probe=True, tuning=Tuning("events", 2)))
    assert_equal(replace(expected, probes={}), engine.run(x, tuning=Tuning("events")))


def lif_net(weight: Array, *, delay: int = 0, graded: bool = False, **lif: int) -> IntegerGraph:
    """One LIF layer behind one dense synapse."""
    post, pre = weight.shape
    node = IntegerLIF(post, lif.get("du", 4095), lif.get("dv", 128), lif.get("v_threshold", 100), np.zeros(post, int))
    nodes = {"input": Source(pre, graded=graded), "lif": node}
    encoder = Encoder("graded" if graded else "spikes", np.ones(pre), np.zeros(pre))
    return align(IntegerGraph(nodes, (Edge("input", "lif", "i", Dense(weight), delay),), 1e-3, encoder))


@pytest.mark.parametrize("pre", [252, 253, 260, 1000])
@pytest.mark.parametrize("sign", [1, -1])
def test_int16_blocks_never_overflow(pre: int, sign: int) -> None:
    """All neurons fire over weights of the largest magnitude."""
    graph = lif_net(np.full((5, pre), -128 if sign < 0 else 127, np.int8), dv=0, v_threshold=2**17 - 1)
    x = np.ones((1, 4, pre), np.int64)
    assert_equal(simulate(graph, x, probe=True), simulate_engine(graph, x, probe=True))


@pytest.mark.parametrize("du", [0, 100, 4095])
@pytest.mark.parametrize("pre", [2064, 2066])  # 2064 * 127 stays within 2^18, 2066 * 127 does not
def test_wide_and_narrow_lif_agree_at_the_border(pre: int, du: int) -> None:
    draw = np.random.default_rng(pre)
    weight = np.full((4, pre), 127, np.int8) * np.array([[1], [-1], [1], [-1]], np.int8)
    graph = lif_net(weight, du=du, dv=3, v_threshold=2**17 - 1)
    x = (draw.random((2, 30, pre)) < np.linspace(0, 1, 30)[:, None]).astype(int)
    expected = simulate(graph, x, probe=True)
    assert expected.layers["lif"].totals()["saturations"] > 0
    assert_equal(expected, simulate_engine(graph, x, probe=True))


def test_the_tables_of_exp2_and_softplus_equal_the_laws() -> None:
    softplus, exp2_minus = words.softplus, words.exp2_minus

    @numba.njit
    def on_all(p: Array, z: Array) -> tuple[list[int], list[int]]:
        return [exp2_minus(value) for value in p], [softplus(value) for value in z]

    p, z = np.arange(0, 2**24, 97), np.arange(-(2**23) + 1, 2**23, 101)
    exp2, soft = on_all(p, z)
    np.testing.assert_array_equal(exp2, arithmetic.exp2_minus(p))
    np.testing.assert_array_equal(np.minimum(soft, arithmetic.WORD_MAX), arithmetic.softplus(z)[0])


def scan_at_its_borders(draw: np.random.Generator, channels: int, states: int) -> IntegerScan:
    """Every factor and shift as large or small as words of 32 bits allow."""

    def some(limit: int, *shape: int) -> Array:
        return draw.choice(np.array([0, 1, limit // 3, limit - 1, limit]), shape)

    return IntegerScan(
        alpha=some(2**16 - 1, channels, states),
        alpha_shift=int(draw.choice([8, 9, 20])),
        d_skip=some(2**23 - 1, channels) * draw.choice([-1, 1], channels),
        d_shift=int(draw.choice([9, 20])),
        u_multiplier=some(2**16 - 1, channels),
        u_shift=int(draw.choice([0, 12, 30])),
        u_bias=some(2**28, channels) * draw.choice([-1, 1], channels),
        dt_multiplier=some(2**29 - 1, channels),
        dt_shift=int(draw.choice([0, 11, 30])),
        dt_bias=some(2**29 - 1, channels) * draw.choice([-1, 1], channels),
        du_shift=int(draw.choice([0, 10, 30])),
        b_shift=int(draw.choice([8, 14])),
        c_shift=int(draw.choice([11, 18])) if states < 16 else 18,
    )


@pytest.mark.parametrize("seed", range(40))
def test_a_scan_in_32_bits_equals_the_law_at_its_borders(seed: int) -> None:
    """Sums of up to 2^31 - 1, B and C of up to 2^15, and channels that fill no vector."""
    draw = np.random.default_rng(seed)
    channels, states = int(draw.choice([1, 16, 37])), int(draw.choice([1, 3, 35]))
    node = scan_at_its_borders(draw, channels, states)
    bounds = {"u": 2**31 - 1, "dt": 2**31 - 1, "B": 2**15, "C": 2**15}
    made = form(node, bounds, "scan")
    assert made.kind == kernels.layout.SCAN
    pitch, ports, state_port = channels + -channels % LANES, channels + -channels % COLUMNS, states + -states % COLUMNS
    sums, h, rows = (
        np.zeros(2 * ports + 2 * state_port, np.int32),
        np.zeros(states * pitch, np.int32),
        np.zeros(SCRATCH_ROWS * pitch, np.int32),
    )
    message, state = np.zeros(channels, np.int32), node.initial(())
    places = {"u": 0, "dt": ports, "B": 2 * ports, "C": 2 * ports + state_port}
    for _ in range(6):
        inputs = {}
        for port, size in node.ports.items():
            values = draw.choice(np.array([0, 1, 2**10, 2**14, bounds[port]]), size) * draw.choice([-1, 1], size)
            sums[places[port] : places[port] + size] = inputs[port] = values
        saturated = one_scan(made.words.astype(np.int32), sums, h, rows, message, pitch, states)
        step = node.step(state, inputs)
        state = step.state
        np.testing.assert_array_equal(message, step.message)
        np.testing.assert_array_equal(h.reshape(states, pitch)[:, :channels].T, state["h"])
        assert saturated == (step.saturated, np.count_nonzero(step.message))


@numba.njit  # type: ignore[untyped-decorator]
def one_scan(
    words: Array, sums: Array, h: Array, rows: Array, message: Array, pitch: int, states: int
) -> tuple[int, int]:
    """The kernel has no face to Python."""
    return scan(words, sums, h, rows, message, pitch, states, 0)


def test_a_model_of_blocks_equals_the_numpy_law() -> None:
    _, graph = small_graphs(blocks=3, channels=33, states=5)
    x = graph.encoder.encode(small_input(9, 30))
    assert_equal(simulate(graph, x, probe=True), simulate_engine(graph, x, probe=True, threads=2))


def test_a_busy_large_layer_is_left_to_a_fast_blas_and_a_quiet_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dense, "PRODUCT", 1e-12)
    draw = np.random.default_rng(0)
    weight = draw.integers(-127, 128, (1000, 1000)).astype(np.int8)
    graph = lif_net(weight, graded=True)
    busy = draw.integers(1, 128, (2, 70, 1000))
    quiet = busy * (draw.random(busy.shape) < 0.01)
    for x, path in ((busy, "gemm"), (quiet, "events")):
        record = simulate_engine(graph, x, probe=True)
        assert [choice["path"] for choice in record.extra["paths"]] == [path]
        assert_equal(simulate(graph, x, probe=True), record)


@pytest.mark.parametrize("seed", range(8))
def test_threads_over_neurons_change_nothing(seed: int) -> None:
    """Layers of several slices, with loops, saturations and every node, on three threads and in two chunks."""
    graph = random_graph(seed, layers=5, width=300, loud=seed % 2 == 0, loops=seed % 4 > 1)
    x = random_input(graph, seed, samples=2, steps=70, activity=0.3)
    expected, engine = simulate(graph, x, probe=True), Engine(graph)
    for threads in (2, 3):
        record = engine.run(x, probe=True, tuning=Tuning("events", threads))
        assert record.extra == {"neuron_threads": threads}
        assert_equal(expected, record)


@pytest.mark.parametrize(("neurons", "idle", "threads"), [(1000, 2, 2), (1000, 1, 1), (16, 2, 1)])
def test_neurons_are_shared_where_that_pays(
    neurons: int, idle: int, threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A busy layer of a thousand on a core nobody else wants; not a small one, and not where a core is taken."""
    monkeypatch.setattr(compiled, "idle_cores", lambda: idle)
    graph = lif_net(weights(0, neurons, neurons))
    x = (np.random.default_rng(0).random((1, 1500, neurons)) < 0.1).astype(np.int8)
    record = Engine(graph).run(x, threads=2)
    assert record.extra.get("neuron_threads", 1) == threads
    assert_equal(simulate(graph, x), record)


def test_a_member_that_fails_does_not_leave_the_others_waiting() -> None:
    crew = Crew.of(Engine(SPIKES).plan, 2, 1)
    released = Event()

    def play(work: object, place: tuple[int, int], sync: Array) -> None:
        if place[0] == 0:
            raise Interrupt
        while not sync[kernels.team.GIVEN_UP]:
            time.sleep(0.001)
        released.set()

    with pytest.raises(Interrupt):
        crew.run(play)
    assert released.wait(10)


def test_blas_keeps_out_of_loops() -> None:
    graph = recurrent_net()
    record = Engine(graph).run(np.ones((2, 5, 6), int), tuning=Tuning("gemm"))
    paths = {choice["synapse"]: (choice["path"], choice["in_loop"]) for choice in record.extra["paths"]}
    assert paths == {"input -> lif.i": ("gemm", False), "lif -> lif.i": ("events", True)}


def recurrent_net() -> IntegerGraph:
    draw = np.random.default_rng(5)
    nodes = {"input": Source(6, graded=False), "lif": IntegerLIF(9, 4095, 200, 60, np.zeros(9, int))}
    edges = (
        Edge("input", "lif", "i", Dense(draw.integers(-60, 128, (9, 6)).astype(np.int8))),
        Edge("lif", "lif", "i", Dense(draw.integers(-100, 128, (9, 9)).astype(np.int8))),
    )
    return align(IntegerGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(6), np.zeros(6))))


def test_a_loop_is_followed_once_and_gets_no_delay() -> None:
    """Two layers that excite each other: the walk goes forward from the source, so the edge back closes the loop."""
    eye = Dense(np.eye(2, dtype=np.int8))
    lif = IntegerLIF(2, 4095, 0, 1, np.zeros(2, int))
    joined = (("b", "a"), ("input", "a"), ("a", "b"), ("b", "out"))
    edges = tuple(Edge(source, target, "i", eye) for source, target in joined)
    nodes = {"b": lif, "out": lif, "a": lif, "input": Source(2, graded=False)}
    graph = align(IntegerGraph(nodes, edges, 1e-3, Encoder("spikes", np.ones(2), np.zeros(2))))
    assert [edge.name for edge in graph.recurrent] == ["b -> a.i"]
    assert graph.depth == {"input": 0, "a": 1, "b": 2, "out": 3}
    assert graph.output == "out"
    assert [edge.delay for edge in graph.edges] == [0, 0, 0, 0]


def test_a_loop_without_a_synapse_is_refused_by_name() -> None:
    lif = IntegerLIF(1, 4095, 0, 1, np.zeros(1, int))
    edges = (
        Edge("input", "a", "i", Dense(np.ones((1, 1), np.int8))),
        Edge("a", "b", "i", SomaWire()),
        Edge("b", "a", "i", SomaWire()),
    )
    nodes = {"input": Source(1), "a": lif, "b": lif}
    with pytest.raises(InputError, match=r"loop, (a -> b -> a|b -> a -> b)"):
        align(IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(1), np.zeros(1))))


def test_a_stream_says_what_one_long_sample_says() -> None:
    for graph in (small_graphs(blocks=2)[1], recurrent_net()):
        lines = random_input(graph, 3, samples=1, steps=100, activity=0.5)
        expected = simulate(graph, lines, probe=True)
        stream = Stream(graph)
        sent = [stream.step(lines[0, t]) for t in range(100)]
        answers = expected.probes[f"{graph.output}.message"][0, : 100 - graph.latency]
        np.testing.assert_array_equal(np.array(sent[graph.latency :]), answers)
        first = next(name for name in graph.nodes if graph.nodes[name].kind == "lif")
        depth = graph.depth[first]
        np.testing.assert_array_equal(stream.message(first), expected.probes[f"{first}.message"][0, 99 - depth])
        for key, value in stream.state(first).items():
            np.testing.assert_array_equal(value, expected.probes[f"{first}.{key}"][0, 99 - depth])
        updates = expected.layers[first].updates[: 100 - depth].sum()
        assert stream.counts[first].totals()["updates"] == updates
        stream.reset()
        np.testing.assert_array_equal(stream.step(lines[0, 0]), sent[0])


def test_probes_can_lie_in_a_file(tmp_path: Path) -> None:
    _, graph = small_graphs()
    x = graph.encoder.encode(small_input(3, 7))
    record = Engine(graph).run(x, probe=True, probe_folder=tmp_path)
    assert_equal(simulate(graph, x, probe=True), record)
    assert (tmp_path / "probes.npy").stat().st_size > 0


@pytest.mark.parametrize(("dtype", "shape"), [(np.int8, (2000, 150, 100)), (np.float64, (400, 100, 100))])
def test_input_in_a_file_is_read_a_block_at_a_time(dtype: type, shape: tuple[int, int, int], tmp_path: Path) -> None:
    """30 MB of input in less than 5 MB of memory; what is counted, a number a step, is the rest."""
    x = np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=dtype, shape=shape)
    x[:, ::7] = 1
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    engine = Engine(lif_net(np.ones((3, shape[2]), np.int8)))
    engine.run(x[:1])
    tracemalloc.start()
    try:
        record = engine.run(x, threads=1, tuning=Tuning(batch=8))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5e6 < x.nbytes / 5
    assert len(kernels.run.signatures) == 1  # type: ignore[attr-defined]
    assert record.layers["input"].totals()["messages"] == np.count_nonzero(x)


def test_one_sample_longer_than_a_window_is_read_window_by_window(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = small_graphs()[1]
    x = graph.encoder.encode(small_input(1, 300)).astype(np.float64)
    expected = simulate(graph, x.astype(np.int64), probe=True)
    monkeypatch.setattr(playing, "SPAN", 50)
    sizes: list[int] = []
    check = lines.check_lines

    def watched(graph: IntegerGraph, x: Array) -> Array:
        sizes.append(x.shape[1])
        return check(graph, x)

    monkeypatch.setattr(lines, "check_lines", watched)
    for path, threads in (("events", 1), ("gemm", 1), ("events", 2)):
        assert_equal(expected, Engine(graph).run(x, probe=True, tuning=Tuning(path, threads)))
    assert max(sizes) == 50


@pytest.mark.parametrize("graded", [False, True])
def test_input_listed_once_is_not_read_again(graded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two graphs, blocks, spans and both paths read the same lists; other lines are refused by what they are."""
    draw = np.random.default_rng(3)
    shape = (5, 70, 13)
    x = draw.integers(-128, 128, shape) if graded else (draw.random(shape) < 0.3).astype(np.int64)
    graphs = [lif_net(draw.integers(-99, 99, (9, 13)).astype(np.int8), graded=graded, v_threshold=v) for v in (50, 900)]
    events = InputEvents.of(graphs[0], x)
    monkeypatch.setattr(lines, "check_lines", lambda *_: pytest.fail("read again"))
    for graph, span in zip(graphs, (100, 33), strict=True):
        for room in (playing, compiled):
            monkeypatch.setattr(room, "SPAN", span)
        expected, engine = simulate(graph, x, probe=True), Engine(graph)
        for path, threads, batch in (("events", 1, 64), ("gemm", 1, 2), ("events", 2, 1)):
            assert_equal(expected, engine.run(events, probe=True, threads=threads, tuning=Tuning(path, batch=batch)))
    with pytest.raises(InputError, match=r"listed for 13 (graded|spike) lines, the model has 3 spike lines"):
        Engine(SPIKES).run(events)


def test_threads_take_blocks_of_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three threads, several blocks each, the last ones short: all is counted once, whoever took which sample."""
    graph = small_graphs()[1]
    x = graph.encoder.encode(small_input(29, 10))
    monkeypatch.setattr(playing, "SPAN", 60)
    told: list[int] = []
    record = Engine(graph).run(x, probe=True, threads=3, tuning=Tuning("events", batch=1), progress=told.append)
    assert sum(told) == 29
    assert len(told) > 2
    assert_equal(simulate(graph, x, probe=True), record)


@pytest.mark.parametrize("here", [True, False])
def test_a_thread_that_fails_ends_the_run_for_all(here: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether it is the one that called or another: its fault is raised, and what is left is not played."""
    played: list[bool] = []
    failed = Event()
    play = playing.Playing._play_block
    caller = threading.get_ident()

    def fails(self: playing.Playing, block: slice) -> int:
        ours = threading.get_ident() == caller
        played.append(ours)
        if ours == here:
            failed.set()
            raise Interrupt
        assert failed.wait(10)
        return play(self, block)

    monkeypatch.setattr(playing.Playing, "_play_block", fails)
    with pytest.raises(Interrupt):
        Engine(SPIKES).run(np.ones((3000, 5, 3), np.int8), threads=2, tuning=Tuning("events"))
    assert len(played) <= 3, "one each, and one that was taken while the fault came"


def test_a_worker_needs_no_more_memory_for_more_steps() -> None:
    plan = Engine(small_graphs()[1]).plan
    few, many = plan.work(1)._asdict(), plan.work(900)._asdict()
    assert [name for name in few if few[name].nbytes != many[name].nbytes] == ["counters"]


class Interrupt(Exception):
    """Ctrl-C, without ending the tests."""


def test_an_interrupted_compile_goes_on_and_ends_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five shards; the first run stops in the third, the second must not simulate the first two again."""
    monkeypatch.setattr(parts, "SHARD", 4)
    monkeypatch.setattr(program, "BATCH", 2)
    model = tmp_path / "model.pt"
    save_checkpoint(small_checkpoint(), model)
    np.savez(tmp_path / "x.npz", x=small_input(samples=18), layout="BTC")

    def compile_into(folder: str, stop_at: int = 99) -> tuple[dict[str, object], int]:
        simulated: list[int] = []

        def run(program: Program, part: Array, **options: object) -> RunRecord:
            if options.get("watch"):  # without: some samples are played again for the report's raster
                simulated.append(len(part))
            if sum(simulated) > stop_at:
                raise Interrupt
            return Engine(program.graph).run(program.encode(part), probe=True)

        monkeypatch.setattr(Program, "run", run)
        request = Request(
            model=model, target="loihi2", dt=None, input=tmp_path / "x.npz", data=None, samples=18, steps=None,
            backend="engine", verify=None, output=tmp_path / folder, lava_timeout=None, command="",
        )  # fmt: skip
        summary = compile_to_folder(request, stage=lambda *_: None, advance=lambda _: None).summary.as_dict()
        for measured in ("seconds", "peak_memory_mib"):
            summary["placement"].pop(measured)
        return {key: value for key, value in summary.items() if key != "seconds"}, sum(simulated)

    whole, _ = compile_into("whole")
    with pytest.raises(Interrupt):
        compile_into("parts", stop_at=9)
    assert {path.name for path in tmp_path.iterdir()} == {"model.pt", "x.npz", "whole", "parts.resume"}
    resumed, simulated = compile_into("parts")
    assert simulated == 18 - 8
    assert resumed == whole
    assert not (tmp_path / "parts.resume").exists()


def test_shards_of_another_run_are_refused(tmp_path: Path) -> None:
    graph, x = small_graphs()[1], small_input()
    key = run_key((graph,), x, "engine")
    shards = Shards(tmp_path / "run", key)
    shards.save(0, {"x": x})
    np.testing.assert_array_equal((Shards(tmp_path / "run", key).load(0) or {})["x"], x)
    others = (run_key((graph,), x + 1, "engine"), run_key((small_graphs(1)[1],), x, "engine"), run_key((graph,), x))
    for other in others:
        with pytest.raises(InputError, match="another run"):
            Shards(tmp_path / "run", other)
    whole = (tmp_path / "run" / "00000.npz").read_bytes()
    (tmp_path / "run" / "00000.npz").write_bytes(whole[: len(whole) // 2])
    assert shards.load(0) is None  # it is computed again
    for changed in ({"x": x + 1}, {"x": x.astype(np.float32)}, {}, {"x": x, "y": x}):
        np.savez(tmp_path / "run" / "00000.npz", **changed, **{SHA256: np.load(io.BytesIO(whole))[SHA256]})
        assert shards.load(0) is None  # a sound archive of other content
    (tmp_path / "run" / "00000.npz").unlink()
    os.mkfifo(tmp_path / "run" / "00000.npz")
    assert shards.load(0) is None
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="does not hold parts of a run"):
        Shards(tmp_path / "mine", key)


def test_a_record_survives_the_disk() -> None:
    _, graph = small_graphs()
    record = simulate_engine(graph, graph.encoder.encode(small_input(70)))
    assert_equal(record, from_arrays(to_arrays(record, "a"), "a"))


SPIKES = lif_net(np.ones((2, 3), np.int8))
GRADED = lif_net(np.ones((2, 3), np.int8), graded=True)


@pytest.mark.parametrize(
    ("graph", "x", "says"),
    [
        (SPIKES, np.zeros((2, 3)), r"shape \(2, 3\)"),
        (SPIKES, np.zeros((1, 4, 5)), r"wants \(samples, steps, 3\)"),
        (SPIKES, np.zeros((0, 4, 3)), "at least one of each"),
        (SPIKES, np.zeros((1, 0, 3)), "at least one of each"),
        (SPIKES, np.full((1, 2, 3), np.nan), "not finite"),
        (SPIKES, np.full((1, 2, 3), 2), "runs from 2 to 2, spike lines carry 0 to 1"),
        (SPIKES, np.full((1, 2, 3), -1), "spike lines carry 0 to 1"),
        (SPIKES, np.full((1, 2, 3), 0.5), "6 values that are not whole numbers"),
        (GRADED, np.full((1, 2, 3), 128), "graded lines carry -128 to 127"),
        (GRADED, np.full((1, 2, 3), 2**40), "graded lines carry"),
        (GRADED, np.full((1, 2, 3), 1 + 0j), "complex"),
    ],
)
def test_input_that_the_lines_cannot_carry_is_refused(graph: IntegerGraph, x: Array, says: str) -> None:
    with pytest.raises(InputError, match=says):
        simulate_engine(graph, x)


def change_lif(**values: object) -> IntegerGraph:
    lif = SPIKES.nodes["lif"]
    assert isinstance(lif, IntegerLIF)
    return replace(SPIKES, nodes={**SPIKES.nodes, "lif": replace(lif, **values)})  # type: ignore[arg-type]


def change_synapse(synapse: object) -> IntegerGraph:
    return replace(SPIKES, edges=(replace(SPIKES.edges[0], synapse=synapse),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: change_lif(du=-1), "'lif': du is -1, allowed are 0 to 4095"),
        (lambda: change_lif(dv=4096), "dv is 4096, allowed are 0 to 4095"),
        (lambda: change_lif(bias_mant=np.array([0, 5000])), "bias_mant runs from 0 to 5000, the limit is 4096"),
        (lambda: change_lif(bias_exp=8), "bias_exp is 8, allowed are 0 to 7"),
        (lambda: change_lif(v_threshold=2**30), "v_threshold"),
        (lambda: change_lif(bias_mant=np.array([0.5, 0.0])), "bias_mant holds values that are not whole numbers"),
        (lambda: change_lif(bias_mant=np.zeros(3, int)), r"bias_mant has shape \(3,\)"),
        (lambda: change_synapse(Dense(np.full((2, 3), 200))), "'input -> lif.i': weight runs from 200 to 200"),
        (lambda: change_synapse(Dense(np.full((2, 3), np.nan))), "not whole numbers"),
        (lambda: change_synapse(Dense(np.ones((3, 3), np.int8))), "joins 3 to 3 neurons, its ends have 3 and 2"),
        (lambda: change_synapse(Diagonal(np.ones(3, np.int8))), "joins 3 to 3 neurons"),
        (lambda: replace(SPIKES, depth={}), "aligned graph"),
    ],
)
def test_a_program_the_kernels_cannot_hold_is_refused(make: Callable[[], IntegerGraph], says: str) -> None:
    with pytest.raises(InputError, match=says):
        Engine(make())


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"path": "fast"}, {"neuron_threads": 65}])
def test_settings_without_a_meaning_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        Tuning(**wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError):
        Engine(SPIKES).run(np.zeros((1, 2, 3), int), threads=0)


@pytest.mark.parametrize("line", [np.zeros(4), np.zeros((1, 3)), np.full(3, np.inf), np.full(3, 2)])
def test_a_stream_refuses_a_wrong_line(line: Array) -> None:
    with pytest.raises(InputError):
        Stream(SPIKES).step(line)


def chain(*nodes: tuple[str, object], edges: tuple[Edge, ...], graded: bool = False, lines: int = 4) -> IntegerGraph:
    encoder = Encoder("graded" if graded else "spikes", np.ones(lines), np.zeros(lines))
    named = {"input": Source(lines, graded=graded), **dict(nodes)}
    return align(IntegerGraph(named, edges, 1e-3, encoder))  # type: ignore[arg-type]


def weights(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).integers(-127, 128, shape).astype(np.int8)


def lif(size: int, *, du: int = 4095, dv: int = 200, v_threshold: int = 120, bias: int = 0) -> IntegerLIF:
    exponent = max(0, bias.bit_length() - 12)
    largest = bias >> exponent
    return IntegerLIF(
        size, du, dv, v_threshold, np.random.default_rng(7).integers(-largest, largest + 1, size), exponent
    )


def relay(size: int) -> IntegerRelay:
    return IntegerRelay(np.full(size, 40000), 10, np.arange(size))


def loud_chain(weight: int) -> IntegerGraph:
    """A LIF without leaks behind full-scale graded messages; weight 1 stays in the 32-bit kernel, 4 does not."""
    edges = (
        Edge("input", "a", "a", Dense(np.full((4, 4), 127, np.int8))),
        Edge("a", "b", "i", Dense(np.full((3, 4), weight, np.int8))),
    )
    return chain(("a", relay(4)), ("b", lif(3, du=0, dv=0, v_threshold=2**17 - 1)), edges=edges, graded=True)


LAVA_GRAPHS: dict[str, IntegerGraph] = {
    "dense, spikes": chain(("a", lif(5)), edges=(Edge("input", "a", "i", Dense(weights(1, 5, 4))),)),
    "dense, graded": chain(
        ("a", lif(5, v_threshold=9000)), edges=(Edge("input", "a", "i", Dense(weights(2, 5, 4))),), graded=True
    ),
    "dense, delayed": chain(("a", lif(5)), edges=(Edge("input", "a", "i", Dense(weights(3, 5, 4)), 3),)),
    "sparse": chain(("a", lif(4, v_threshold=50)), edges=(Edge("input", "a", "i", Diagonal(weights(4, 4))),)),
    "sparse, delayed": chain(
        ("a", lif(4, v_threshold=50)), edges=(Edge("input", "a", "i", Diagonal(weights(5, 4)), 2),)
    ),
    "sparse, delayed, graded": chain(
        ("a", lif(4, v_threshold=5000)), edges=(Edge("input", "a", "i", Diagonal(weights(6, 4)), 4),), graded=True
    ),
    "current, membrane, bias": chain(
        ("a", lif(5, du=500, dv=0, bias=9000, v_threshold=900)),
        edges=(Edge("input", "a", "i", Dense(weights(7, 5, 4))),),
    ),
    "current that wraps, membrane that saturates": loud_chain(weight=1),
    "current that leaves 24 bits": loud_chain(weight=4),
    "two layers and a skip": chain(
        ("a", lif(5)),
        ("b", lif(3)),
        edges=(
            Edge("input", "a", "i", Dense(weights(8, 5, 4))),
            Edge("a", "b", "i", Dense(weights(9, 3, 5))),
            Edge("input", "b", "i", Dense(weights(10, 3, 4))),
        ),
    ),
    "broadcast of graded messages": chain(
        ("a", relay(4)),
        ("b", lif(4, v_threshold=3000)),
        edges=(Edge("input", "a", "a", Dense(weights(11, 4, 4))), Edge("a", "b", "i", Broadcast(4, 4))),
        graded=True,
    ),
    "readout": chain(
        ("a", lif(5)),
        ("b", IntegerReadout(60000, np.full(3, 30000), 5, np.arange(3))),
        edges=(Edge("input", "a", "i", Dense(weights(12, 5, 4))), Edge("a", "b", "a", Dense(weights(13, 3, 5)))),
    ),
    "scan in a block": small_graphs(channels=6, states=2)[1],
    "loop": recurrent_net(),
}


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", LAVA_GRAPHS)
def test_the_engine_equals_lava(name: str) -> None:
    """Every node that Lava has, and ours beside them: messages, u and v of every step, in two samples."""
    graph = LAVA_GRAPHS[name]
    x = random_input(graph, 11, samples=2, steps=8, activity=0.7)
    record, lava = simulate_engine(graph, x, probe=True), run_lava(graph, x)
    assert record.probes.keys() == lava.probes.keys()
    for key, values in lava.probes.items():
        np.testing.assert_array_equal(record.probes[key], values, err_msg=key)
    spikes = [key for key in lava.probes if key.endswith(".message") and not key.startswith("input")]
    assert any(lava.probes[key].any() for key in spikes)


def test_the_disk_cache_notices_a_change_in_any_kernel() -> None:
    """Numba's own stamp is the time of one file; ours covers all of them."""
    stamps = {kernel._cache._cache_file._source_stamp for kernel in (kernels.run, kernels.unfold, words.exp2_minus)}  # type: ignore[attr-defined]
    assert stamps == {jit._stamp(Path(kernels.__file__).parent)}

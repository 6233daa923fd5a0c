"""The Python API holds its arguments to what the command line holds its own: one sentence, no error of the depths."""

from __future__ import annotations

import copy
import multiprocessing
import pickle
import re
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import small_checkpoint, small_input

import bim_neuro
from bim_neuro.compilers.artefact import check, load_artefact, save_artefact
from bim_neuro.errors import BimError, InputError
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.graph import Edge, FloatGraph
from bim_neuro.hardware import load_profile
from bim_neuro.jobs import learn as chip_learning
from bim_neuro.jobs.sequences import with_steps
from bim_neuro.jobs.train import plan_for, train_task
from bim_neuro.model.checkpoint import load_checkpoint, save_checkpoint
from bim_neuro.model.export import export
from bim_neuro.nir_bridge import read_nir, write_nir
from bim_neuro.nodes import Dense, Encoder, Readout, Source
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.pipeline import compile_model
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.program import Program
from bim_neuro.reading import read_model
from bim_neuro.record import RunRecord
from bim_neuro.simulation import Engine, Stream, Tuning, simulate, simulate_float
from bim_neuro.simulation.agreement import verify
from bim_neuro.tasks import Dataset, load_task
from bim_neuro.training.rules import Learning
from bim_neuro.training.stdp import PairWindow
from bim_neuro.training.trainer import Recipe

X = small_input(2, 6)


@cache
def program() -> Program:
    return bim_neuro.compile(export(small_checkpoint()))


@cache
def probed() -> RunRecord:
    return program().run(X, probe=True)


@cache
def graph() -> FloatGraph:
    return export(small_checkpoint())


def with_value(value: float) -> Array:
    x = X.copy()
    x[1, 2, 3] = value
    return x


def of_type(dtype: Any) -> Array:
    return X.astype(dtype)


def hand_made(**changes: Any) -> FloatGraph:
    """Return a graph of one readout, as a user builds it."""
    nodes = {"in": Source(4, graded=False), "out": Readout(0.5, np.zeros(2))}
    edges = (Edge("in", "out", "a", Dense(np.ones((2, 4)))),)
    whole = {"nodes": nodes, "edges": edges, "dt": 1e-3, "encoder": Encoder("spikes", np.ones(4), np.zeros(4))}
    return FloatGraph(**{**whole, **changes})


def weights(value: float) -> FloatGraph:
    weight = np.ones((2, 4))
    weight[1, 1] = value
    return hand_made(edges=(Edge("in", "out", "a", Dense(weight)),))


def data(**changes: Any) -> Dataset:
    return Dataset(**{"x": X, "y": np.array([0, 1]), **changes})


NAN = float("nan")
INPUTS: dict[str, tuple[Any, str]] = {
    "NaN": (with_value(NAN), "input holds nan at sample 1, step 2, channel 3; 1 of its values are not finite"),
    "infinite": (with_value(-np.inf), "input holds -inf at sample 1, step 2, channel 3"),
    "None": (None, "input holds Python objects"),
    "complex": (of_type(complex), "input holds complex128, real numbers are needed"),
    "objects": (of_type(object), "input holds Python objects"),
    "text": (of_type(str), "input holds <U32, real numbers are needed"),
    "dates": (of_type(np.int64).astype("M8[s]"), "input holds datetime64[s], real numbers are needed"),
    "two axes": (X[0], r"input has shape (6, 5), the model needs (samples, steps, 5)"),
    "wrong channels": (X[:, :, :3], "input has shape (2, 6, 3), the model needs (samples, steps, 5)"),
    "no steps": (X[:, :0], "input has shape (2, 0, 5)"),
    "no samples": (X[:0], "input has shape (0, 6, 5)"),
    "ragged": ([[[1.0, 2.0]], [[1.0]]], "input is a list, which does not become an array of numbers"),
    "too large for numbers": ([[[10**400] * 5]], "input holds Python objects"),
    "a word": ("digits", "input holds <U6, real numbers are needed"),
    "a set": ({1.0}, "input holds Python objects"),
    "a bfloat16 tensor": (torch.zeros(2, 6, 5, dtype=torch.bfloat16), "input is a Tensor, which does not become"),
    "masked": (np.ma.masked_greater(X, 0), "input has masked values, all are needed"),
}
USES: dict[str, Callable[[Any, Path], object]] = {
    "run": lambda x, folder: program().run(x),
    "run on the law": lambda x, folder: program().run(x, backend="reference"),
    "run_float": lambda x, folder: program().run_float(x),
    "encode": lambda x, folder: program().encode(x),
    "artefact": lambda x, folder: program().artefact(x),
    "save": lambda x, folder: program().save(folder / "m.bimn", x),
    "calibrated": lambda x, folder: program().calibrated(x),
    "play": lambda x, folder: program().play(x),
    "excerpt": lambda x, folder: program().excerpt(x),
    "compile": lambda x, folder: bim_neuro.compile(graph(), input=x) if x is not None else program().run(x),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("name", INPUTS)
def test_input_is_checked_wherever_it_is_taken(name: str, use: str, tmp_path: Path) -> None:
    x, sentence = INPUTS[name]
    with pytest.raises(InputError, match=re.escape(sentence)):
        USES[use](x, tmp_path)
    assert not list(tmp_path.iterdir())  # an artefact of NaN once failed its own self-test


def test_input_that_numpy_takes_over_without_loss_is_welcome() -> None:
    expected = program().run(X).output
    tensors = torch.tensor(X), torch.tensor(X, requires_grad=True)
    for same in (X.tolist(), *tensors, X.astype(np.longdouble), np.ma.array(X)):
        np.testing.assert_array_equal(program().run(same).output, expected)
    spikes = np.ones((1, 5, 4))
    on = bim_neuro.compile(hand_made(), input=spikes)
    for dtype in (bool, np.uint8, np.float16):
        np.testing.assert_array_equal(on.run(spikes.astype(dtype)).output, on.run(spikes).output)


@pytest.mark.parametrize("value", [1e308, -1.7e308])
@pytest.mark.parametrize("kind", ["graded", "delta"])
def test_huge_numbers_are_clipped_like_large_ones(kind: str, value: float) -> None:
    encoder = Encoder(kind, np.full(5, 127.0), np.zeros(5))
    np.testing.assert_array_equal(encoder.encode(with_value(value)), encoder.encode(with_value(np.sign(value) * 1e6)))


CODE = cache(lambda: program().encode(X))
REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    # compile: model, target, dt
    "model None": (lambda f: bim_neuro.compile(None), "model is None, a text or a Path is needed"),
    "model 5": (lambda f: bim_neuro.compile(5), "model is 5, a text or a Path is needed"),
    "model bytes": (lambda f: bim_neuro.compile(b"m.pt"), "model is b'm.pt', a text or a Path is needed"),
    "model empty": (lambda f: bim_neuro.compile(""), "model is '', which is not a file path"),
    "model null byte": (lambda f: bim_neuro.compile("a\0b"), "which is not a file path"),
    "model missing": (lambda f: bim_neuro.compile(f / "no.pt"), "no such file"),
    "model a checkpoint": (lambda f: bim_neuro.compile(small_checkpoint()), "model is a Checkpoint, a text or a Path"),
    "model a folder": (lambda f: bim_neuro.compile(f), "is not a file but a folder"),
    "target None": (lambda f: bim_neuro.compile(graph(), None), "target is None, a text or a Path"),
    "target 1": (lambda f: bim_neuro.compile(graph(), 1), "target is 1, a text or a Path"),
    "target unknown": (lambda f: bim_neuro.compile(graph(), "loihi9"), "unknown target 'loihi9'"),
    "target a list": (lambda f: load_profile(["loihi2"]), "target is a list"),
    "target missing": (lambda f: load_profile(f / "mine.toml"), "no such file"),
    **{
        f"dt {dt!r}": (lambda f, dt=dt: bim_neuro.compile(graph(), dt=dt), "s, it must be positive and finite")
        for dt in (0, -1e-3, NAN, float("inf"), "1e-3", True, 1j, [1e-3], 10**400)
    },
    "dt of a file": (lambda f: read_nir(f / "m.nir", "1"), "dt is '1' s, it must be positive"),
    "dt of a model": (lambda f: read_model(f / "m.pt", dt=-1), "dt is -1 s, it must be positive and finite"),
    "another dt": (lambda f: bim_neuro.compile(graph(), dt=5.0), "the graph has dt = 0.001 s, dt says 5 s"),
    # a float graph built by hand
    "NaN weight": (lambda f: bim_neuro.compile(weights(NAN)), "1 of 8 values of 'edges.0.synapse.weight' are not"),
    "nodes a list": (lambda f: bim_neuro.compile(hand_made(nodes=[])), "graph.nodes is a list, a dict is needed"),
    "edges a list": (lambda f: bim_neuro.compile(hand_made(edges=[])), "graph.edges is a list, a tuple is needed"),
    "edge a pair": (lambda f: bim_neuro.compile(hand_made(edges=(("in", "out"),))), "an edge is a tuple"),
    "node a number": (lambda f: bim_neuro.compile(hand_made(nodes={"in": 3})), "node 'in' is 3, which a float graph"),
    "graph dt": (lambda f: bim_neuro.compile(hand_made(dt=NAN)), "dt is nan s, it must be positive and finite"),
    "labels": (lambda f: bim_neuro.compile(hand_made(labels=(1, 2))), "a label is 1, a text is needed"),
    "no encoder": (lambda f: bim_neuro.compile(hand_made(encoder=None)), "the encoder is a NoneType"),
    # running
    "backend unknown": (lambda f: program().run(X, backend="gpu"), "unknown backend 'gpu'"),
    "backend None": (lambda f: program().run(X, backend=None), "unknown backend None"),
    "backend a list": (lambda f: program().run(X, backend=["lava"]), "unknown backend a list"),
    "time limit 0": (lambda f: program().run(X, time_limit=0), "time_limit is 0, a finite number above 0 is needed"),
    "time limit text": (lambda f: program().run(X, time_limit="9"), "time_limit is '9'"),
    "progress": (lambda f: program().run(X, progress=3), "progress is 3, a function is needed"),
    "progress of the engine": (lambda f: program().engine.run(CODE(), progress=3), "progress is 3, a function is"),
    "progress of the law": (lambda f: simulate(program().graph, CODE(), progress="p"), "progress is 'p', a function"),
    "no room": (lambda f: Tuning(room=0), "room is 0, a whole number from 1 is needed"),
    "room a text": (lambda f: Tuning(room="a"), "room is 'a', a whole number"),
    "probes where no file may be": (
        lambda f: program().engine.run(CODE(), probe=True, probe_folder="/proc"),
        "cannot write /proc/probes.npy: ",
    ),
    "stage": (lambda f: program().play(X, stage=3), "stage is 3, a function is needed"),
    "advance": (lambda f: program().play(X, advance=3), "advance is 3, a function is needed"),
    "layers 5": (lambda f: program().plot_raster(X, 5), "layers is 5, at least one name is needed"),
    "labels beyond the classes": (
        lambda f: program().report(X, f / "r", [0, 99]),
        "labels run from 0 to 99, the model",
    ),
    "labels below 0": (lambda f: program().report(X, f / "r", [-1, 0]), "labels run from -1 to 0, the model has"),
    "origin": (lambda f: program().calibrated(X, 3), "origin is 3, a text is needed"),
    "save nowhere": (lambda f: program().save(None, X), "path is None, a text or a Path"),
    "save into no folder": (lambda f: program().save(f / "no" / "m.bimn", X), "there is no folder"),
    "law a list": (lambda f: simulate(program().graph, [1]), "input is a list, an array of encoded numbers"),
    "float law NaN": (lambda f: simulate_float(graph(), with_value(NAN)), "not finite"),
    "engine None": (lambda f: Engine(program().graph).run(None), "input is None, an array"),
    "engine complex": (lambda f: Engine(program().graph).run(of_type(complex)), "an array of encoded numbers"),
    "stream text": (lambda f: Stream(program().graph).step("abcde"), "step 0 holds <U5"),
    "stream None": (lambda f: Stream(program().graph).step(None), "step 0 holds Python objects"),
    "stream layer": (lambda f: Stream(program().graph).message("no"), "there is no layer 'no'"),
    # comparing and pricing
    "verify nothing": (lambda f: verify(probed(), None), "other is None, a RunRecord is needed"),
    "verify unprobed": (lambda f: verify(probed(), program().run(X)), "other has no probes"),
    "verify strangers": (lambda f: verify(probed(), replace(probed(), probes={"a.v": X})), "the other run has no '"),
    "price another": (
        lambda f: price(program().placed, bim_neuro.compile(hand_made()).run(np.ones((1, 3, 4))), program().profile),
        "the record is of another program",
    ),
    "price no profile": (lambda f: price(program().placed, probed(), "loihi2"), "profile is 'loihi2'"),
    "latency a program": (lambda f: latency(program(), probed(), program().profile), "placed is a Program"),
    # files
    "artefact from 3": (lambda f: load_artefact(3), "path is 3, a text or a Path"),
    "artefact of 3": (lambda f: save_artefact(3, f / "m"), "artefact is 3, an Artefact"),
    "self-test of 3": (lambda f: check(3), "artefact is 3"),
    "checkpoint from None": (lambda f: load_checkpoint(None), "path is None"),
    "checkpoint of None": (lambda f: save_checkpoint(None, f / "m"), "checkpoint is None"),
    "nir from None": (lambda f: read_nir(None), "path is None"),
    "nir of None": (lambda f: write_nir(None, f / "m"), "graph is None, a FloatGraph is needed"),
    "nir to 3": (lambda f: write_nir(graph(), 3), "path is 3"),
    # tasks and data
    "task a list": (lambda f: load_task(["digits"]), "the name of a task is a list"),
    "task unknown": (lambda f: load_task("chess"), "no task is called 'chess'"),
    "task seed": (lambda f: load_task("cue", seed="1"), "seed is '1', a whole number from 0 to"),
    "task data": (lambda f: load_task("own", 3), "data is 3, a text or a Path"),
    "data NaN": (lambda f: data(x=with_value(NAN)), "x holds nan at sample 1, step 2, channel 3"),
    "data None": (lambda f: data(x=None), "x holds Python objects"),
    "data of no steps": (lambda f: data(x=X[:, :0]), "x is empty"),
    "labels too few": (lambda f: data(y=[0]), "y has shape (1,), x has 2 samples"),
    "labels of halves": (lambda f: data(y=[0.5, 1.0]), "y holds float64, a label is a whole number"),
    "labels NaN": (lambda f: data(y=[0.0, NAN]), "y holds float64, a label is a whole number"),
    "labels of words": (lambda f: data(y=["a", "b"]), "y holds <U1"),
    "labels yes and no": (lambda f: data(y=[True, False]), "y holds bool"),
    "sample 9": (lambda f: data().take([9]), "no such samples among 2"),
    "sample 'a'": (lambda f: data().take("a"), "no such samples among 2"),
    # training
    "plan of a name": (lambda f: plan_for("digits"), "task is 'digits', a Task is needed"),
    "no such setting": (lambda f: plan_for(load_task("cue"), epoch=3), "unknown setting 'epoch'"),
    "epochs 0": (lambda f: plan_for(load_task("cue"), epochs=0), "recipe: epochs is 0, a whole number from 1"),
    "epochs a text": (lambda f: plan_for(load_task("cue"), epochs="3"), "recipe: epochs is '3', a whole number"),
    "rate NaN": (lambda f: plan_for(load_task("cue"), learning_rate=NAN), "recipe: learning_rate is nan"),
    "channels 1.5": (lambda f: plan_for(load_task("cue"), channels=1.5), "shape: channels is 1.5, a whole number"),
    "encoder": (lambda f: plan_for(load_task("cue"), encoder="spikes"), "unknown encoder 'spikes'"),
    "learning": (lambda f: plan_for(load_task("cue"), learning="rtrl"), "learning is 'rtrl'"),
    "resume file": (lambda f: plan_for(load_task("cue"), resume_file=3), "resume_file is 3"),
    "train nothing": (lambda f: train_task(None, f / "m.pt"), "plan is None, a TrainingPlan is needed"),
    "train to 3": (lambda f: train_task(plan_for(load_task("cue"), epochs=1), 3), "path is 3"),
    "keep": (lambda f: Recipe(keep="first"), "unknown keep 'first'"),
    "seed": (lambda f: Recipe(seed=-1), "recipe: seed is -1"),
    "rule": (lambda f: Learning(rule=[]), "unknown rule a list"),
    "lambda": (lambda f: Learning(mix="x"), "lambda is 'x'"),
    "online": (lambda f: Learning("rtrl", online=0.5), "0.5, a whole number from 1"),
    "window": (lambda f: Learning(window=3), "window is 3, a PairWindow is needed"),
    "tau": (lambda f: PairWindow(tau_plus=0), "STDP window: tau_plus is 0"),
    # plasticity
    "synapses 5": (lambda f: Plasticity(synapses=5), "plasticity: synapses is 5, a tuple is needed"),
    "synapses text": (lambda f: Plasticity(synapses="w_u"), "plasticity: synapses is 'w_u'"),
    "plasticity rule": (lambda f: Plasticity(rule=None), "plasticity: rule 'None' is unknown"),
    "plasticity rate": (lambda f: Plasticity(rate="1"), "plasticity: rate is '1'"),
    "plasticity from 3": (lambda f: Plasticity.from_dict(3), "plasticity is 3, a Mapping is needed"),
    "learn nothing": (lambda f: chip_learning.learn(None, Plasticity(), data(), {"a": data()}), "program is None"),
    "learn by name": (lambda f: chip_learning.learn(program(), "rtrl", data(), {"a": data()}), "plasticity is 'rtrl'"),
    "learn an array": (lambda f: chip_learning.learn(program(), Plasticity(), X, {"a": X}), "stream is a ndarray"),
    "learn without tests": (lambda f: chip_learning.learn(program(), Plasticity(), data(), {}), "tests is empty"),
    "learn unlabelled": (
        lambda f: chip_learning.learn(program(), Plasticity(), data(y=None), {"a": data()}),
        "the learning stream has no labels",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_and_how(name: str, tmp_path: Path) -> None:
    call, sentence = REFUSED[name]
    with pytest.raises(InputError) as refusal:
        call(tmp_path)
    assert sentence in refusal.value.message
    assert refusal.value.exit_code == 2


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=5),
    st.binary(max_size=5),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
    st.just(object()),
    st.just(np.zeros(0)),
    st.just(np.array([[NAN]])),
    st.just(X),
    st.just(len),
    st.just(10**400),
)
CALLS: dict[str, Callable[..., object]] = {
    "compile": lambda a, b: bim_neuro.compile(a, b),
    "compile dt": lambda a, b: compile_model(graph(), dt=a, input=b),
    "run": lambda a, b: program().run(X, backend="reference", time_limit=a, progress=b),
    "run x": lambda a, b: program().run(a),
    "probe": lambda a, b: program().run(X, backend="reference", probe=a),
    "probe of the engine": lambda a, b: program().run(X, probe=a),
    "probe of the float law": lambda a, b: program().run_float(X, probe=a),
    "watch": lambda a, b: program().run(X, backend="reference", watch=None if callable(a) else a),
    "threads": lambda a, b: Engine(program().graph).run(program().encode(X), threads=a, tuning=Tuning(batch=b)),
    "path": lambda a, b: Engine(program().graph).run(program().encode(X), tuning=Tuning(a, b)),
    "probe folder": lambda a, b: Engine(program().graph).run(program().encode(X), probe=True, probe_folder=a),
    "batch": lambda a, b: simulate(program().graph, program().encode(X), batch=a),
    "engine": lambda a, b: Engine(a),
    "stream": lambda a, b: Stream(a),
    "law": lambda a, b: simulate(a, program().encode(X)),
    "split": lambda a, b: load_task("cue").split(a),
    "layout": lambda a, b: load_task("own", None, 0, a),
    "steps": lambda a, b: with_steps(X, a),
    "stopwatch": lambda a, b: compile_model(graph(), watch=a),
    "save": lambda a, b: program().save(a, b),
    "profile": lambda a, b: load_profile(a),
    "verify": lambda a, b: verify(a, b),
    "price": lambda a, b: price(program().placed, a, b),
    "dataset": lambda a, b: Dataset(X, a, b),
    "dataset x": lambda a, b: Dataset(a),
    "take": lambda a, b: data().take(a),
    "task": lambda a, b: load_task("cue", a, b),
    "task name": lambda a, b: load_task(a),
    "recipe": lambda a, b: Recipe(epochs=a, learning_rate=b),
    "learning": lambda a, b: Learning(a, b),
    "plasticity": lambda a, b: Plasticity(rule=a, synapses=b),
    "plasticity rate": lambda a, b: Plasticity(rate=a, seed=b),
    "plasticity from": lambda a, b: Plasticity.from_dict(a),
    "learn": lambda a, b: chip_learning.learn(program(), Plasticity(), a, b),
    "artefact": lambda a, b: load_artefact(a),
    "graph": lambda a, b: bim_neuro.compile(hand_made(nodes=a, edges=b)),
    "graph parts": lambda a, b: bim_neuro.compile(hand_made(encoder=a, labels=b)),
    "node": lambda a, b: bim_neuro.compile(hand_made(nodes={"in": Source(4, graded=False), "out": Readout(a, b)})),
    "edge": lambda a, b: bim_neuro.compile(hand_made(edges=(Edge("in", "out", a, Dense(b)),))),
    "encoder": lambda a, b: bim_neuro.compile(hand_made(encoder=Encoder("graded", a, b))),
}


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=25, deadline=None)
@given(a=JUNK, b=JUNK)
def test_no_error_of_the_depths_reaches_the_user(name: str, a: Any, b: Any) -> None:
    with suppress(BimError):
        CALLS[name](a, b)


# ---------------------------------------------------------------------------------------------- copies


@pytest.mark.parametrize("copied", [lambda p: pickle.loads(pickle.dumps(p)), copy.deepcopy, copy.copy])
def test_a_program_that_has_run_can_be_copied(copied: Callable[[Program], Program]) -> None:
    """Its engine holds threads and kernels, which no other process can have."""
    run = program().run(X)
    assert "engine" in vars(program())
    twin = copied(program())
    np.testing.assert_array_equal(twin.run(X).output, run.output)
    assert twin.assumptions == program().assumptions


def test_what_is_shown_of_an_object_is_one_short_line() -> None:
    assert repr(program()) == "<Program for loihi2: 6 layers, 46 neurons, 1 core, 0 findings>"
    assert repr(probed()).startswith("<RunRecord of 2 samples of 6 steps, engine: input, block1.u, ")
    channels = X.shape[2]
    assert repr(data()) == f"<Dataset of 2 samples: 6 steps, {channels} channels, 2 classes>"
    assert repr(data(y=None)).endswith("channels, no labels>")


def _answer(twin: Program) -> Array:
    return twin.run(X, backend="reference").output


@pytest.mark.slow
def test_a_program_works_in_a_pool_of_processes() -> None:
    expected = program().run(X).output
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        np.testing.assert_array_equal(pool.submit(_answer, program()).result(timeout=200), expected)

"""Hostile and broken input: one clear line, the right exit code, no traceback, and no folder half-written."""

from __future__ import annotations

import errno
import json
import pickle
import re
import resource
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import Ended, bim_compile, content, finish, processes_with, save_input, save_model, start
from small_models import small_checkpoint, small_graphs, small_input

from bim_neuro.cli.console import guarded
from bim_neuro.compilers.artefact import Artefact, expected_messages, save_artefact
from bim_neuro.compilers.to_lava import compat, run_lava
from bim_neuro.errors import BackendFailed
from bim_neuro.nodes import IntegerRelay

Content = dict[str, Any]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.fixture(scope="module")
def samples(model: Path) -> Path:
    return save_input(model.with_name("x.npz"))


def refused(ended: Ended, code: int, *words: str) -> None:
    """One line and its hint say why; nothing else is printed."""
    assert (ended.code, ended.out, len(ended.errors)) == (code, "", 1), ended
    assert "Traceback" not in ended.err
    assert ended.err.count("hint:") <= 1
    for word in words:
        assert word in ended.err


# ---- the model


def saved(path: Path, change: Callable[[Content], object]) -> Path:
    """Write a sound model.pt with one change."""
    whole = torch.load(save_model(path), weights_only=True)
    change(whole)
    torch.save(whole, path)
    return path


def put(*keys_and_value: Any) -> Callable[[Content], None]:
    """Return a change: the value at a path of keys."""
    *keys, last, value = keys_and_value

    def change(whole: Content) -> None:
        for key in keys:
            whole = whole[key]
        whole[last] = value

    return change


def drop(key: str) -> Callable[[Content], object]:
    return lambda whole: whole.pop(key)


def spoil(weight: str, value: float) -> Callable[[Content], None]:
    def change(whole: Content) -> None:
        whole["state"][weight].view(-1)[0] = value

    return change


HUGE = 10**12

CHANGED: dict[str, tuple[Callable[[Content], object], str]] = {
    "wrong format": (put("format", "something"), "not a bim-neuro model"),
    "wrong version": (put("version", 99), "format version 99"),
    "version of a wrong type": (put("version", [1]), "format version [1]"),
    **{
        f"no {key}": (drop(key), "")
        for key in ("config", "dt", "task", "labels", "encoder", "state", "ranges", "training")
    },
    "config is a list": (put("config", []), "has a missing or damaged field"),
    "config with an unknown key": (put("config", "colour", 1), "colour"),
    **{
        f"channels {value!r}": (put("config", "channels", value), "channels")
        for value in (-3, 0, HUGE, 1.5, "12", None, True)
    },
    "a million of everything": (
        lambda whole: whole["config"].update(dict.fromkeys(("channels", "states", "taps", "blocks"), 1_000_000)),
        "1,000,000 blocks",
    ),
    "a million channels": (put("config", "channels", 1_000_000), "the config wants"),
    "a million states": (put("config", "states", 1_000_000), "the config wants"),
    "more blocks than weights": (put("config", "blocks", 100_000), "100,000 blocks"),
    "two blocks, weights of one": (put("config", "blocks", 2), "'blocks.1."),
    "a weight is missing": (lambda whole: whole["state"].pop("w_o"), "'w_o' is absent"),
    "a weight too many": (put("state", "extra", torch.zeros(1)), "'extra'"),
    "a weight of another shape": (put("state", "w_o", torch.zeros(2, 2)), "'w_o' is (2, 2)"),
    "a weight of integers": (put("state", "w_o", torch.zeros(4, 12, dtype=torch.int64)), "'w_o' holds torch.int64"),
    "a complex weight": (put("state", "w_o", torch.zeros(4, 12, dtype=torch.complex64)), "'w_o' holds torch.complex64"),
    "a sparse weight": (put("state", "w_o", torch.zeros(4, 12).to_sparse()), "sparse"),
    "a weight that is a text": (put("state", "w_o", "heavy"), "has a missing or damaged field"),
    "a weight that is a dict": (put("state", "w_o", {}), "has a missing or damaged field"),
    "NaN": (spoil("blocks.0.w_u", float("nan")), "1 of 60 values of 'blocks.0.w_u' are not finite"),
    "infinity": (spoil("b_o", float("inf")), "1 of 4 values of 'b_o' are not finite"),
    "an exponential that overflows": (spoil("blocks.0.a_log", 1e6), "'blocks.0.a_log'"),
    "dt is negative": (put("dt", -1.0), "dt is -1.0 s"),
    "dt is NaN": (put("dt", float("nan")), "dt is nan s"),
    "labels of another number": (put("labels", ["a"]), "1 labels for 4 classes"),
    "an unknown encoder": (put("encoder", "kind", "morse"), "unknown encoder 'morse'"),
    "an encoder for other lines": (
        put("encoder", {"kind": "delta", "gain": [1.0] * 5, "offset": [0.0] * 5}),
        "10 lines",
    ),
    "an encoder with NaN": (put("encoder", "gain", torch.full((5,), float("nan"))), "gain"),
    "an encoder of two lengths": (put("encoder", "offset", torch.zeros(4)), "offset"),
    "an encoder without axis": (put("encoder", "gain", 3.0), "gain"),
    "a range is NaN": (put("ranges", "block1.scan.h", float("nan")), "block1.scan.h"),
    "a range is negative": (put("ranges", "block1.scan.h", -1.0), "block1.scan.h"),
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_model_with_a_wrong_field_is_refused(tmp_path: Path, samples: Path, name: str) -> None:
    change, words = CHANGED[name]
    path = saved(tmp_path / "changed.pt", change)
    started = time.perf_counter()
    refused(bim_compile(path, "--input", samples, "-o", tmp_path / "out"), 2, "changed.pt" if words else "", words)
    assert time.perf_counter() - started < 60
    assert [entry.name for entry in tmp_path.iterdir()] == ["changed.pt"]


def test_an_absurd_config_takes_no_memory(tmp_path: Path) -> None:
    """A network of this size would take 4 PB; the process stays far below the size of torch itself."""
    path = saved(tmp_path / "m.pt", lambda whole: whole["config"].update(channels=1_000_000, states=1_000_000))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(bim_compile(path, "--check"), 2, "the config wants")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


class Bomb:
    """A pickle of this creates a file when it is loaded."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


@pytest.mark.parametrize("how", ["pickle", "torch", "torch, old format", "inside a sound model"])
def test_a_pickle_that_would_run_code_does_not_run(tmp_path: Path, samples: Path, how: str) -> None:
    path, sign = tmp_path / "model.pt", tmp_path / "it-ran"
    if how == "pickle":
        path.write_bytes(pickle.dumps(Bomb(sign)))
    elif how == "inside a sound model":
        whole = torch.load(save_model(path), weights_only=True)
        torch.save({**whole, "training": Bomb(sign)}, path)
    else:
        torch.save({"format": "bim-neuro", "state": Bomb(sign)}, path, _use_new_zipfile_serialization=how == "torch")
    refused(
        bim_compile(path, "--input", samples, "-o", tmp_path / "out"),
        2,
        "PyTorch file" if how == "pickle" else "executed",
    )
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.pt"]


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.3, 0.5, 0.9, 0.99, 1.0])
def test_a_truncated_model_is_refused(tmp_path: Path, model: Path, samples: Path, share: float) -> None:
    whole = model.read_bytes()
    path = tmp_path / "cut.pt"
    path.write_bytes(whole[: min(int(share * len(whole)), len(whole) - 1)])
    refused(bim_compile(path, "--input", samples, "-o", tmp_path / "out"), 2, "cut.pt", "is empty" if not share else "")
    assert [entry.name for entry in tmp_path.iterdir()] == ["cut.pt"]


@pytest.mark.parametrize("times", [25, pytest.param(100, marks=pytest.mark.slow)])
def test_bytes_that_were_turned_are_refused_or_harmless(tmp_path: Path, model: Path, times: int) -> None:
    rng = np.random.default_rng(times)
    whole = np.frombuffer(model.read_bytes(), dtype=np.uint8)
    path = tmp_path / "turned.pt"
    for _ in range(times):
        damaged = whole.copy()
        damaged[rng.integers(len(whole), size=5)] = rng.integers(256, size=5)
        path.write_bytes(damaged.tobytes())
        ended = bim_compile(path, "--check")
        assert ended.code in (0, 1, 2), ended
        assert len(ended.errors) <= 1


@pytest.mark.parametrize(
    ("name", "write", "words"),
    [
        ("missing.pt", None, "no such file"),
        ("folder.pt", Path.mkdir, "not a file"),
        ("empty.pt", Path.touch, "is empty"),
        ("text.pt", lambda path: path.write_text("hello"), "not a PyTorch file"),
        ("tensor.pt", lambda path: torch.save(torch.zeros(3), path), "holds a Tensor"),
        ("other.pt", lambda path: torch.save({"weights": torch.zeros(3)}, path), "not a bim-neuro model"),
        ("model.bimn", lambda path: path.write_bytes(b"PK"), "--self-test"),
        ("[red]name.pt", None, "no such file: "),
        ("empty.nir", Path.touch, "empty.nir"),
        ("text.nir", lambda path: path.write_text("hello"), "text.nir"),
    ],
)
def test_what_is_no_model_is_refused(
    tmp_path: Path, samples: Path, name: str, write: Callable[[Path], object] | None, words: str
) -> None:
    path = tmp_path / "in" / name
    path.parent.mkdir()
    if write:
        write(path)
    for options in (("--input", samples, "-o", tmp_path / "out"), ("--check",)):
        refused(bim_compile(path, *options), 2, words, name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["in"]


WRONG: tuple[Any, ...] = (-1, 1e30, HUGE, "", {}, [1])


@pytest.mark.parametrize("value", [None, [], *(pytest.param(one, marks=pytest.mark.slow) for one in WRONG)], ids=repr)
def test_an_artefact_with_a_wrong_header_is_refused(tmp_path: Path, value: Any) -> None:
    """Every field of the program in turn becomes something else; none is executed, none gives a traceback."""
    _, graph = small_graphs()
    x = graph.encoder.encode(small_input(1, 3))
    path = tmp_path / "model.bimn"
    save_artefact(Artefact(graph, "loihi2", x, expected_messages(graph, x)), path)
    arrays = dict(np.load(path))
    header = json.loads(str(arrays["header"]))
    for key, inner in [*(("graph", key) for key in header["graph"]), *((key, None) for key in header)]:
        fault = json.loads(json.dumps(header))
        (fault[key] if inner else fault)[inner or key] = value
        np.savez(path.with_suffix(".npz"), **{**arrays, "header": np.array(json.dumps(fault))})
        ended = bim_compile(path.with_suffix(".npz"), "--self-test")
        assert ended.code in (0, 2), (key, inner, value, ended)
        assert len(ended.errors) == (ended.code == 2)


@pytest.mark.parametrize("length", [0, 1, 100, 5000, -1])
def test_a_truncated_artefact_is_refused(tmp_path: Path, length: int) -> None:
    _, graph = small_graphs()
    x = graph.encoder.encode(small_input(1, 3))
    path = tmp_path / "model.bimn"
    save_artefact(Artefact(graph, "loihi2", x, expected_messages(graph, x)), path)
    path.write_bytes(path.read_bytes()[:length])
    refused(bim_compile(path, "--self-test"), 2, "model.bimn")


# ---- the input


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((6, 8))}, "(6, 8)"),
        ({"x": np.zeros((6, 8, 7)), "layout": "BTC"}, "(samples, steps, 5)"),
        ({"x": np.zeros((0, 8, 5))}, "empty"),
        ({"x": np.zeros((6, 0, 5))}, "empty"),
        ({"x": np.full((2, 3, 5), np.nan)}, "nan at sample 0, step 0, channel 0"),
        ({"x": np.full((2, 3, 5), 1e300)}, ""),
        ({"x": np.full((2, 3, 5), "a")}, "real numbers"),
        ({"x": np.zeros((2, 3, 5), dtype=complex)}, "real numbers"),
        ({"x": np.array([[["a", 1, None, [], {}]]], dtype=object)}, "Python objects"),
        ({"data": np.zeros((2, 3, 5))}, "no array 'x'"),
        ({}, "no array 'x'"),
        ({"x": np.zeros((2, 3, 5)), "y": np.zeros(4, dtype=int)}, "y has shape (4,)"),
        ({"x": np.zeros((2, 3, 5)), "y": np.array([0, 0.5])}, "integer"),
        ({"x": np.zeros((2, 3, 5)), "y": np.array([0, 4])}, "4 classes"),
        ({"x": np.zeros((2, 3, 5)), "y": np.array([-1, 0])}, "labels run from -1 to 0"),
    ],
)
def test_input_that_does_not_fit_is_refused(tmp_path: Path, model: Path, arrays: dict[str, Any], words: str) -> None:
    np.savez(tmp_path / "x.npz", **arrays)
    refused(bim_compile(model, "--input", tmp_path / "x.npz", "-o", tmp_path / "out"), 2, words)
    assert [entry.name for entry in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.parametrize("content", [b"", b"hello", b"\x93NUMPY", b"PK\x03\x04"])
def test_input_of_another_kind_is_refused(tmp_path: Path, model: Path, content: bytes) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    refused(bim_compile(model, "--input", path, "-o", tmp_path / "out"), 2, "x.npz")


def test_missing_input_and_a_model_without_data_are_refused(tmp_path: Path, model: Path) -> None:
    refused(bim_compile(model, "--input", tmp_path / "no.npz", "-o", tmp_path / "out"), 2, "no.npz")
    refused(bim_compile(model, "-o", tmp_path / "out"), 2, "--input FILE.npz")
    assert list(tmp_path.iterdir()) == []


def test_more_steps_than_there_are_is_refused(tmp_path: Path, model: Path, samples: Path) -> None:
    refused(bim_compile(model, "--input", samples, "--steps", 9, "-o", tmp_path / "out"), 2, "the samples have 8 steps")


# ---- the target


def test_an_unknown_target_is_refused_with_the_list(tmp_path: Path, model: Path, samples: Path) -> None:
    arguments = ("--input", samples, "--target", "loihi9", "-o", tmp_path / "out")
    refused(bim_compile(model, *arguments), 2, "unknown target 'loihi9'", "loihi2", "lava_cpu")
    assert list(tmp_path.iterdir()) == []


def test_a_model_too_large_for_the_chip_is_refused_with_layer_amount_limit_and_hint(tmp_path: Path) -> None:
    path = save_model(tmp_path / "large.pt", small_checkpoint(channels=20_000, states=1, taps=1))
    ended = bim_compile(path, "--input", save_input(tmp_path / "x.npz"), "-o", tmp_path / "out")
    assert (ended.code, ended.out) == (1, "")
    assert "Traceback" not in ended.err
    line, hint = ended.err.splitlines()[:2]
    words = r"(19,\d{3}|20,000)"  # one list an input, but none for the few weights that round to zero
    refusal = rf"does not fit: one neuron of layer 'readout' needs {words} synapse words, a core of loihi2 has 16,000"
    assert re.fullmatch(refusal, line)
    assert hint.startswith("hint: ")
    left = sorted(file.name for file in (tmp_path / "out").iterdir())
    assert left == [".bim-compile.json", "report.html"]  # whose folder it is, and the refusal's page: no result


# ---- the folder


@pytest.mark.parametrize("place", ["file/out", "file/deep/out", "/proc/out", "/proc/1/deep/out", "taken"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, place: str
) -> None:
    for name in ("file", "taken"):
        (tmp_path / name).write_text("mine")
    monkeypatch.setattr("bim_neuro.jobs.built.compile_model", lambda *args, **options: pytest.fail("it worked on"))
    out = tmp_path / place
    refused(bim_compile(model, "--input", samples, "-o", out), 2, str(tmp_path) if place[0] != "/" else "/proc")
    assert content(tmp_path) == {"file": b"mine", "taken": b"mine"}


def test_the_current_folder_is_not_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(bim_compile(model, "--input", samples, "-o", "."), 2, "current folder")


@pytest.mark.parametrize("former", [True, False])
@pytest.mark.parametrize(
    "victim",
    ["bim_neuro.jobs.compile.save_artefact", "bim_neuro.jobs.compile._write_nir", "bim_neuro.report.write_files"],
)
def test_a_full_disk_leaves_the_former_folder_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, victim: str, former: bool
) -> None:
    arguments = (model, "--input", samples, "-o", tmp_path / "out")
    if former:
        assert bim_compile(*arguments).code == 0
    before = content(tmp_path)

    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(victim, full)
    refused(bim_compile(*arguments), 2, f"cannot write {tmp_path / 'out'}: No space left on device")
    assert content(tmp_path) == before


def test_a_write_that_breaks_off_leaves_nothing(tmp_path: Path, model: Path, samples: Path) -> None:
    """A real one: this process may write files of 8 KiB only."""

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    process = start("compile", model, "--input", samples, "-o", tmp_path / "out", preexec_fn=small_files)
    refused(finish(process), 2, "cannot write", "File too large")
    assert list(tmp_path.iterdir()) == []


# ---- the user and the backend


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files of this process and its children, empty again at the end."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def gone(text: str, seconds: float = 60.0) -> bool:
    """Whether no process is left, after a moment for the last to go."""
    deadline = time.monotonic() + seconds
    while processes_with(text) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not processes_with(text)


@pytest.mark.lava
@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 130, marks=pytest.mark.slow),
        pytest.param(signal.SIGKILL, -signal.SIGKILL, marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_run_leaves_no_process_and_no_folder(
    tmp_path: Path, temporary: Path, model: Path, sent: signal.Signals, code: int
) -> None:
    """Stopped while Lava runs: 1000 samples would take it minutes."""
    samples = save_input(tmp_path / "many.npz", samples=1000)
    out = tmp_path / "out"
    out.mkdir()
    before = content(tmp_path)
    arguments = (model, "--input", samples, "--samples", 1000, "--verify", "lava", "-o", out)
    process = start("compile", *arguments, env={"TMPDIR": str(temporary)})
    deadline = time.monotonic() + 200
    while len(processes_with(str(temporary / "bim-lava-"))) < 5 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(processes_with(str(temporary / "bim-lava-"))) >= 5  # Lava's own processes have started
    process.send_signal(sent)
    ended = finish(process)
    assert ended.code == code
    assert gone(str(temporary))
    if sent != signal.SIGKILL:
        kept = f"interrupted; {out} holds the result, without the comparison with lava"
        assert (ended.out, ended.errors) == ("", [kept])
        assert json.loads((out / "summary.json").read_text())["verify"] is None
        assert {name.partition("/")[0] for name in content(tmp_path)} - {"out"} == set(before)


@pytest.mark.lava
def test_a_lava_that_does_not_end_is_stopped(tmp_path: Path, temporary: Path, model: Path, samples: Path) -> None:
    arguments = ("--input", samples, "--verify", "lava", "--set", "run.lava_timeout=0.5", "-o", tmp_path / "out")
    out = tmp_path / "out"
    kept = f"{out} holds the result, without the comparison with lava"
    refused(bim_compile(model, *arguments), 4, "ran past its time limit of 0.5 s", "run.lava_timeout", kept)
    assert gone(str(temporary))
    assert json.loads((out / "summary.json").read_text())["verify"] is None
    assert [entry.name for entry in tmp_path.iterdir() if entry != temporary] == ["out"]


@pytest.mark.lava
def test_a_lava_model_that_raises_is_loud(temporary: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without the wall Lava would wait for ever. The relay's multiplier is one too short for its neurons."""
    _, graph = small_graphs()
    relay = graph.nodes["block1.u"]
    assert isinstance(relay, IntegerRelay)
    fault = replace(graph, nodes={**graph.nodes, "block1.u": replace(relay, multiplier=relay.multiplier[1:])})
    x = graph.encoder.encode(small_input(1, 3))
    with pytest.raises(SystemExit) as end:
        guarded(lambda: run_lava(fault, x) and None, debug=False)
    shown = capsys.readouterr()
    words = "a Lava process model raised: ValueError: operands could not be broadcast"
    refused(Ended(int(end.value.code or 0), *shown), BackendFailed.exit_code, words)
    assert gone(str(temporary))
    assert content(temporary) == {}


@pytest.mark.parametrize("option", ["--verify", "--backend"])
def test_without_lava_the_answer_is_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, samples: Path, option: str
) -> None:
    def absent(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(compat, "version", absent)
    monkeypatch.setattr("bim_neuro.jobs.built.compile_model", lambda *args, **options: pytest.fail("it worked on"))
    refused(
        bim_compile(model, "--input", samples, option, "lava", "-o", tmp_path / "out"),
        2,
        "not installed",
        "pip install",
    )
    assert list(tmp_path.iterdir()) == []


def test_strict_needs_a_backend_that_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    monkeypatch.setattr("bim_neuro.jobs.simulate.check_installed", lambda: None)
    refused(
        bim_compile(model, "--strict", "--backend", "lava", "-o", tmp_path / "out"),
        2,
        "--strict",
        "--backend reference",
    )


def test_a_defect_of_ours_is_called_one(monkeypatch: pytest.MonkeyPatch, model: Path) -> None:
    def broken(*args: object, **options: object) -> None:
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr("bim_neuro.jobs.built.compile_model", broken)
    refused(bim_compile(model, "--check"), 4, "internal error: ZeroDivisionError: one two", "--debug")
    with pytest.raises(ZeroDivisionError):
        bim_compile(model, "--check", "--debug")

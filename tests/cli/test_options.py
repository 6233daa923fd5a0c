"""No option is ignored: each says where it has an effect, and is refused, with the mend, where it has none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from commands import Ended, bim_compile, bim_train, content, save_input, save_model

from bim_neuro import choices
from bim_neuro.cli import (
    best_command,
    compile_command,
    fit_command,
    options,
    report_command,
    runs_command,
    shared,
    sweep_command,
    sweep_options,
    train_command,
    train_options,
)
from bim_neuro.estimates.optimise import OBJECTIVES
from bim_neuro.jobs.settings import COMPILE, SWEEP, TRAIN, defaults
from bim_neuro.nodes.switches import SWITCHES
from bim_neuro.plasticity.request import RULES

COMMANDS: dict[str, tuple[typer.Typer, Mapping[str, Any]]] = {
    "compile": (compile_command.compile_app, options.COMPILE),
    "train": (train_command.train_app, train_options.OPTIONS),
    "report": (report_command.report_app, options.REPORT),
    "compare": (report_command.compare_app, options.COMPARE),
    "fit": (fit_command.fit_app, options.FIT),
    "best": (best_command.best_app, options.BEST),
    "runs": (runs_command.runs_app, options.RUNS),
    "sweep": (sweep_command.sweep_app, sweep_options.OPTIONS),
}
VALUES = {
    "target": "loihi1", "dt": 0.001, "dialect": "norse",
    "input": "x.npz", "data": "data", "samples": 32, "split": "test", "layout": "BTC",
    "encoder": "graded", "input.time_unit": "us", "input.bins": "any", "input.node": "input",
    "steps": 3, "backend": "engine",
    "quantise.weight_bits": 16, "lowering": "stock",
    "prune.share": 0.5, "run.executor": "processes:1",
    "lowering.segments": 8, "lowering.decay_bits": 10, "nir.for": "norse", "netx.write": "yes",
    "s4d.activation": "none",
    "verify": "reference", "learn": "rtrl", "learn.test": "test.npz", "learn.samples": 2000, "learn.placement": "auto",
    "learn.bits": 12, "learn.rate": 0.1, "learn.rounding": "nearest", "learn.synapses": "w_o", "learn.prune": 0.5,
    "learn.replay": 5, "learn.seed": 0, "listed": "targets",
    "min_agreement": 0.5, "max_energy": 1, "max_latency": 1, "max_cores": 9, "optimise": "cores",
    "output": "out", "run.lava_timeout": 9, "run.max_memory": "2G",
    "expect": "io.npz", "run.float_bits": 32, "expect.voltages": "before",
    "expect.currents": "added", "board.kit": "no",
    "boundary": "chip", "sample_rate": 9, "power.boundary": "chip", "power.sample_rate": 9,
    **{f"dialect.{name}": switch.default for name, switch in SWITCHES.items()},
    "dialect.layers": "LIF.reset=zero",
}  # fmt: skip
"""One value of each option of bim-compile that takes one; many are the defaults."""
FLAGS = ("strict", "check", "self_test")
ALWAYS = {"config", "settings", "json_output", "debug", "version"}
MODES: dict[str, set[str]] = {
    "--check": {
        "model",
        "target",
        "input",
        "expect",
        "strict",
        "check",
        "learn",
        "max_cores",
        "optimise",
        "run.max_memory",
        "quantise.weight_bits",
        "lowering",
        "prune.share",
        "nir.for",
        "netx.write",
    },
    "--self-test": {"model", "self_test", "run.max_memory"},
    "--list": {"listed"},
}
"""What has an effect in each mode without any other option."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


def typed(name: str) -> tuple[str, ...]:
    """Return the option as a user types it."""
    if name == "model":
        return ("model.pt",)
    if "." in name:
        return ("--set", f"{name}={VALUES[name]}")
    option = "--list" if name == "listed" else "--" + name.replace("_", "-")
    return (option,) if name in FLAGS else (option, str(VALUES[name]))


def refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    assert "hint: " in ended.err
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_says_where_it_has_an_effect(command: str) -> None:
    app, conditions = COMMANDS[command]
    names = [str(parameter.name) for parameter in typer.main.get_command(app).params]
    names += [setting.name for setting in {"compile": COMPILE, "train": TRAIN, "sweep": SWEEP}.get(command, ())]
    assert sorted(conditions) == sorted(names)


@pytest.mark.parametrize(("conditions", "table"), [(options.COMPILE, COMPILE), (train_options.OPTIONS, TRAIN)])
def test_a_condition_reads_settings_that_nobody_gave(conditions: Mapping[str, Any], table: Any) -> None:
    """Each as its default: none is missing."""
    app = train_command.train_app if table == TRAIN else compile_command.compile_app
    given = {str(parameter.name): parameter.default for parameter in typer.main.get_command(app).params}
    values = {**defaults(table), **given, "rule": "rtrl", "model": None}
    lacks = {name: [condition(values) for condition in conditions[name]] for name in conditions}
    assert set(lacks) == set(conditions)


def test_the_values_above_are_of_every_option() -> None:
    assert {"model", *VALUES, *FLAGS, *ALWAYS} == set(options.COMPILE)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted({"model", *VALUES, *FLAGS}))
def test_an_option_without_effect_in_a_mode_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, name: str
) -> None:
    """Also where what was typed is the default. The model is damaged: what has an effect is refused for that."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.pt").write_bytes(b"PK")
    given = () if "model" not in MODES[mode] or name == "model" else ("model.pt",)
    asked = ("--list", "settings") if mode == "--list" else (mode,)
    ended = bim_compile(*given, *asked, *(() if mode in typed(name) else typed(name)))
    option = "MODEL" if name == "model" else name if "." in name else typed(name)[0]
    overshadows = name in ("self_test", "listed") and name not in MODES[mode]
    if name in MODES[mode]:
        assert "no effect" not in ended.err
    elif overshadows and f"{mode} has no effect" in ended.err:
        refused(ended, f"with {option}")
    else:
        refused(ended, f"{option} has no effect")
    assert content(tmp_path) == {"model.pt": b"PK"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--dt", 0.001), ("--dt has no effect with a model.pt", "leave --dt out")),
        (("--dialect", "nir"), ("--dialect has no effect with a model.pt, which brings its own dialect",)),
        (("--set", "dialect.reset=zero"), ("dialect.reset has no effect with a model.pt",)),
        (("--set", "run.lava_timeout=9"), ("run.lava_timeout has no effect without the lava backend", "--verify lava")),
        (("--data", "folder", "--input", "x.npz"), ("--data has no effect with --input",)),
        (("--target", "lava_cpu", "--optimise", "cores"), ("--optimise has no effect on a simulation", "--target")),
        (("--target", "lava_cpu", "--check", "--max-cores", 9), ("--max-cores has no effect on a simulation",)),
        (("--verify", "engine"), ("--verify has no effect with the backend that already runs",)),
        (("--set", "learn.samples=2000"), ("learn.samples has no effect without --learn", "--learn rtrl")),
        (("--set", "learn.prune=0"), ("learn.prune has no effect without --learn",)),
        (("--learn", "rtrl", "--set", "learn.placement=tags", "--set", "learn.bits=12"), ("learn.bits has no",)),
        (("--learn", "three-factor", "--set", "learn.synapses=w_o"), ("learn.synapses has no effect",)),
        (("--boundary", "chip", "--set", "power.boundary=chip"), ("power.boundary has no effect beside --boundary",)),
        (("--sample-rate", 5, "--set", "power.sample_rate=5"), ("power.sample_rate has no effect beside",)),
        (("--target", "lava_cpu", "--boundary", "chip"), ("--boundary has no effect on a simulation",)),
        (("--target", "spinnaker2", "--sample-rate", 5), ("--sample-rate has no effect on a target without a pub",)),
        (("--check", "--steps", 2), ("--steps has no effect with --check where there is no --input",)),
        (("--check", "--samples", 2, "--verify", "lava"), ("--samples has no effect", "; --verify has no effect")),
    ],
)
def test_an_option_without_effect_beside_others_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(bim_compile(model, *arguments), *words)
    assert content(tmp_path) == {}


def test_options_with_an_effect_pass(tmp_path: Path, model: Path) -> None:
    samples = save_input(tmp_path / "x.npz", y=np.arange(6) % 4)
    told = ("--input", samples, "--samples", 2, "--steps", 3, "--verify", "reference", "--backend", "engine")
    ended = bim_compile(model, *told, "--max-cores", 9, "--strict", "-o", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--set", "train.lambda=0.9"), ("train.lambda has no effect without --rule hybrid", "add --rule hybrid")),
        (("--rule", "rtrl", "--set", "train.lambda=0.9"), ("train.lambda has no effect without --rule hybrid",)),
        (
            ("--set", "train.credit=spatial"),
            ("train.credit has no effect with this rule, which keeps no forward traces",),
        ),
        (("--rule", "stdp", "--set", "train.credit=local", "--blocks", 2), ("train.credit has no effect",)),
        (("--rule", "rtrl", "--set", "train.credit=local"), ("train.credit has no effect with one", "add --blocks 2")),
        (
            ("--rule", "rtrl", "--set", "train.credit=local", "--set", "train.segment=8", "--blocks", 2),
            ("train.segment has no effect without segments", "add --rule tbptt"),
        ),
        (("--set", "train.rate_target=0.1"), ("train.rate_target has no effect without a penalty", "rate_penalty=0.1")),
    ],
)
def test_an_option_of_training_without_effect_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(bim_train("cue", *arguments), *words)
    assert content(tmp_path) == {}


@pytest.mark.parametrize("run", [bim_train, bim_compile])
def test_what_is_refused_costs_no_time(monkeypatch: pytest.MonkeyPatch, run: Callable[..., Ended]) -> None:
    """The data of a task are not read, and no model, before the options are looked at."""
    monkeypatch.setattr("bim_neuro.jobs.sequences.load_task", lambda *_: pytest.fail("read"))
    monkeypatch.setattr("bim_neuro.jobs.built.compile_model", lambda *_, **__: pytest.fail("compiled"))
    assert run("cue", *(("--set", "train.lambda=0.5") if run is bim_train else ("--set", "learn.rate=0.5"))).code == 2


def test_what_may_be_chosen_is_what_the_rooms_know() -> None:
    assert tuple(OBJECTIVES) == choices.OBJECTIVES
    assert [rule.value for rule in shared.Learn] == ["none", *RULES, "described"]


def test_help_shows_the_options_in_panels() -> None:
    shown = bim_compile("--help").out
    places = [
        shown.find(f"─ {panel} ─")
        for panel in ("Model", "Input", "Simulation", "Learning", "Limits", "Power", "Output")
    ]
    assert -1 not in places
    assert shown.rfind("--learn ") > shown.find("─ Learning ─") > shown.rfind("--verify ")

"""The fine print: settings by --set, requests from a file by --config, and a request that runs again."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from commands import ROOT, Ended, bim_compile, bim_train, save_input, save_model

from bim_neuro.choices import DIALECTS
from bim_neuro.cli import compile_command, train_command
from bim_neuro.jobs.request import Request
from bim_neuro.jobs.settings import COMPILE, SWEEP, TRAIN, Setting
from bim_neuro.plasticity.request import GROUPS, Plasticity
from bim_neuro.training.rules import Learning

_MOST = {"compile": 32, "train": 24}
"""How many options --help may show; what is rarer than these is a setting."""


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_model(tmp_path / "small.pt")


@pytest.fixture
def samples(tmp_path: Path) -> Path:
    return save_input(tmp_path / "x.npz", y=np.arange(6) % 4)


def written(file: Path, text: str) -> Path:
    file.write_text(text)
    return file


def refused(ended: Ended, *words: str) -> None:
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    for word in words:
        assert word in ended.err


@pytest.mark.parametrize(
    ("command", "app"), [("compile", compile_command.compile_app), ("train", train_command.train_app)]
)
def test_help_stays_short(command: str, app: typer.Typer) -> None:
    parameters = typer.main.get_command(app).params
    options = [
        option for option in parameters if option.param_type_name == "option" and not getattr(option, "hidden", 0)
    ]
    assert len(options) + 1 <= _MOST[command]  # and --help


@pytest.mark.parametrize(
    ("app", "table"),
    [(compile_command.compile_app, COMPILE), (train_command.train_app, TRAIN)],
    ids=["compile", "train"],
)
def test_the_setting_that_help_gives_as_an_example_is_one_of_the_command(
    app: typer.Typer, table: tuple[Setting, ...]
) -> None:
    [option] = [parameter for parameter in typer.main.get_command(app).params if "--set" in parameter.opts]
    example = re.search(r"for example ([\w.]+)=", option.help)  # type: ignore[attr-defined]
    assert example
    assert example[1] in {setting.name for setting in table}


def test_the_list_shows_every_setting_with_its_range_and_default(tmp_path: Path) -> None:
    rows = json.loads(bim_compile("--list", "settings", "--json").out)
    assert [row["name"] for row in rows] == [setting.name for setting in COMPILE]
    assert next(row for row in rows if row["name"] == "learn.bits") == {
        "name": "learn.bits", "type": "int", "unit": "bits", "default": 12, "range": "a whole number from 2 to 24",
        "low": 2, "high": 24, "choices": [], "sentence": "Width of a trace, sign included.",
    }  # fmt: skip
    table = " ".join(bim_compile("--list", "settings").out.split())
    assert "learn.bits (bits): Width of a trace, sign included. a whole number from 2 to 24; default: 12" in table
    assert "train.credit: " in bim_train("--list", "settings").out
    assert bim_train("--list", "settings", "--json", tmp_path / "s.json").code == 0
    assert json.loads((tmp_path / "s.json").read_text()) == [setting.row() for setting in TRAIN]
    refused(
        bim_compile("--list", "node"),
        "--list knows no 'node'",
        "write one of settings, targets, nodes, dialects; known targets:",
    )
    refused(bim_train("--list", "nodes"), "--list knows no 'nodes'", "--list settings")


def test_the_page_on_settings_is_what_its_command_writes() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "settings_page.py"))
    assert script["text"]() == (ROOT / "docs" / "settings.md").read_text(), "run python scripts/settings_page.py"


def test_the_page_on_settings_has_a_row_for_each_of_every_command_and_none_besides() -> None:
    named = re.findall(r"^\| `([\w.]+)` \|", (ROOT / "docs" / "settings.md").read_text(), re.M)
    assert named == [setting.name for setting in (*COMPILE, *TRAIN, *SWEEP)]


def test_defaults_are_those_of_what_they_set() -> None:
    learn = {setting.name: setting.default for setting in COMPILE}
    train = {setting.name: setting.default for setting in TRAIN}
    plasticity, learning = Plasticity(), Learning()
    assert (learn["learn.samples"], learn["learn.placement"]) == (Request.learn_samples, plasticity.placement)
    assert (learn["learn.rounding"], learn["learn.synapses"]) == (plasticity.rounding, ",".join(GROUPS))
    assert (learn["learn.rate"], learn["learn.seed"]) == (plasticity.rate, plasticity.seed)
    assert train["train.lambda"] == learning.mix
    assert (train["train.credit"], train["train.online"]) == (learning.credit, learning.online)


@pytest.mark.parametrize(
    ("pair", "words"),
    [
        ("learn.rat=0.1", ("there is no setting 'learn.rat'", "did you mean learn.rate?")),
        ("speed=1", ("there is no setting 'speed'", "--list settings")),
        ("learn.rate", ("--set learn.rate gives no value",)),
        ("learn.rate=fast", ("learn.rate is fast, allowed: a number from 0 to 1e+06; default: 0.05",)),
        ("learn.rate=inf", ("learn.rate is inf, allowed",)),
        ("learn.rate=nan", ("learn.rate is nan, allowed",)),
        ("learn.bits=25", ("learn.bits is 25, allowed: a whole number from 2 to 24; default: 12",)),
        ("learn.bits=9.5", ("learn.bits is 9.5, allowed: a whole number",)),
        ("learn.placement=engine", ("allowed: one of auto, tags, neurons, host; default: auto",)),
        ("learn.samples=0", ("learn.samples is 0, allowed: a whole number from 1; default: 2000",)),
        ("train.taps=2", ("there is no setting 'train.taps'",)),
        (f"learn.bits={'9' * 400}", ("learn.bits is 999", "allowed: a whole number from 2 to 24")),
        ("run.lava_timeout=0", ("run.lava_timeout is 0, allowed: a number from 0.001",)),
    ],
)
def test_a_wrong_setting_is_refused(model: Path, pair: str, words: tuple[str, ...]) -> None:
    refused(bim_compile(model, "--learn", "rtrl", "--set", pair), *words)


@pytest.mark.parametrize("given", [True, [1], None, 1.5])
def test_a_file_gives_each_setting_in_its_own_kind(given: Any) -> None:
    from bim_neuro.errors import InputError

    with pytest.raises(InputError, match=r"x\.y is .*, allowed: a whole number; default: 1"):
        Setting("x.y", int, 1, "A number.").read(given)


def test_a_file_gives_options_and_settings_and_what_is_typed_wins(tmp_path: Path, model: Path, samples: Path) -> None:
    file = written(
        tmp_path / "run.toml",
        f'[run]\ninput = "{samples}"\nsteps = 5\nlearn = "rtrl"\nstrict = false\n[learn]\nsamples = 7\nrate = 0.25\n',
    )
    common = (model, "--config", file, "-o", tmp_path / "out", "--json")
    asked = json.loads(bim_compile(*common).out)
    assert (asked["steps"], asked["learning"]["samples"], asked["learning"]["plasticity"]["rate"]) == (5, 7, 0.25)
    typed = json.loads(bim_compile(*common, "--steps", 4, "--set", "learn.rate=0.5").out)
    assert (typed["steps"], typed["learning"]["samples"], typed["learning"]["plasticity"]["rate"]) == (4, 7, 0.5)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[run]\nstep = 3\n", ("run.step is not an option", "did you mean steps?")),
        ("[run]\nsteps = true\n", ("run.steps is True, a whole number is needed",)),
        ("[run]\nstrict = 1\n", ("run.strict is 1, true or false is needed",)),
        ("[run]\nsteps = [1]\n", ("run.steps is [1], a whole number is needed",)),
        ("run = 3\n", ("run is 3, a section is needed",)),
        ("rate = 3\n", ("'rate' is in no section",)),
        ("[learn]\nrat = 3\n", ("there is no setting 'learn.rat'", "did you mean learn.rate?")),
        ("[learn]\nbits = 99\n", ("learn.bits is 99, allowed",)),
        ("[learn]\nbits = 9\n", ("learn.bits has no effect without --learn",)),
        ("[run\n", ("is not TOML",)),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, model: Path, text: str, words: tuple[str, ...]) -> None:
    refused(bim_compile(model, "--config", written(tmp_path / "run.toml", text)), *words)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path, model: Path) -> None:
    assert bim_compile(model, "--config", tmp_path / "none.toml").code == 2


def test_a_request_lies_beside_its_result_and_runs_again(
    tmp_path: Path, model: Path, samples: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ("--input", "x.npz", "--samples", 4, "--learn", "rtrl", "--set", "learn.samples=9", "--strict")
    first = json.loads(bim_compile("small.pt", *options, "--set", "learn.test=x.npz", "-o", "out", "--json").out)
    request, bimn = (tmp_path / "out" / name for name in ("request.toml", "model.bimn"))
    text, artefact = request.read_text(), bimn.read_bytes()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    again = json.loads(bim_compile("--config", request, "--json").out)
    files = {"model": "small.pt", "input": "x.npz", "learn test": "x.npz"}
    files = {name: str(tmp_path / file) for name, file in files.items()}
    assert again["request"]["options"] == first["request"]["options"] | files
    for key in ("plasticity", "samples", "accuracy_after", "updates"):
        assert again["learning"][key] == first["learning"][key]
    assert again["layers"] == first["layers"]
    assert (request.read_text(), bimn.read_bytes()) == (text, artefact)


def test_a_request_can_be_checked(tmp_path: Path, model: Path, samples: Path) -> None:
    """A file may say more than a check needs; what is typed in vain is refused."""
    assert bim_compile(model, "--input", samples, "--steps", 4, "-o", tmp_path / "out").code == 0
    request = tmp_path / "out" / "request.toml"
    assert bim_compile("--config", request, "--check").code == 0
    refused(bim_compile("--config", request, "--check", "-o", "o"), "--output has no effect with --check")


def test_a_training_takes_its_options_and_settings_from_a_file(tmp_path: Path) -> None:
    file = written(
        tmp_path / "run.toml",
        '[run]\ntask = "copy"\nepochs = 1\nchannels = 3\nstates = 1\nbatch = 64\n[train]\ntaps = 1\n',
    )
    ended = bim_train("--config", file, "-o", tmp_path / "copy.pt", "--json", tmp_path / "r.json")
    assert ended.code == 0, ended.err
    assert "epoch 1 of 1" in ended.err
    refused(bim_train("--set", "train.taps=2"), "TASK is missing")
    refused(bim_train("copy", "--set", "train.tap=2"), "did you mean train.taps?")


def test_nodes_and_dialects_are_listed_in_words_and_as_json() -> None:
    nodes = {row["type"]: row for row in json.loads(bim_compile("--list", "nodes", "--json").out)}
    assert (nodes["LIF"]["fields"], nodes["LIF"]["optional"]["r"]) == (["tau", "v_threshold"], 1.0)
    assert "LIF: neuron LIF, IntegerLIF; on Lava: LIFReset" in bim_compile("--list", "nodes").out
    dialects = {row["name"]: row for row in json.loads(bim_compile("--list", "dialects", "--json").out)}
    assert tuple(dialects) == DIALECTS
    assert dialects["snntorch"]["options"][0]["switches"] == {"reset": "zero"}
    told = " ".join(bim_compile("--list", "dialects").out.split())
    assert "snntorch (1.0.0): reset=subtract, reset_when=delayed" in told
    assert "https://github.com/norse/norse/issues/411" in told

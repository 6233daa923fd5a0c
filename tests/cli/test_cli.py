"""The command line and the Python interface, from outside: what a user types, and what lies there afterwards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from commands import ROOT, bim_compile, bim_report, bim_sweep, bim_train, content, finish, save_input, save_model, start
from small_models import small_checkpoint, small_input

import bim_neuro
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.model.export import export
from bim_neuro.simulation.compiled import load_kernels

SCHEMA = json.loads((ROOT / "docs" / "summary.schema.json").read_text())
FILES = {
    ".bim-compile.json",
    *("board", "compile.log", "mapping.json", "model.bimn", "model.nir", "request.toml"),
    *("per-layer.csv", "report.html", "series.json", "summary.csv", "summary.json", "summary.txt"),
}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.fixture(scope="module")
def samples(model: Path) -> Path:
    """Six samples with labels."""
    return save_input(model.with_name("xy.npz"), y=np.arange(6) % 4)


@pytest.fixture(scope="module")
def large(model: Path) -> Path:
    """A model whose readout is too wide for a core of Loihi 2."""
    return save_model(model.with_name("large.pt"), small_checkpoint(channels=20_000, states=1, taps=1))


@pytest.fixture(scope="module")
def done(model: Path, samples: Path) -> Path:
    """The folder of a finished compile, on kernels that are ready: else the numpy law plays so short a run."""
    load_kernels()
    folder = model.with_name("done")
    assert bim_compile(model, "--input", samples, "-o", folder).code == 0
    return folder


def summary(folder: Path) -> dict[str, Any]:
    loaded = json.loads((folder / "summary.json").read_text(), parse_constant=lambda name: pytest.fail(name))
    jsonschema.validate(loaded, SCHEMA, cls=jsonschema.Draft202012Validator)
    return dict(loaded)


def test_the_schema_is_one_and_describes_every_key() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    bare = [name for name, key in SCHEMA["properties"].items() if not {"description", "$ref"} & key.keys()]
    assert bare == []


def test_a_compile_shows_the_table_and_the_path_of_the_report(tmp_path: Path, model: Path, samples: Path) -> None:
    ended = bim_compile(model, "--input", samples, "-o", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "block1.scan",
        "readout",
        "cores",
        "energy a sample",
        "accuracy: float",
    ):
        assert words in ended.out
    assert [line.split()[0] for line in ended.out.splitlines()[1:4]] == ["fits", "energy", "accuracy"]
    assert ended.out.splitlines()[-1] == f"report: {tmp_path / 'out' / 'report.html'}"
    assert {file.name for file in (tmp_path / "out").iterdir()} == FILES
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_the_summary_counts_what_was_run(done: Path) -> None:
    found = summary(done)
    assert (found["samples"], found["steps"], found["target"], found["backend"]) == (6, 8, "loihi2", "engine")
    intervals = {"samples", "float_interval", "integer_interval", "confusion"}
    assert found["accuracy"].keys() == {"float", "integer", "majority", "majority_class", "metrics"} | intervals
    assert found["verify"] is None
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert layers["block1.u"]["updates"] == 6 * 8 * layers["block1.u"]["neurons"]
    assert layers["block1.scan"]["cores"] == layers["block1.lif"]["cores"] == 1


def test_without_labels_there_is_no_accuracy(tmp_path: Path, model: Path) -> None:
    assert bim_compile(model, "--input", save_input(tmp_path / "x.npz"), "-o", tmp_path / "out").code == 0
    assert summary(tmp_path / "out")["accuracy"] is None


def test_a_simulation_has_no_cores_and_no_prices(tmp_path: Path, model: Path, samples: Path) -> None:
    arguments = (model, "--input", samples, "--target", "lava_cpu", "--verify", "reference", "-o", tmp_path / "out")
    assert bim_compile(*arguments).code == 0
    found = summary(tmp_path / "out")
    assert found["cores"] == {"used": 0, "limit": None}
    assert found["energy"]["dynamic"] == {"low": None, "value": None, "high": None}
    assert found["verify"]["equal"] == found["verify"]["spike_slots"] > 0


@pytest.mark.lava
def test_verification_by_lava_is_part_of_the_summary(tmp_path: Path, model: Path, samples: Path) -> None:
    arguments = (model, "--input", samples, "--samples", 2, "--verify", "lava", "-o", tmp_path / "out")
    ended = bim_compile(*arguments)
    assert (ended.code, ended.err) == (0, "")
    check = summary(tmp_path / "out")["verify"]
    assert (check["backend"], check["samples"]) == ("lava", 2)
    assert check["equal"] == check["spike_slots"] > 0
    assert check["states_equal"] == check["states"] > 0


def test_json_on_standard_output_is_json_and_nothing_else(tmp_path: Path, model: Path, samples: Path) -> None:
    ended = bim_compile(model, "--input", samples, "--json", "-o", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out) == summary(tmp_path / "out")


def test_a_process_of_its_own_prints_the_same(tmp_path: Path, model: Path, samples: Path) -> None:
    ended = finish(start("compile", model, "--input", samples, "--json", "-o", tmp_path / "out"))
    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["command"] == f"bim-compile {model} --input {samples} --json -o {tmp_path / 'out'}"


@pytest.mark.parametrize("labelled", [True, False])
def test_check_answers_whether_it_fits_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path, labelled: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    ended = bim_compile(model, "--check", *(["--json"] if labelled else []))
    assert (ended.code, ended.err) == (0, "")
    if labelled:
        found = json.loads(ended.out)
        assert (found["fits"], found["findings"], found["cores"]) == (True, [], {"used": 1, "limit": 120})
    else:
        assert "fits loihi2: 1 of 120 cores" in ended.out
    assert list(tmp_path.iterdir()) == []


def test_check_lists_every_finding(large: Path) -> None:
    ended = bim_compile(large, "--check", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["fits"]) == (1, False)
    resources = [finding["message"].split("core of")[0] for finding in found["findings"]]
    assert len(set(resources)) == len(resources) >= 2
    for finding in found["findings"]:
        assert finding.keys() == {"rule", "layer", "message", "used", "limit", "hint", "severity"}
        assert finding["used"] > finding["limit"]
    shown = bim_compile(large, "--check")
    assert shown.code == 1
    for finding in found["findings"]:
        assert finding["message"] in shown.out


def test_self_test_runs_the_artefact(done: Path) -> None:
    ended = bim_compile(done / "model.bimn", "--self-test")
    assert (ended.code, ended.err) == (0, "")
    assert "self-test passed" in ended.out
    found = json.loads(bim_compile(done / "model.bimn", "--self-test", "--json").out)
    assert found["equal"] == found["messages"] > 0


def test_strict_makes_saturation_an_error(tmp_path: Path, model: Path) -> None:
    """Words saturate because the model was calibrated on projections a tenth as large."""
    mild = small_checkpoint()
    ranges = {key: value / 10 if key == "block1.u.message" else value for key, value in mild.ranges.items()}
    narrow = save_model(tmp_path / "narrow.pt", replace(mild, ranges=ranges))
    arguments = ("--input", save_input(tmp_path / "x.npz"), "-o", tmp_path / "out")
    lenient, strict = bim_compile(narrow, *arguments), bim_compile(narrow, *arguments, "--strict")
    assert (lenient.code, lenient.err) == (0, "")
    assert strict.code == 3
    assert "strict: layer 'block1" in strict.err
    assert bim_compile(model, *arguments, "--strict").code == 0
    assert "warning: " not in (tmp_path / "out" / "compile.log").read_text()


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--min-agreement", 0), 0, ""),
        (("--min-agreement", 1), 3, "layer 'block1.lif' equals float in"),
        (("--max-energy", 1000), 0, ""),
        (("--max-energy", 0.001), 3, "uJ a sample, dynamic and static, wanted at most 0.001; try --optimise energy"),
        (("--max-energy", 1000, "--target", "lava_cpu"), 3, "lava_cpu has no energy prices"),
        (("--max-latency", 1000), 0, ""),
        (("--max-latency", 0.001), 3, "ms until a sample is answered, wanted at most 0.001; try --optimise latency"),
        (("--max-latency", 1000, "--target", "lava_cpu"), 3, "lava_cpu has no published times"),
        (("--max-cores", 120), 0, ""),
    ],
)
def test_thresholds(tmp_path: Path, options: tuple[object, ...], code: int, words: str) -> None:
    """Weights of little resolution: one large one in each row leaves few steps to the others."""
    model = small_checkpoint(channels=32, states=8)
    model.state["blocks.0.w_u"][:, 0] = 20.0
    arguments = ("--input", save_input(tmp_path / "x.npz", 32, 12), "-o", tmp_path / "out")
    ended = bim_compile(save_model(tmp_path / "coarse.pt", model), *arguments, *options)
    assert ended.code == code
    assert words in ended.err
    assert len(ended.errors) == (code != 0)
    summary(tmp_path / "out")  # what was found is written, whether or not it was good enough


@pytest.mark.slow
def test_a_placement_is_chosen_for_what_was_asked(tmp_path: Path, model: Path, samples: Path) -> None:
    chip = tmp_path / "quick.toml"
    step = '{ value = 0.1, low = 0.1, high = 0.1, unit = "us", basis = "assumed", source = "no floor to speak of" }'
    chip.write_text(f'extends = "loihi2"\nname = "quick"\ntitle = "Quick"\n[timing]\nstep_us = {step}\n')
    arguments = (model, "--input", samples, "--target", chip)
    assert bim_compile(*arguments, "--optimise", "cores", "-o", tmp_path / "cores").code == 0
    assert bim_compile(*arguments, "--optimise", "latency", "-o", tmp_path / "latency").code == 0
    few, soon = summary(tmp_path / "cores"), summary(tmp_path / "latency")
    assert (few["optimise"], soon["optimise"]) == ("cores", "latency")
    assert soon["cores"]["used"] > few["cores"]["used"] == 1
    assert soon["latency"]["answer_us"]["value"] < few["latency"]["answer_us"]["value"]
    assert soon["energy"]["dynamic"]["value"] > few["energy"]["dynamic"]["value"]
    assert bim_compile(*arguments, "--optimise", "energy", "-o", tmp_path / "energy").code == 0
    cheap = summary(tmp_path / "energy")["energy"]
    for other in (few, soon):
        assert cheap["energy_uj"]["value"] <= 1.01 * other["energy"]["energy_uj"]["value"]
    assert cheap["energy_uj"]["value"] < few["energy"]["energy_uj"]["value"]
    shown = (tmp_path / "energy" / "summary.txt").read_text()
    assert "placement, chosen by --optimise energy: " in shown
    assert f"energy a sample: at least {cheap['energy_uj']['value']:.3g} uJ" in shown
    ended = bim_compile(*arguments, "--optimise", "speed", "-o", tmp_path / "speed")
    assert ended.code == 2
    assert "speed" in ended.err


def test_the_report_says_when_a_sample_is_answered_and_what_it_costs(done: Path) -> None:
    text, found = (done / "summary.txt").read_text(), summary(done)
    for words in ("a sample is answered after", "the longest step: core", "  dynamic: synops", ", static ",
                  "another scope, the same model computed densely", "NeuroBench: footprint"):  # fmt: skip
        assert words in text
    header, row = (done / "summary.csv").read_text().splitlines()
    columns = dict(zip(header.split(","), row.split(","), strict=True))
    assert float(columns["answer_us"]) == found["latency"]["answer_us"]["value"]
    assert float(columns["energy_updates_pj"]) == found["energy"]["events"]["updates"]["value"]
    assert int(columns["dense_macs"]) == found["dense"]["macs"] == sum(found["dense"]["layers"].values())
    assert float(columns["neurobench_Effective_ACs"]) == found["neurobench"]["SynapticOperations"]["Effective_ACs"]
    assert found["energy"]["seconds_per_sample"]["value"] == found["latency"]["sample_us"]["value"] / 1e6


def test_steps_and_samples_cut_the_input(tmp_path: Path, model: Path, samples: Path) -> None:
    bim_compile(model, "--input", samples, "--steps", 3, "--samples", 2, "-o", tmp_path / "out")
    found = summary(tmp_path / "out")
    assert (found["samples"], found["steps"]) == (2, 3)


@pytest.mark.parametrize("command", [bim_compile, bim_train, bim_sweep, bim_report])
def test_version_and_help(command: Any) -> None:
    assert command("--version").out == f"bim-neuro {bim_neuro.__version__}\n"
    shown = command("--help")
    assert shown.code == 0
    assert "--debug" in shown.out


def test_help_teaches_the_exit_codes() -> None:
    words = " ".join(bim_compile("--help").out.split())
    for part in (
        "Exit codes: 0 done",
        "1 does not fit",
        "2 usage",
        "3 a threshold",
        "4 internal error",
        "130 interrupted",
    ):
        assert part in words


def test_a_misspelt_option_is_a_usage_error(model: Path) -> None:
    ended = bim_compile(model, "--tagret", "loihi2")
    assert ended.code == 2
    assert "--tagret" in ended.err


def test_report_reads_a_finished_compile(done: Path) -> None:
    assert "block1.scan" in bim_report(done).out
    assert json.loads(bim_report(done, "--json").out) == summary(done)
    assert bim_report(done.parent / "nothing").code == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"layers": []}', '{"layers": [{}]}', "\x00", "[" * 5000])
def test_a_damaged_summary_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "summary.json").write_text(text)
    for options in ((), ("--json",)):
        ended = bim_report(tmp_path, *options)
        assert (ended.code, bool(ended.out), len(ended.errors)) == (2, bool(options), 1)
        assert "damaged" in ended.err
        assert not options or "damaged" in json.loads(ended.out)["error"]["message"]


def test_a_second_compile_takes_the_place_of_the_first(tmp_path: Path, model: Path, samples: Path) -> None:
    for steps in (3, 4):
        assert bim_compile(model, "--input", samples, "--steps", steps, "-o", tmp_path / "out").code == 0
        assert summary(tmp_path / "out")["steps"] == steps
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path, model: Path, samples: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "out").symlink_to("real")
    for _ in range(2):
        assert bim_compile(model, "--input", samples, "-o", tmp_path / "out").code == 0
    assert (tmp_path / "out").is_symlink()
    assert {file.name for file in (tmp_path / "real").iterdir()} == FILES


@pytest.mark.parametrize("theirs", ["notes.txt", "summary.json.bak", ".git"])
def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path: Path, model: Path, samples: Path, theirs: str) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "summary.json").write_text("{}")
    (out / theirs).write_text("mine")
    before = content(out)
    ended = bim_compile(model, "--input", samples, "-o", out)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert theirs in ended.err
    assert content(out) == before


def test_nir_compiles_to_the_same_layers(tmp_path: Path, done: Path, samples: Path) -> None:
    ended = bim_compile(done / "model.nir", "--input", samples, "-o", tmp_path / "out")
    assert (ended.code, ended.err) == (0, "")
    left, right = summary(done), summary(tmp_path / "out")
    for key in ("layers", "energy", "accuracy", "agreement", "judge", "cores", "latency_steps"):
        assert left[key] == right[key], key


def test_python_compiles_runs_and_saves(tmp_path: Path, model: Path, done: Path) -> None:
    program = bim_neuro.compile(model, target="loihi2")
    raw = small_input(6, 8)
    assert program.run(raw).predicted.shape == (6,)
    spikes = {layer["name"]: layer["spikes"] for layer in summary(done)["layers"]}
    counted = program.run(raw).layers["block1.lif"].totals()["messages"]
    assert spikes["block1.lif"] == counted
    program.save(tmp_path / "mine.bimn", raw[:2])
    assert bim_compile(tmp_path / "mine.bimn", "--self-test").code == 0
    same = bim_neuro.compile(export(load_checkpoint(model)))
    np.testing.assert_array_equal(same.run(raw).output, program.run(raw).output)


@pytest.mark.lava
def test_python_hands_out_connected_lava_processes(model: Path) -> None:
    """Run them up to the last step of the sample, as a user of Lava would, and read a variable."""
    code = """
import sys, numpy as np, bim_neuro
x = np.array(eval(sys.argv[2]))
program = bim_neuro.compile(sys.argv[1])
network = program.to_lava(x)
from lava.magma.core.run_conditions import RunSteps
readout = network.processes["readout"]
readout.run(RunSteps(num_steps=program.graph.latency + x.shape[1]), network.run_config)
print(readout.v.get().tolist())
readout.stop()
"""
    raw = small_input(1, 4).round(3)
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", code, str(model), str(raw.tolist())]
    shown = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=200)
    expected = bim_neuro.compile(model).run(raw, probe=True).probes["readout.v"][0, 3]
    assert json.loads(shown.stdout.splitlines()[-1]) == expected.tolist(), shown.stderr

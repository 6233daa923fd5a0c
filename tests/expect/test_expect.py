"""--expect: the framework's output, or a chip's integers, beside the run of a command."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
from commands import Ended, bim_compile

import bim_neuro
from bim_neuro.errors import InputError

FOLDER = Path(__file__).parent.parent / "frameworks_data" / "snntorch_delayed_zero"
ASKED = (FOLDER / "graph.nir", "--dt", 1e-4, "--layout", "TBC")
RIGHT = ("--dialect", "snntorch", "--set", "dialect.reset=zero")
Change = Callable[[dict[str, np.ndarray]], None]


def save(path: Path, change: Change = lambda arrays: None) -> Path:
    with np.load(FOLDER / "io.npz") as file:
        arrays = {key: value.copy() for key, value in file.items()}
    change(arrays)
    np.savez(path, **arrays)
    return path


def run(tmp_path: Path, *more: object, change: Change = lambda arrays: None) -> tuple[Ended, dict[str, Any]]:
    """Run it; return how it ended, and its summary."""
    file = save(tmp_path / "io.npz", change)
    ended = bim_compile(*ASKED, "--expect", file, *more, "-o", tmp_path / "out")
    summary = tmp_path / "out" / "summary.json"
    return ended, json.loads(summary.read_text()) if summary.exists() else {}


def test_the_right_dialect_differs_in_no_bin_and_says_what_is_too_little_to_prove(tmp_path: Path) -> None:
    ended, summary = run(tmp_path, *RIGHT)
    expect = summary["expect"]
    assert (ended.code, expect["differing"], expect["spikes"], expect["proved"]) == (0, 0, 60, False)
    assert expect["dialects"] == {"snntorch, reset=zero": 0}
    rows = {(row["layer"], row["law"]): row for row in expect["layers"]}
    assert set(rows) == {("1", "float"), ("3", "float"), ("1", "integer"), ("3", "integer")}
    assert rows["1", "float"]["bins"] == 4800
    assert rows["1", "float"]["theirs"] == rows["1", "float"]["ours"] == 649
    assert "nothing is proved: the recorded output has 60 spikes, 100 are needed" in " ".join(ended.out.split())
    assert "expect-silent" in {finding["rule"] for finding in summary["findings"]}


def test_a_wrong_dialect_is_exit_3_with_the_right_one_named(tmp_path: Path) -> None:
    ended, summary = run(tmp_path, "--dialect", "snntorch")
    expect = summary["expect"]
    assert (ended.code, expect["dialect"], expect["differing"]) == (3, "snntorch", 371)
    assert "in 371 bins under dialect 'snntorch'; no bin differs under 'snntorch, reset=zero'" in ended.err
    assert {expect["dialects"][name] for name in expect["consistent"]} == {0}
    assert expect["consistent"][0] == "snntorch, reset=zero"
    assert {row["switch"] for row in expect["undecided"]} == {"reset_when", "compare"}
    assert expect["tried"] == 2304
    assert "the recording does not decide dialect.compare" in ended.out
    again = bim_compile("--config", tmp_path / "out" / "request.toml", "--dialect", "snntorch", "--json",
                        "--set", "dialect.reset=zero", "-o", tmp_path / "again")  # fmt: skip
    assert (again.code, json.loads(again.out)["expect"]["differing"]) == (0, 0)


def flip(key: str, sample: int, step: int, neuron: int) -> Change:
    def change(arrays: dict[str, np.ndarray]) -> None:
        arrays[key][step, sample, neuron] ^= 1

    return change


@pytest.mark.parametrize(("key", "layer"), [("spk__1", "1"), pytest.param("out", "3", marks=pytest.mark.slow)])
def test_one_flipped_bit_is_found_at_its_layer_step_and_neuron(tmp_path: Path, key: str, layer: str) -> None:
    ended, summary = run(tmp_path, *RIGHT, change=flip(key, 1, 37, 4))
    [wrong] = [row for row in summary["expect"]["layers"] if row["law"] == "float" and row["differing"]]
    assert (ended.code, wrong["layer"], wrong["differing"]) == (3, layer, 1)
    assert wrong["first"] == {"sample": 1, "step": 37, "neuron": 4}
    assert "first at sample 1, step 37, neuron 4" in ended.out


def test_a_silent_output_proves_nothing(tmp_path: Path) -> None:
    neurons = nir.LIF(*(np.full(3, value) for value in (0.01, 1.0, 0.0, 1.0)))
    nodes = {"in": nir.Input(np.array([2])), "w": nir.Linear(np.ones((3, 2))), "n": neurons,
             "out": nir.Output(np.array([3]))}  # fmt: skip
    nir.write(tmp_path / "g.nir", nir.NIRGraph(nodes, list(itertools.pairwise(nodes)), type_check=False))
    meta = np.array(json.dumps({"dt": 1e-3, "layout": "BTC"}))
    np.savez(tmp_path / "io.npz", x=np.zeros((2, 9, 2)), out=np.zeros((2, 9, 3)), meta=meta)
    ended = bim_compile(tmp_path / "g.nir", "--expect", tmp_path / "io.npz", "-o", tmp_path / "out")
    expect = json.loads((tmp_path / "out" / "summary.json").read_text())["expect"]
    assert (ended.code, expect["differing"], expect["proved"], expect["tried"]) == (0, 0, False, 0)
    assert "nothing is proved: the recorded output has 0 spikes" in ended.out


def without_out(arrays: dict[str, np.ndarray]) -> None:
    del arrays["out"]


def unknown_layer(arrays: dict[str, np.ndarray]) -> None:
    arrays["spk__11"] = arrays.pop("spk__1")


def short(arrays: dict[str, np.ndarray]) -> None:
    arrays["out"] = arrays["out"][:79]


def narrow(arrays: dict[str, np.ndarray]) -> None:
    arrays["spk__1"] = arrays["spk__1"][..., :19]


def other_state(arrays: dict[str, np.ndarray]) -> None:
    arrays["v__input"] = arrays["x"]


def no_meta(arrays: dict[str, np.ndarray]) -> None:
    arrays["meta"] = np.array("dt: 1e-4")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (without_out, "has no array 'out', it has:"),
        (unknown_layer, "the graph has no layer '11'"),
        (short, "the record of"),
        (narrow, "'1' sends (samples, steps, neurons) (3, 80, 20), the record of"),
        (other_state, "layer 'input' has no voltage"),
        (no_meta, "is no JSON table"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, change: Change, words: str) -> None:
    ended = bim_compile(*ASKED, *RIGHT, "--expect", save(tmp_path / "io.npz", change), "--check")
    assert ended.code == 2
    assert words in ended.err


@pytest.mark.slow
def test_dt_layout_and_input_come_from_the_file(tmp_path: Path) -> None:
    meta = json.dumps({"dt": 1e-4, "layout": "TBC"})
    file = save(tmp_path / "io.npz", lambda arrays: arrays.update(meta=np.array(meta)))
    asked = (FOLDER / "graph.nir", *RIGHT, "--expect", file, "--json", "-o", tmp_path / "out")
    summary = json.loads(bim_compile(*asked).out)
    assert (summary["dt"], summary["sequences"]["layout"], summary["expect"]["differing"]) == (1e-4, "TBC", 0)


def test_states_are_compared_after_or_before_the_reset() -> None:
    with np.load(FOLDER / "io.npz") as io:
        x = io["x"].swapaxes(0, 1).astype(float)
    program = bim_neuro.compile(FOLDER / "graph.nir", dt=1e-4, input=x)
    probes = program.run_float(x).probes
    rows = bim_neuro.against(program, x, {"out": probes["3.message"], "mem__1": probes["1.v"]})
    assert [(row.what, row.layer, row.differ) for row in rows] == [("voltage", "1", 0), ("message", "3", 0)]
    [late] = bim_neuro.against(program, x, {"v__1": probes["1.v"]}, voltages="before")
    assert late.differ == probes["1.message"].sum()  # a voltage that fires is reset to 0
    with pytest.raises(InputError, match="layer 'input' has no voltage"):
        bim_neuro.against(program, x, {"v__input": x})


def test_recorded_integers_name_the_first_bin_that_differs(tmp_path: Path) -> None:
    with np.load(FOLDER / "io.npz") as io:
        x = io["x"].swapaxes(0, 1)
    program = bim_neuro.compile(
        FOLDER / "graph.nir", dt=1e-4, dialect={"name": "snntorch", "reset": "zero"}, input=x.astype(float)
    )
    probes = program.run(x[:1], probe=True).probes
    arrays = {"spk__1": probes["1.message"], "v__1": probes["1.v"], "out": probes["3.message"]}
    meta = np.array(json.dumps({"kind": "integers"}))
    asked = (*ASKED, *RIGHT, "--input", FOLDER / "io.npz", "--json")
    np.savez(tmp_path / "chip.npz", meta=meta, **arrays)
    equal = bim_compile(*asked, "--expect", tmp_path / "chip.npz", "-o", tmp_path / "equal")
    assert (equal.code, json.loads(equal.out)["expect"]["differing"]) == (0, 0)
    arrays["v__1"][0, 20, 3] += 1
    np.savez(tmp_path / "chip.npz", meta=meta, **arrays)
    wrong = bim_compile(*asked, "--expect", tmp_path / "chip.npz", "-o", tmp_path / "wrong")
    [finding] = [each for each in json.loads(wrong.out)["findings"] if each["rule"] == "expect-integers"]
    assert wrong.code == 3
    assert "in 1 bin, first at layer '1' (voltage), sample 0, step 20, neuron 3" in finding["message"]


@pytest.mark.slow
def test_integers_that_netx_recorded_are_those_of_its_file(tmp_path: Path) -> None:
    """lava-dl's own run of a .net: scripts/make_netx_nets.py."""
    netx = FOLDER.parent.parent / "netx_data"
    ended = bim_compile(netx / "delays.net", "--expect", netx / "delays.npz", "--json", "-o", tmp_path / "out")
    expect = json.loads(ended.out)["expect"]
    assert (ended.code, expect["kind"], expect["differing"], expect["proved"]) == (0, "integers", 0, True)
    assert expect["spikes"] == 377

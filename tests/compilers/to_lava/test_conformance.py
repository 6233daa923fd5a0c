"""The vectors of docs/conformance: made again to the byte, replayed by a reader in numpy, and judged by Lava."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ROOT

from bim_neuro.compilers.to_lava import run_lava
from bim_neuro.compilers.to_lava.plasticity.run import learn_on_lava
from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import IntegerLIF
from bim_neuro.pack import unpack
from bim_neuro.plasticity.learning_engine.circuit import Circuit
from bim_neuro.plasticity.learning_engine.grammar import read
from bim_neuro.plasticity.learning_engine.neurons import PlainLIF, PlasticLIF
from bim_neuro.plasticity.learning_engine.rule import LearningRule, Trace
from bim_neuro.plasticity.surrogate import PsiLIF

PACK = ROOT / "docs" / "conformance"
CIRCUITS = ("pairs", "signals")
OTHERS = ("functions", "encoders", *CIRCUITS)
GRAPHS = sorted(path.stem for path in PACK.glob("*.npz") if path.stem not in OTHERS)
READ = ("lif", "lif_limits", "loop")
"""What the reader replays."""


def loaded(name: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    with np.load(PACK / f"{name}.npz") as file:
        held = dict(file)
    return json.loads(str(held.pop("header"))), held


def program(name: str) -> IntegerGraph:
    header, held = loaded(name)
    graph = unpack(header["graph"], held)
    assert isinstance(graph, IntegerGraph)
    return graph


def test_the_pack_is_made_again_to_the_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, ROOT / "scripts" / "make_conformance.py", tmp_path], check=True, timeout=120)
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == sorted(path.name for path in PACK.glob("*.npz"))
    assert [path.name for path in files if path.read_bytes() != (PACK / path.name).read_bytes()] == []
    assert sum(path.stat().st_size for path in files) < 350_000


def replayed(folder: Path, *names: str) -> list[str]:
    """Return what the reader says of files, in a Python that has no bim-neuro on its path."""
    command = [sys.executable, "-S", "-c", SHIELDED, PACK / "replay.py", *(f"{name}.npz" for name in names)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


SHIELDED = f"import sys; sys.path.append({str(Path(np.__file__).parents[1])!r}); sys.argv = sys.argv[1:]; " + (
    "exec(compile(open(sys.argv[0]).read(), sys.argv[0], 'exec'))"
)


def test_a_reader_of_fifty_lines_replays_lif_neurons() -> None:
    assert len((PACK / "replay.py").read_text().splitlines()) <= 50
    assert set(re.findall(r"^(?:import|from) (\w+)", (PACK / "replay.py").read_text(), re.M)) == {
        "json",
        "sys",
        "numpy",
    }
    assert replayed(PACK, *READ) == [
        "lif.npz: 7 arrays are equal", "lif_limits.npz: 4 arrays are equal", "loop.npz: 7 arrays are equal",
    ]  # fmt: skip


def test_a_reader_finds_a_value_that_differs(tmp_path: Path) -> None:
    header, held = loaded("loop")
    held["expected:n2.v"][1, 4, 2] += 1
    np.savez(tmp_path / "loop.npz", header=np.array(json.dumps(header)), **held)
    assert replayed(tmp_path, "loop") == ["loop.npz: differs in n2.v"]


def test_the_functions_are_what_numbers_without_rounding_say() -> None:
    """N1 and N2 by Python's own integers, N4 and N5 by numpy's exponential and logarithm, N6 by the two before."""
    with np.load(PACK / "functions.npz") as file:
        held = {name: values.tolist() for name, values in file.items()}
    most = 2**23 - 1
    assert held["N1.result"] == [max(-most, min(most, word)) for word in held["N1.word"]]
    pairs = zip(held["N2.word"], held["N2.factor"], strict=True)
    assert held["N2.result"] == [int(Fraction(word * factor, 2 ** held["N2.shift"])) for word, factor in pairs]
    exact = 2.0 ** (20 - np.array(held["N4.p"]) / 2**20)
    assert np.abs(held["N4.result"] - exact).max() < 2**4  # of 2^20: 2^-16
    exact = np.minimum(np.logaddexp(0, np.array(held["N5.z"]) / 2**16), 8) * 2**20
    assert np.abs(held["N5.result"] - exact).max() < 2**6
    rows = zip(held["N6.sum"], held["N6.multiplier"], held["N6.bias"], strict=True)
    clipped = [(max(-most, min(most, total)) * factor, bias) for total, factor, bias in rows]
    assert held["N6.result"] == [int(Fraction(word, 2 ** held["N6.shift"])) + bias for word, bias in clipped]


def test_the_encoders_send_what_their_equations_say() -> None:
    with np.load(PACK / "encoders.npz") as file:
        held = {name.removeprefix("N13."): values for name, values in file.items()}
    graded = np.clip(np.rint((held["raw"] - held["graded.offset"]) * held["graded.gain"]), -127, 127)
    assert (held["graded.result"] == graded).all()
    assert (np.abs(graded) == 127).any()
    for channel, gain in enumerate(held["delta.gain"]):
        level, sent = held["raw"][0, 0, channel], []
        for value in held["raw"][0, 1:, channel]:
            event = int(np.clip((value - level) * gain, -1, 1))
            level += event / gain if gain else 0
            sent.append([event > 0, event < 0])
        np.testing.assert_array_equal(held["delta.result"][0, 1:, [channel, channel + 3]].T, sent)


@pytest.mark.parametrize("name", GRAPHS)
def test_every_layer_of_a_vector_says_something(name: str) -> None:
    _, held = loaded(name)
    assert all(held[f"expected:{layer}.message"].any() for layer in program(name).nodes)


def test_the_page_and_the_files_name_the_same_rules() -> None:
    page = (PACK / "README.md").read_text()
    rows = {
        file: row for row in page.splitlines() if row.startswith("| `") for file in re.findall(r"`(\w+)\.npz`", row)
    }
    assert set(rows) == {*GRAPHS, *OTHERS}
    for name in (*GRAPHS, *CIRCUITS):
        assert set(loaded(name)[0]["rules"]) <= set(re.findall(r"N\d+", rows[name]))
    told = {rule for row in rows.values() for rule in re.findall(r"N\d+", row)}
    law = set(re.findall(r"^\| (N\d+) \|", (ROOT / "docs" / "numerics.md").read_text(), re.M))
    assert law - told == {f"N{number}" for number in range(20, 24)}


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_lava_gives_the_vectors(name: str) -> None:
    _, held = loaded(name)
    lava = run_lava(program(name), held["x"].astype(np.int64))
    expected = {key.removeprefix("expected:"): values for key, values in held.items() if key.startswith("expected:")}
    assert expected.keys() == lava.probes.keys()
    assert [key for key, values in expected.items() if not np.array_equal(values, lava.probes[key])] == []


def circuit(name: str) -> Circuit:
    """Return the circuit of a file."""
    header, held = loaded(name)
    said, neuron = header["rule"], header["neuron"]
    traces = tuple((trace, Trace(**fields)) for trace, fields in said["traces"].items())
    rule = LearningRule(
        read(said["dw"]), read(said["dt"]) if said["dt"] else (), traces, said["external"], said["epoch"]
    )
    fields = neuron["lif"] if neuron["type"] == "PlainLIF" else neuron["soma"].pop("lif")
    lif = IntegerLIF(**{**fields, "bias_mant": np.array(fields["bias_mant"])})
    if neuron["type"] == "PlainLIF":
        post: PlainLIF | PlasticLIF = PlainLIF(lif)
    else:
        post = PlasticLIF(PsiLIF(lif, **neuron["soma"]), neuron["signal_shift"], neuron["psi_tau"])
    streams = {key.removeprefix("stream:"): stream for key, stream in held.items() if key.startswith("stream:")}
    return Circuit(held["x"], rule, held["words"].astype(np.int64), post, streams, seed=header["seed"])


@pytest.mark.parametrize("name", CIRCUITS)
def test_weights_of_a_vector_move_without_all_saturating(name: str) -> None:
    weights = loaded(name)[1]["expected:weights"]
    assert np.count_nonzero(weights[-1] != weights[0]) > weights[0].size / 2
    assert np.isin(weights[-1], (-256, 255)).mean() < 0.3


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", CIRCUITS)
def test_lava_gives_the_vectors_of_what_learns(name: str) -> None:
    held, lava = loaded(name)[1], learn_on_lava(circuit(name))
    expected = {key.removeprefix("expected:"): values for key, values in held.items() if key.startswith("expected:")}
    assert expected.keys() == lava.keys()
    assert [key for key, values in expected.items() if not np.array_equal(values, lava[key])] == []

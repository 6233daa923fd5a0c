"""The board kit: a script and its arrays that need Lava alone, and what Lava plays from them."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ROOT, save_model
from lava_graphs import Net, fixed_graph, fixed_input
from random_graphs import random_input, random_stock_graph
from small_models import small_checkpoint, small_graphs, small_input

import bim_neuro
from bim_neuro.compilers.align import align
from bim_neuro.compilers.artefact import Artefact, expected_messages
from bim_neuro.compilers.board import SCRIPT, board_kit
from bim_neuro.compilers.board import kit as kit_module
from bim_neuro.compilers.board.calls import to_call
from bim_neuro.compilers.board.carried import carried
from bim_neuro.errors import DoesNotFit, InputError
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nir_bridge import read_nir
from bim_neuro.nodes import (
    Dense,
    Diagonal,
    Encoder,
    IntegerGraded,
    IntegerReadout,
    IntegerRelay,
    IntegerScan,
    Source,
    arithmetic,
)
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.nodes.node import IntegerNode
from bim_neuro.nodes.synapses import shifted_of
from bim_neuro.simulation import simulate

FRAMEWORKS = Path(__file__).parents[2] / "frameworks_data"
ALLOWED = {"lava", "numpy", "scipy", *sys.stdlib_module_names}


def kit(graph: IntegerGraph, x: Array) -> dict[str, bytes]:
    return board_kit(Artefact(graph, "loihi2", x, expected_messages(graph, x)))


def of_all_kinds() -> IntegerGraph:
    """A convolution, switch neurons with a loop and a delay, a relay, a LIF with a bias, and a readout."""
    net = Net(5, graded=True)
    conv = net.conv(padding=(1, 1, 1, 1))
    a = net.add(net.cuba(conv.post, reset="subtract", counts="many", compare=">="), ("in", conv, 0))
    net.back(a, a, Diagonal(net.weight(conv.post)), 1)
    b = net.add(IntegerRelay(np.full(20, 999), 6, np.arange(20)), (a, net.sparse(20, conv.post), 2))
    c = net.add(net.lif(12, 900, du=2000, bias_mant=np.arange(12), bias_exp=3), (b, net.dense(12, 20), 0))
    net.add(IntegerReadout(60000, np.full(4, 400), 4, np.arange(4)), (c, net.dense(4, 12), 0))
    return net.graph()


def some_input(graph: IntegerGraph, samples: int = 2, steps: int = 6) -> Array:
    shape = (samples, steps, graph.nodes[graph.source].neurons)
    return np.random.default_rng(8).integers(-9, 40, shape)


@cache
def scans() -> dict[str, bytes]:
    """The kit of a network of ours."""
    graph = small_graphs()[1]
    return kit(graph, some_input(graph))


@cache
def switches() -> dict[str, bytes]:
    graph = of_all_kinds()
    return kit(graph, some_input(graph))


@pytest.mark.parametrize("made", [scans, switches])
def test_the_script_imports_python_numpy_and_lava_alone(made: Any) -> None:
    tree = ast.parse(made()[SCRIPT])
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = [getattr(node, "module", None) or alias.name for node in imports for alias in node.names]
    assert {name.split(".")[0] for name in names} - {"__future__"} <= ALLOWED
    assert not any(getattr(node, "level", 0) for node in imports)


@pytest.mark.parametrize("made", [scans, switches])
def test_every_name_that_the_script_uses_is_defined_in_it(made: Any, tmp_path: Path) -> None:
    (tmp_path / SCRIPT).write_bytes(made()[SCRIPT])
    checked = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821,F401,F811", tmp_path / SCRIPT]
    done = subprocess.run(checked, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout


def test_the_script_carries_the_laws_as_the_simulation_has_them() -> None:
    text = scans()[SCRIPT].decode()
    for law in (arithmetic.rescale, arithmetic.softplus, IntegerScan.step, IntegerScan.words, IntegerRelay.step):
        assert inspect.getsource(law) in text
    assert "class Scan(" not in text
    assert "IntegerCuba" not in text


def test_no_two_definitions_that_a_script_may_carry_have_one_name() -> None:
    graphs = [small_graphs()[1], of_all_kinds(), random_stock_graph(1, layers=5, width=9, loud=False, loops=True)]
    roots = {("bim_neuro.compilers.to_lava.parts", name) for name in ("conv", "sparse", "dense", "diagonal", "lif")}
    for graph in graphs:
        roots |= set(kit_module._roots(graph, [to_call(node, name) for name, node in list(graph.nodes.items())[1:]]))
    found = carried(sorted(roots), left=frozenset({"Cuba"}))
    names = [definition.name for definition in found.names]
    imported = [name.split(" as ")[-1] for names in found.imports.values() for name in names]
    assert len(names) > 60
    assert [name for name, times in Counter([*names, *imported]).items() if times > 1 and name] == []


def test_the_script_says_what_a_board_cannot_run() -> None:
    head = switches()[SCRIPT].decode().partition("import ")[0]
    assert "#   'n1': SwitchNeuron, ours. A board cannot run it" in head
    assert "#   'n2': RelayProcess, ours. A board cannot run it" in head
    assert "#   'n3': LIFReset, Lava's own; whether its extension for Loihi holds it is not published" in head
    assert "#   synapses: Dense, Lava's own, and its use on Loihi 2 is published" in head
    assert "block1.lif': LIF, Lava's own, and its use on Loihi 2 is published" in scans()[SCRIPT].decode()


def test_the_same_program_makes_the_same_bytes() -> None:
    graph = of_all_kinds()
    assert kit(graph, some_input(graph)) == switches()
    other = replace(graph, nodes={**graph.nodes, "n3": replace(graph.nodes["n3"], v_threshold=901)})  # type: ignore[type-var]
    assert kit(other, some_input(graph))[SCRIPT] != switches()[SCRIPT]


def test_synapses_without_a_weight_are_not_joined() -> None:
    nothing = shifted_of(np.zeros(6, int), np.zeros(6, int), (np.arange(6), np.arange(6)), (6, 6))
    nodes: dict[str, IntegerNode] = {"in": Source(6), "n1": IntegerGraded(6)}
    edges = (Edge("in", "n1", "a", nothing), Edge("in", "n1", "a", Dense(np.eye(6, dtype=np.int8))))
    graph = align(IntegerGraph(nodes, edges, 1e-3, Encoder("graded", np.ones(6), np.zeros(6))))
    program = kit(graph, some_input(graph))[SCRIPT].decode().partition("# The program")[2]
    assert program.count("join(") == 1
    assert "inside one neuron" not in program


def test_a_kit_is_written_into_a_new_folder_alone(tmp_path: Path) -> None:
    graph = of_all_kinds()
    artefact = Artefact(graph, "loihi2", some_input(graph), expected_messages(graph, some_input(graph)))
    bim_neuro.write_board(artefact, tmp_path / "board")
    assert {path.name: path.read_bytes() for path in (tmp_path / "board").iterdir()} == switches()
    with pytest.raises(InputError, match="board holds other files, a new or empty folder is needed"):
        bim_neuro.write_board(artefact, str(tmp_path / "board"))
    with pytest.raises(InputError, match="artefact"):
        bim_neuro.write_board(graph, tmp_path / "other")  # type: ignore[arg-type]
    assert [path.name for path in tmp_path.iterdir()] == ["board"]


def test_a_hostile_name_stays_a_name() -> None:
    name = '\'); import os #\n""" \u202e {laws} \\'
    graph = of_all_kinds()
    graph = replace(
        graph,
        nodes={name if key == "n2" else key: node for key, node in graph.nodes.items()},
        edges=tuple(
            replace(edge, **{end: name for end in ("source", "target") if getattr(edge, end) == "n2"})
            for edge in graph.edges
        ),
        depth={name if key == "n2" else key: depth for key, depth in graph.depth.items()},
    )
    plain, made = (ast.parse(files[SCRIPT]) for files in (switches(), kit(graph, some_input(graph))))
    assert len(list(ast.walk(made))) == len(list(ast.walk(plain)))
    assert name in {node.value for node in ast.walk(made) if isinstance(node, ast.Constant)}


def test_a_node_that_lava_has_no_process_for_is_refused_by_name() -> None:
    class Unknown:
        """No node of ours."""

        kind = "unknown"

    graph = of_all_kinds()
    graph = replace(graph, nodes={**graph.nodes, "n2": Unknown()})  # type: ignore[dict-item]
    with pytest.raises(DoesNotFit, match="layer 'n2': the board kit has no process for Unknown"):
        board_kit(Artefact(graph, "loihi2", some_input(graph), {}))


# ---- what Lava plays, in a Python that cannot import bim-neuro

FORBID = """
import sys

class Forbid:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("bim_neuro", "torch", "nir", "numba"):
            raise ImportError(f"{name} is not to be imported")

sys.meta_path.insert(0, Forbid())
"""
ADAPTERS = '''
"""Stands for Lava's extension: adapters that pass on what they get, and its run on a board is the simulation's."""
import functools
import sys
import numpy as np
from lava.magma.core.decorator import implements, requires, tag
from lava.magma.core.model.py.model import PyLoihiProcessModel
from lava.magma.core.model.py.ports import PyInPort, PyOutPort
from lava.magma.core.model.py.type import LavaPyType
from lava.magma.core.process.ports.ports import InPort, OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.resources import CPU
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.magma.core.sync.protocols.loihi_protocol import LoihiProtocol

sys.modules["__main__"].Loihi2HwCfg = functools.partial(Loihi2SimCfg, select_tag="fixed_pt")

class PyToNxAdapter(AbstractProcess):
    def __init__(self, shape, num_message_bits):
        super().__init__()
        sys.stdout.write(f"{type(self).__name__} {shape} {num_message_bits}\\n")
        self.inp, self.out = InPort(shape=shape), OutPort(shape=shape)

class NxToPyAdapter(PyToNxAdapter):
    pass

class Passes(PyLoihiProcessModel):
    inp: PyInPort = LavaPyType(PyInPort.VEC_DENSE, np.int32)
    out: PyOutPort = LavaPyType(PyOutPort.VEC_DENSE, np.int32)
    def run_spk(self):
        self.out.send(self.inp.recv())

@implements(proc=PyToNxAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class In(Passes):
    pass

@implements(proc=NxToPyAdapter, protocol=LoihiProtocol)
@requires(CPU)
@tag("fixed_pt")
class Out(Passes):
    pass
'''


def played(files: dict[str, bytes], folder: Path, *options: str, board: bool = False) -> tuple[str, dict[str, Array]]:
    """Run the script; return what it printed and its recording."""
    more = {"hook/sitecustomize.py": FORBID, **{f"kit/{name}": text for name, text in files.items()}}
    if board:
        more |= {"hook/lava/utils/loihi2_profiler.py": "", "hook/lava/proc/embedded_io/spike.py": ADAPTERS}
    for name, text in more.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    command = [sys.executable, folder / "kit" / SCRIPT, *options]
    environment = {**os.environ, "PYTHONPATH": str(folder / "hook")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    with np.load(folder / "recording.npz") as recording:
        return done.stdout, dict(recording)


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["conv, all at once", "conv, padding of one side", "recurrent, conv", "taps", "current and bias"]
)
def test_lava_plays_fixed_graphs_as_the_simulation_does(tmp_path: Path, name: str) -> None:
    graph = fixed_graph(name)
    x = fixed_input(graph)[:1]
    printed, recording = played(kit(graph, x), tmp_path)
    ours = simulate(graph, x, probe=True).probes
    total = sum(ours[f"{layer}.message"].size for layer in graph.nodes)
    assert f"{total} of {total} messages equal the compiler's" in printed
    for layer in list(graph.nodes)[1:]:
        sent = "out" if layer == graph.output else f"spk__{layer}"
        for key, what in ((sent, "message"), (f"v__{layer}", "v"), (f"syn__{layer}", "u")):
            np.testing.assert_array_equal(recording[key], ours[f"{layer}.{what}"][:, : x.shape[1]])


@pytest.mark.lava
@pytest.mark.slow
def test_neurons_behind_a_bias_start_with_their_sample_too(tmp_path: Path) -> None:
    """Before the sample reaches them, the LIF with the bias has sent spikes to the other."""
    net = Net(3)
    first = net.add(net.lif(4, 50, bias_mant=np.full(4, 4000)), ("in", Dense(np.zeros((4, 60), np.int8)), 0))
    net.add(net.lif(3, 2000, dv=0), (first, Dense(np.full((3, 4), 100, np.int8)), 0))
    graph = net.graph()
    printed, recording = played(kit(graph, fixed_input(graph)[:1]), tmp_path)
    assert "differs" not in printed
    assert recording["out"].any()


@pytest.mark.lava
@pytest.mark.slow
def test_lava_plays_its_graded_processes_as_the_simulation_does(tmp_path: Path) -> None:
    graph = random_stock_graph(1, layers=5, width=9, loud=False, loops=True)
    printed, _ = played(kit(graph, random_input(graph, 1, samples=1, steps=12, activity=0.7)), tmp_path)
    assert "differs" not in printed
    assert "messages equal the compiler's" in printed


@pytest.mark.lava
@pytest.mark.slow
def test_lava_plays_digits_as_the_engine_does(tmp_path: Path) -> None:
    program = bim_neuro.compile(ROOT / "examples" / "digits.pt")
    raw = bim_neuro.load_task("digits").test.x[:2]
    printed, recording = played(board_kit(program.artefact(raw)), tmp_path)
    engine = program.run(raw, probe=True)
    assert "9196 of 9196 messages equal the compiler's" in printed
    assert json.loads(str(recording["meta"]))["kind"] == "integers"
    np.testing.assert_array_equal(recording["out"].sum(axis=1), engine.output)
    np.testing.assert_array_equal(recording["spk__block1.lif"], engine.probes["block1.lif.message"][:, : raw.shape[1]])


@pytest.mark.lava
@pytest.mark.slow
@pytest.mark.parametrize("name", ["snntorch_rleaky_conv", "norse_cuba_li", "norse_imported"])
def test_lava_plays_nets_of_others_as_the_engine_does(tmp_path: Path, name: str) -> None:
    with np.load(FRAMEWORKS / name / "io.npz") as file:
        meta, x = json.loads(str(file["meta"])), file["x"]
    raw = x.swapaxes(0, 1).reshape(x.shape[1], x.shape[0], -1)[:2].astype(float)
    program = bim_neuro.compile(read_nir(FRAMEWORKS / name / "graph.nir", meta["dt"], dialect=meta["dialect"]))
    program = program.calibrated(raw)
    printed, recording = played(board_kit(program.artefact(raw)), tmp_path)
    assert "differs" not in printed
    np.testing.assert_array_equal(recording["out"].sum(axis=1), program.run(raw).output)


@pytest.mark.lava
@pytest.mark.slow
def test_what_differs_is_named_with_layer_step_and_neuron(tmp_path: Path) -> None:
    graph = fixed_graph("taps")
    x = fixed_input(graph)[:1]
    expected = expected_messages(graph, x)
    expected["n1.message"][0, 3, 7] ^= True
    printed, _ = played(board_kit(Artefact(graph, "loihi2", x, expected)), tmp_path)
    assert "sample 0 differs, first in layer 'n1', step 3, neuron 7" in printed


@pytest.mark.lava
@pytest.mark.slow
def test_on_a_board_messages_pass_through_the_adapters(tmp_path: Path) -> None:
    graph = fixed_graph("conv, pool, conv")
    x = fixed_input(graph)[:1]
    printed, recording = played(kit(graph, x), tmp_path, board=True)
    lines = graph.nodes[graph.source].neurons
    assert "on a Loihi 2 board" in printed
    assert f"PyToNxAdapter ({lines},) 0" in printed
    assert set(recording) == {"meta", "out"}
    np.testing.assert_array_equal(
        recording["out"], simulate(graph, x, probe=True).probes[f"{graph.output}.message"][:, : x.shape[1]]
    )


@pytest.mark.lava
@pytest.mark.slow
def test_a_model_of_ours_goes_to_a_board_where_it_is_lowered(tmp_path: Path) -> None:
    model = save_model(tmp_path / "small.pt", small_checkpoint(channels=3, states=2))
    program = bim_neuro.compile(model, lowering="stock")
    raw = small_input(samples=1)
    files = board_kit(program.artefact(raw))
    assert ", ours" not in files[SCRIPT].decode().partition("import ")[0]
    printed, recording = played(files, tmp_path, board=True)
    assert "on a Loihi 2 board" in printed
    np.testing.assert_array_equal(recording["out"].sum(axis=1), program.run(raw).output)


@pytest.mark.lava
@pytest.mark.slow
def test_what_is_no_input_is_refused_in_a_sentence(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=np.zeros((1, 4, 5)))
    for name, content in switches().items():
        (tmp_path / name).write_bytes(content)
    for options, said in (
        (["--input", "x.npz"], "x is float64 of shape (1, 4, 5)"),
        (["--samples", "0"], "--samples is 0"),
    ):
        command = [sys.executable, SCRIPT, *options]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200)
        assert done.returncode in (1, 2)
        assert said in done.stderr.splitlines()[-1]


@pytest.mark.lava
@pytest.mark.slow
def test_a_program_with_a_layer_of_ours_is_not_given_to_a_board(tmp_path: Path) -> None:
    printed, _ = played(switches(), tmp_path, board=True)
    assert "on the CPU simulation of Lava: no board has a model of 'n1' (SwitchNeuron)" in printed
    assert "Adapter" not in printed


@pytest.mark.lava
@pytest.mark.slow
def test_the_blocks_of_the_page_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / "board.md").read_text()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for language, block in re.findall(r"```(\w+)\n(.*?)```", page, re.DOTALL):
        command = [sys.executable, "-c", block] if language == "python" else ["bash", "-ec", block]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert (
        "messages equal"
        in subprocess.run(
            [sys.executable, "out/digits/board/run.py", "--samples", "1"], capture_output=True, text=True, timeout=300
        ).stdout
    )
    own = [sys.executable, "board/run.py", "--input", "mine.npz", "-o", "mine_recorded.npz"]
    assert "2 samples of 8 steps" in subprocess.run(own, capture_output=True, text=True, timeout=300).stdout
    with np.load("mine_recorded.npz") as recording:
        assert recording["out"].shape == (2, 8, 10)

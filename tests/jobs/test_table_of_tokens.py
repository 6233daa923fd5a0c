"""Encoder table: from bim-train over model.pt to integers, Lava and NIR, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import bim_compile, bim_train, save_model

import bim_neuro
from bim_neuro.choices import LEAST_ROWS
from bim_neuro.errors import InputError
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.model.embedding import rows
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.nir_bridge.metadata import describe, parse
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.table import table_of
from bim_neuro.pack import equal, pack, unpack
from bim_neuro.tasks.clusters import CLUSTERS, LEAST_TOKENS

TOKENS, STEPS = 40, 10
SMALL = (
    *("--channels", 6, "--states", 2, "--batch", 16, "--learning-rate", 0.03, "--encoder", "table"),
    *("--set", "train.embedding=5", "--set", "train.softmax=adaptive"),
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A round of forty tokens, begun anywhere, and a model after two updates."""
    folder = tmp_path_factory.mktemp("table")
    rng = np.random.default_rng(0)
    text = (rng.integers(0, TOKENS, (60, 1)) + np.arange(STEPS + 1)) % TOKENS
    data, model = folder / "text.npz", folder / "text.pt"
    names = np.array([f"w{token}" for token in range(TOKENS)])
    np.savez(data, x=text[:, :-1, None], y=text[:, 1:], head="next", layout="BTC", class_names=names)
    ended = bim_train("own", "--data", data, "-o", model, *SMALL, "--max-updates", 2, "--final")
    assert (ended.code, ended.errors) == (0, [])
    return data, model


def test_the_model_learns_a_table_that_the_host_looks_up(trained: tuple[Path, Path]) -> None:
    checkpoint = load_checkpoint(trained[1])
    encoder, config = checkpoint.encoder, checkpoint.config
    assert (encoder.kind, encoder.channels, encoder.tokens) == ("table", 1, TOKENS)
    assert (config.inputs, config.table, config.adaptive, config.classes) == (5, TOKENS, True, TOKENS + 2)
    assert checkpoint.labels[-3:] == ("w39", "cluster 1", "cluster 2")
    tokens = np.arange(TOKENS)[None, :, None]
    heard = rows(checkpoint.state["table"], torch.as_tensor(tokens.astype(np.float32)))
    np.testing.assert_array_equal(encoder.to_float(encoder.encode(tokens))[0], heard[0])  # nothing is lost at export
    assert np.abs(encoder.encode(tokens)).max() <= 127
    assert encoder.source.message_bits == 8
    test = checkpoint.training["test"]
    assert test["integer"]["bits"] == pytest.approx(test["float"]["bits"], rel=0.01)


def test_compiled_it_answers_as_it_was_measured(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = trained
    options = ("--input", data, "--samples", "all", "--split", "test", "--json")
    compiled = bim_compile(model, *options, "-o", tmp_path / "out")
    assert (compiled.code, compiled.errors) == (0, [])
    found = json.loads(compiled.out)
    test = load_checkpoint(model).training["test"]
    assert found["answers"]["integer"]["bits"] == pytest.approx(test["integer"]["bits"], rel=1e-9)
    assert found["answers"]["float"]["bits"] == pytest.approx(test["float"]["bits"], rel=1e-4)
    assert not [finding for finding in found["findings"] if finding["rule"] == "input-classes"]
    again = bim_compile(tmp_path / "out" / "model.nir", *options, "-o", tmp_path / "nir")
    assert (again.code, again.errors) == (0, [])
    assert json.loads(again.out)["answers"] == found["answers"]


@pytest.mark.skipif(find_spec("lava") is None, reason="Lava is not installed")
def test_integers_of_tokens_equal_those_of_lava(trained: tuple[Path, Path], tmp_path: Path) -> None:
    data, model = trained
    ended = bim_compile(model, "--input", data, "--samples", 1, "--verify", "lava", "-o", tmp_path / "out", "--json")
    assert (ended.code, ended.errors) == (0, [])
    check = json.loads(ended.out)["verify"]
    assert check["messages"] == check["messages_equal"] > 0


def test_the_table_is_in_both_layers_of_a_nir_file(trained: tuple[Path, Path]) -> None:
    graph = export(load_checkpoint(trained[1]))
    header, arrays = pack(graph)
    assert equal(unpack(header, arrays), graph)
    read = parse(describe(graph)).encoder
    assert (read.kind, read.table.dtype) == ("table", np.int8)
    np.testing.assert_array_equal(read.table, graph.encoder.table)


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        ([0, 40], "input holds 40 at sample 0, step 1, the model knows the tokens 0 to 39"),
        ([-1, 0], "input holds -1 at sample 0, step 0, the model knows the tokens 0 to 39"),
        ([0, 1.5], "input holds 1.5 at sample 0, step 1, the model knows the tokens 0 to 39"),
        ([np.nan, 0], "input holds nan at sample 0, step 0, the model knows the tokens 0 to 39"),
    ],
)
def test_what_is_no_token_is_refused(trained: tuple[Path, Path], tokens: list[float], message: str) -> None:
    encoder = load_checkpoint(trained[1]).encoder
    raw = np.array(tokens)[None, :, None]
    for read in (encoder.encode, encoder.for_network, encoder.for_float):
        with pytest.raises(InputError, match=message):
            read(raw)


Damage = Callable[[dict[str, Any]], None]


def _short(content: dict[str, Any]) -> None:
    content["state"]["table"] = content["state"]["table"][:-1]


def _flat(content: dict[str, Any]) -> None:
    content["state"]["table"] = content["state"]["table"].flatten()


def _gone(content: dict[str, Any]) -> None:
    del content["state"]["table"]


def _infinite(content: dict[str, Any]) -> None:
    content["state"]["table"][3, 2] = torch.inf


def _complex(content: dict[str, Any]) -> None:
    content["state"]["table"] = content["state"]["table"].to(torch.complex64)


def _complex_gain(content: dict[str, Any]) -> None:
    content["encoder"] = {"kind": "token", "gain": torch.ones(40, dtype=torch.complex64), "offset": torch.zeros(40)}


def _class(content: dict[str, Any]) -> None:
    del content["head"]


def _narrow(content: dict[str, Any]) -> None:
    content["state"]["table"] = content["state"]["table"][:, :-1]


def _lines(content: dict[str, Any]) -> None:
    content["encoder"] = {"kind": "token", "gain": torch.ones(5), "offset": torch.zeros(5)}


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_short, "the encoder has a table of 39 rows, the config says 40"),
        (_flat, "the weight 'table' is not finite numbers"),
        (_gone, "the weight 'table' is not finite numbers"),
        (_infinite, "the weight 'table' is not finite numbers"),
        (_complex, "the weight 'table' is not finite numbers"),
        (_complex_gain, "real numbers are needed, not complex ones"),
        (_narrow, "the encoder gives 4 lines, the network reads 5"),
        (_class, "an adaptive softmax does not fit head 'class' and 42 rows"),
        (_lines, "the encoder has a table of 0 rows, the config says 40"),
    ],
)
def test_a_file_whose_table_does_not_fit_is_refused(
    trained: tuple[Path, Path], tmp_path: Path, damage: Damage, message: str
) -> None:
    content = torch.load(trained[1], weights_only=True)
    damage(content)
    torch.save(content, tmp_path / "bad.pt")
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / "bad.pt")


def test_a_graph_whose_table_is_none_is_refused(trained: tuple[Path, Path]) -> None:
    graph = export(load_checkpoint(trained[1]))
    for table, message in (
        (graph.encoder.table.astype(np.int16), "its table is int16"),
        (np.full((TOKENS, 5), -128, np.int8), "its table holds -128"),
    ):
        bad = replace(graph, encoder=replace(graph.encoder, table=table))
        with pytest.raises(InputError, match=message):
            unpack(*pack(bad))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"head": "nonsense"}, "its head is 'nonsense', one of class, step, next, labels, ctc is needed"),
        ({"head": 5}, "its head is 5, one of"),
        ({"head": ["next"]}, r"its head is \('next',\), one of"),
        ({"softmax": "half"}, "its softmax is 'half', one of full, adaptive is needed"),
        ({"softmax": {}}, "its softmax is {}, one of"),
        ({"head": "class"}, "an adaptive softmax does not fit head 'class' and 42 rows"),
    ],
)
def test_a_graph_whose_answers_cannot_be_read_is_refused(
    trained: tuple[Path, Path], changes: dict[str, Any], message: str
) -> None:
    graph = export(load_checkpoint(trained[1]))
    with pytest.raises(InputError, match=message):
        unpack(*pack(replace(graph, extra={**graph.extra, **changes})))  # type: ignore[typeddict-item]


def test_an_adaptive_softmax_of_few_rows_is_refused(tmp_path: Path) -> None:
    graph = export(load_checkpoint(save_model(tmp_path / "small.pt")))
    few: Any = {"head": "next", "softmax": "adaptive"}
    with pytest.raises(InputError, match="does not fit head 'next' and 4 rows: it is of head next, from 32"):
        unpack(*pack(replace(graph, extra={**graph.extra, **few})))


def test_the_least_rows_are_those_of_the_least_tokens() -> None:
    assert LEAST_ROWS == LEAST_TOKENS + CLUSTERS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--encoder", "token", "--set", "train.embedding=4"), "train.embedding has no effect without a table"),
        (("--encoder", "table", "--rule", "rtrl"), "rule rtrl has no traces for a table of tokens"),
        (
            ("--encoder", "table", "--set", "train.softmax=half"),
            "train.softmax is half, allowed: one of full, adaptive",
        ),
        (
            ("--encoder", "table", "--set", "train.model=unigram", "--set", "train.softmax=adaptive"),
            "a unigram has no adaptive softmax",
        ),
    ],
)
def test_what_a_table_cannot_do_is_one_line(
    trained: tuple[Path, Path], tmp_path: Path, options: tuple[Any, ...], message: str
) -> None:
    ended = bim_train("own", "--data", trained[0], "-o", tmp_path / "no.pt", *options)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert message in ended.err
    assert not (tmp_path / "no.pt").exists()


def test_a_softmax_is_of_the_next_token(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "own.npz", x=rng.normal(size=(40, 6, 2)), y=rng.integers(0, 2, 40), layout="BTC")
    ended = bim_train(
        "own", "--data", tmp_path / "own.npz", "-o", tmp_path / "no.pt", "--set", "train.softmax=full", "--epochs", 1
    )
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "train.softmax has no effect on head 'class'" in ended.err


@pytest.mark.parametrize("model", ["lstm", "mamba", "snn"])
def test_a_baseline_reads_the_same_table(trained: tuple[Path, Path], tmp_path: Path, model: str) -> None:
    softmax = () if model == "snn" else ("--set", "train.softmax=adaptive")
    file = tmp_path / "other.pt"
    ended = bim_train(
        *("own", "--data", trained[0], "-o", file, "--encoder", "table", "--max-updates", 2, "--final"),
        *("--set", f"train.model={model}", "--set", "train.parameters=2000", *softmax),
    )
    assert (ended.code, ended.errors) == (0, [])
    content = torch.load(file, weights_only=True)
    assert content["config"]["table"] == TOKENS
    assert content["config"].get("adaptive", False) is (model != "snn")
    assert content["state"]["table"].shape == (TOKENS, 64)
    assert 0 < content["training"]["test"]["float"]["bits"] < 2 * np.log2(TOKENS)


def test_a_network_of_ones_own_loop_brings_its_table(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = BIMNetwork(NetworkConfig(4, 3, 5, 2, 2, table=9))
    x = np.random.default_rng(0).integers(0, 9, (6, 7, 1))
    bim_neuro.save(network, tmp_path / "own.pt", x=x, dt=1e-3)
    np.testing.assert_array_equal(load_checkpoint(tmp_path / "own.pt").encoder.table, table_of(network.table.detach()))
    said = bim_neuro.compile(network, input=x, dt=1e-3).encode(x[:1])[0]
    heard = rows(network.table, torch.as_tensor(x[0])).detach().numpy()
    np.testing.assert_array_equal(said, np.rint(128 * heard))
    with pytest.raises(InputError, match="encoder graded does not fit a config of 9 rows"):
        bim_neuro.save(network, tmp_path / "no.pt", x=x, dt=1e-3, encoder="graded")
    with pytest.raises(InputError, match="input holds 9 at sample 0, step 0, the model knows the tokens 0 to 8"):
        bim_neuro.save(network, tmp_path / "no.pt", x=x * 0 + 9, dt=1e-3)
    assert not (tmp_path / "no.pt").exists()


def test_more_rows_than_a_host_is_trusted_with_are_refused() -> None:
    with pytest.raises(InputError, match="1,048,577 tokens need a row of the table each"):
        Encoder.of_table(np.zeros((2**20 + 1, 1), np.int8))

"""series.json: counts over time and rasters are those of the run, and of bounded size however long and wide it is."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from small_models import small_graphs

from bim_neuro.record import LayerCount, RunRecord
from bim_neuro.report.neurons import NEURON_TEXT
from bim_neuro.report.over_time import LAYERS, STEPS, VALUES, series
from bim_neuro.report.rasters import RASTER_STEPS, RASTER_TEXT


def test_a_long_run_of_wide_layers_leaves_a_bounded_series(out: Path) -> None:
    made = series(_wide_facts(period := 10_000, neurons := 100_000), _AllSending(period, neurons))
    assert len(made["layers"]["x"]["messages"]) <= STEPS
    assert np.mean(made["layers"]["x"]["messages"]) == pytest.approx(np.arange(period).mean() / 2, rel=1e-2)
    raster = made["raster"]
    assert (raster["layers"]["x"]["neurons"], raster["steps"]) == (neurons, RASTER_STEPS)
    drawn = [sample["cells"]["x"] for sample in raster["samples"]]
    assert 0 < sum(map(len, drawn)) <= RASTER_TEXT
    levels = unpacked(drawn[0], raster["layers"]["x"]["bits"])
    shown = -(-neurons // raster["layers"]["x"]["every"])
    assert set(levels[: shown * RASTER_STEPS].tolist()) == {1}
    assert len(json.dumps(made["neurons"])) <= 2 * NEURON_TEXT


def test_a_long_run_of_many_layers_is_thinned_in_layers_and_steps_and_says_so() -> None:
    """Twice the steps, or five times the layers, take no more room."""
    sizes = {}
    for period, layers in ((8_000, 300), (16_000, 300), (8_000, 1500)):
        names = tuple(f"x{at}" for at in range(layers))
        made = series(_wide_facts(period, 4, names), _AllSending(period, 4, names))
        values = [len(counts) for own in made["layers"].values() for counts in own.values()]
        assert len(made["layers"]) == LAYERS
        assert VALUES / 2 < sum(values) <= VALUES
        assert np.mean(made["layers"]["x7"]["messages"]) == pytest.approx(np.arange(period).mean() / 2, rel=1e-2)
        assert made["left_out"] == {
            "steps": f"A value over time is the mean of {made['bin']:,} steps.",
            "layers": f"The 200 layers that send most, of {layers:,}.",
        }
        assert made["bin"] == -(-period // (VALUES // (2 * LAYERS)))
        sizes[period, layers] = len(json.dumps(made))
    assert max(sizes.values()) < 600_000
    assert max(sizes.values()) < 1.2 * min(sizes.values())  # longer numbers alone


def test_a_short_run_is_thinned_nowhere(files: dict[str, Any]) -> None:
    assert (files["series"]["left_out"], files["series"]["bin"]) == ({}, 1)


def _wide_facts(period: int, neurons: int, names: Sequence[str] = ("x",)) -> Any:
    """What a report knows of two samples of wide layers that always send."""
    from bim_neuro.graph import Edge, PlacedGraph
    from bim_neuro.hardware import load_profile
    from bim_neuro.nodes import Dense, IntegerLIF

    _, graph = small_graphs()
    lif = IntegerLIF(neurons, 0, 0, 1, np.zeros(neurons, np.int64))
    chain = (Edge(pre, post, "i", Dense(np.ones((neurons, neurons), np.int8))) for pre, post in pairwise(names))
    placed = PlacedGraph(
        replace(
            graph,
            nodes=dict.fromkeys(names, lif),
            edges=tuple(chain),
            depth={name: at for at, name in enumerate(names)},
        ),
        "lava_cpu",
        (),
    )
    counts = np.arange(period)
    record = RunRecord("engine", 2, period, period, dict.fromkeys(names, LayerCount(*[counts] * 5)), np.zeros((2, 1)))
    units = {name: {"u": 1.0, "v": 1.0} for name in names}
    known = {"state_units": units, "exponents": dict.fromkeys(names, 0.0), "reference": None, "head": "class"}
    profile = load_profile("lava_cpu")
    return SimpleNamespace(record=record, floats=record, y=None, placed=placed, profile=profile, **known)


class _AllSending(NamedTuple):
    """Runs of wide layers that always send."""

    period: int
    neurons: int
    names: Sequence[str] = ("x",)

    def messages(self, samples: Sequence[int]) -> RunRecord:
        return self._record(len(samples), RASTER_STEPS, {"message": bool})

    def whole(self, sample: int, steps: int) -> tuple[RunRecord, RunRecord]:
        record = self._record(1, steps, {"message": bool, "u": np.int64, "v": np.int64})
        return record, record

    def _record(self, samples: int, steps: int, keys: dict[str, Any]) -> RunRecord:
        probed = {key: np.ones((samples, steps, self.neurons), kind) for key, kind in keys.items()}
        probes = {f"{name}.{key}": values for name in self.names for key, values in probed.items()}
        return RunRecord("engine", samples, steps, self.period, {}, np.zeros((samples, 1)), probes)


def unpacked(text: str, bits: int) -> np.ndarray:
    """Return the cells of a raster, as the page reads them."""
    raw = np.frombuffer(b64decode(text), np.uint8)
    return np.unpackbits(raw) if bits == 1 else np.stack([raw >> 4, raw & 15], axis=1).reshape(-1)


def test_the_rasters_are_of_a_right_and_a_wrong_sample_of_each_class(out: Path, files: dict[str, Any]) -> None:
    import bim_neuro

    program = bim_neuro.compile(out / "small.pt", target="loihi2")
    given = np.load(out / "xy.npz")
    record, raster = program.run(given["x"], probe=True), files["series"]["raster"]
    names = program.graph.labels
    answers = [names[answer] for answer in record.predicted]
    kinds = {(names[label], names[label] == answer) for label, answer in zip(given["y"], answers, strict=True)}
    shown = {(one["label"], one["label"] == one["integer"]) for one in raster["samples"]}
    assert shown == kinds
    for one in raster["samples"]:
        sent = record.probes["block1.lif.message"][one["sample"]]  # (period, neurons)
        assert one["integer"] == answers[one["sample"]]
        cells = unpacked(one["cells"]["block1.lif"], 1)[: sent.size]
        assert cells.reshape(sent.T.shape).tolist() == sent.T.astype(int).tolist()
        graded = np.abs(record.probes["readout.message"][one["sample"]]).T
        levels = unpacked(one["cells"]["readout"], 4)[: graded.size].reshape(graded.shape)
        assert levels.tolist() == np.ceil(9 * graded / raster["layers"]["readout"]["largest"]).tolist()
    steps = files["series"]["layers"]["block1.lif"]["messages"]
    np.testing.assert_allclose(steps, record.layers["block1.lif"].messages / record.samples, atol=1e-3)

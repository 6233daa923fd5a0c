"""Finished compiles, and report pages in a real headless browser for the tests marked `browser`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsers import Open, Visit
from commands import bim_compile, bim_report, save_input, save_model
from pages import CORES_A_CHIP, HOSTILE, expected, hostile, html_of, learnt, many_cores, many_layers, trained
from small_models import small_checkpoint
from written_nets import NETS, inputs

import bim_neuro


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pages of small compiles, of simulations, of hostile names, of large models, a refusal, and comparisons."""
    folder = tmp_path_factory.mktemp("pages")
    model, samples = save_model(folder / "small.pt"), save_input(folder / "xy.npz", y=np.arange(6) % 4)
    for target in ("loihi2", "lava_cpu"):
        options = ("--target", target, "--verify", "reference", "-o", folder / target)
        assert bim_compile(model, "--input", samples, *options).code == 0
        (folder / f"{target}.html").write_text((folder / target / "report.html").read_text())
    refused = bim_compile(model, "--input", samples, "--target", "loihi1", "-o", folder / "loihi1")
    assert refused.code == 1
    (folder / "refused.html").write_text((folder / "loihi1" / "report.html").read_text())
    names = ("summary", "mapping", "series")
    files = {name: json.loads((folder / "loihi2" / f"{name}.json").read_text()) for name in names}
    (folder / "hostile.html").write_text(html_of(hostile(files, HOSTILE)))
    (folder / "learnt.html").write_text(html_of(learnt(files)))
    (folder / "expected.html").write_text(html_of(expected(files)))
    (folder / "few.html").write_text(html_of(many_cores(files, 30)))
    (folder / "cores.html").write_text(html_of(many_cores(many_layers(files, 200), 1100)))
    (folder / "board.html").write_text(html_of(many_cores(many_layers(files, 1000), 1152 * CORES_A_CHIP)))
    compare = bim_report("compare", folder / "loihi2", folder / "lava_cpu", "-o", folder / "compare.html")
    assert compare.code == 0
    twelve = bim_report("compare", *[folder / "loihi2", folder / "lava_cpu"] * 6, "-o", folder / "twelve.html")
    assert twelve.code == 0
    eight = bim_report("compare", *[folder / "loihi2", folder / "lava_cpu"] * 4, "-o", folder / "eight.html")
    assert eight.code == 0
    stock = ("--input", samples, "--lowering", "stock", "-o", folder / "stock")
    assert bim_compile(model, *stock).code == 0
    (folder / "stock.html").write_text((folder / "stock" / "report.html").read_text())
    (folder / "trained").mkdir()
    for seed, rule in enumerate(("bptt", "rtrl")):
        save_model(folder / "trained" / f"{seed}.pt", replace(small_checkpoint(seed), training=trained(seed, rule)))
    assert bim_report("runs", folder / "trained", "-o", folder / "runs.html").code == 0
    for name, net, loudness in (("maps", "conv_lif", 1), ("dead", "dense_lif", 0)):
        program = bim_neuro.compile(graph := NETS[net](), target="loihi2")
        program.report(loudness * inputs(graph), folder / name)
        (folder / f"{name}.html").write_text((folder / name / "report.html").read_text())
    return folder


@pytest.fixture(scope="session")
def sheet(chromium: Any) -> Any:
    """The page that every test opens its own in."""
    return chromium.new_page()


@pytest.fixture
def visit(chromium: Any, sheet: Any, pages: Path) -> Iterator[Open]:
    """Open a page by its name; afterwards nothing may have been logged, thrown or asked for."""
    visits: list[Visit] = []

    def open_page(name: str, **options: Any) -> Visit:
        file = pages / f"{name}.html"
        alone = visits or options.keys() - {"color_scheme"}
        visits.append(Visit(chromium, file, **options) if alone else Visit.again(sheet, file, **options))
        return visits[-1]

    yield open_page
    for one in visits:
        one.leave() if one.page is sheet else one.page.close()
    assert [trouble for one in visits for trouble in one.troubles] == []


@pytest.fixture(scope="session")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the finished compiles a and b, of the same model on six samples and on three."""
    folder = tmp_path_factory.mktemp("runs")
    model = save_model(folder / "small.pt")
    samples = save_input(folder / "xy.npz", y=np.arange(6) % 4)
    for name, options in (("a", ()), ("b", ("--samples", 3))):
        assert bim_compile(model, "--input", samples, *options, "-o", folder / name).code == 0
    return folder


@pytest.fixture
def files(out: Path) -> dict[str, Any]:
    """What report.html is made of."""
    return {name: json.loads((out / "a" / f"{name}.json").read_text()) for name in ("summary", "mapping", "series")}

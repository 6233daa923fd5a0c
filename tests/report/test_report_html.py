"""The HTML report: one inert file that opens offline, small models and huge ones, and runs side by side."""

from __future__ import annotations

import copy
import io
import json
import re
import shutil
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from commands import bim_compile, bim_report, save_input, save_model
from hypothesis import given
from hypothesis import strategies as st
from pages import CORES_A_CHIP, data_of, hostile, html_of, many_cores, many_layers
from small_models import small_graphs

from bim_neuro.record import LayerCount, RunRecord
from bim_neuro.report.formats import FORMAT_LAYERS
from bim_neuro.report.html.compact import compact, widened
from bim_neuro.report.html.page import inert
from bim_neuro.report.neurons import NEURON_TEXT
from bim_neuro.report.over_time import STEPS, series
from bim_neuro.report.rasters import RASTER_STEPS, RASTER_TEXT

ASSETS = Path(__file__).resolve().parents[2] / "bim_neuro" / "report" / "html" / "assets"


@pytest.fixture(scope="module")
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


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and what stands in the data element."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.data = ""
        self._in_data = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        self._in_data = dict(attrs).get("id") == "data"

    def handle_endtag(self, tag: str) -> None:
        self._in_data = False

    def handle_data(self, data: str) -> None:
        if self._in_data:
            self.data += data


def test_the_page_asks_the_network_for_nothing(out: Path) -> None:
    page = (out / "a" / "report.html").read_text()
    addresses = {attributes[key] for _, attributes in Tags(page).found for key in ("src", "href") if key in attributes}
    assert addresses == {"data:,"}
    assert set(re.findall(r"https?://[^\"' )]+", page)) == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert "default-src 'none'" in page


def test_names_from_a_file_stay_text(files: dict[str, Any]) -> None:
    name = "</script><img src=x onerror=alert(1)><!--"
    page = Tags(html_of(hostile(files, name)))
    assert [tag for tag, _ in page.found if tag in ("script", "img")] == ["script", "script"]
    assert widened(json.loads(page.data))["summary"]["layers"][0]["name"] == name


def test_inert_json_reads_back_and_knows_no_infinity() -> None:
    data = {"a": ["<!--", "]]>", "&amp;", "\u2028", "</SCRIPT >"], "b": 1.5}
    text = inert(data | {"limit": float("inf"), "rates": [float("nan")]})
    assert not set("<>&\u2028") & set(text)
    seen = {"a": ["<!--", "]]>", "&amp;", "\\u2028", "</SCRIPT >"], "b": 1.5}  # what would not show is an escape
    assert json.loads(text) == seen | {"limit": None, "rates": [None]}


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["=", "==", "a", "b"]), inner)
    | st.builds(lambda a, b: [{"=": a, "n": b}, {"=": b, "n": a}], inner, inner),
    max_leaves=20,
))  # fmt: skip
def test_the_data_of_a_page_are_read_as_they_were(data: Any) -> None:
    assert widened(json.loads(json.dumps(compact(data)))) == data


def test_a_thousand_layers_on_a_board_of_chips_stay_a_small_page_that_says_what_it_lacks(files: dict[str, Any]) -> None:
    page = html_of(many_cores(many_layers(files, 1000), 1152 * CORES_A_CHIP))
    data = data_of(page)
    assert len(page) < 2_000_000
    assert (len(data["summary"]["layers"]), len(data["cores"]), len(data["chips"])) == (300, 200, 1152)
    assert data["left_out"]["layers"].startswith("The 300 layers that cost most, of 1,00")
    assert data["left_out"]["cores"].startswith("The 200 fullest cores, of 138,240")


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


def _wide_facts(period: int, neurons: int) -> Any:
    """What a report knows of two samples of one wide layer that always sends."""
    from bim_neuro.graph import PlacedGraph
    from bim_neuro.hardware import load_profile
    from bim_neuro.nodes import IntegerLIF

    _, graph = small_graphs()
    lif = IntegerLIF(neurons, 0, 0, 1, np.zeros(neurons, np.int64))
    placed = PlacedGraph(replace(graph, nodes={"x": lif}, edges=()), "lava_cpu", ())
    counts = np.arange(period)
    record = RunRecord("engine", 2, period, period, {"x": LayerCount(*[counts] * 5)}, np.zeros((2, 1)))
    known = {"state_units": {"x": {"u": 1.0, "v": 1.0}}, "exponents": {"x": 0.0}, "reference": None, "head": "class"}
    profile = load_profile("lava_cpu")
    return SimpleNamespace(record=record, floats=record, y=None, placed=placed, profile=profile, **known)


class _AllSending(NamedTuple):
    """Runs of one wide layer that always sends."""

    period: int
    neurons: int

    def messages(self, samples: Sequence[int]) -> RunRecord:
        return self._record(len(samples), RASTER_STEPS, {"x.message": bool})

    def whole(self, sample: int, steps: int) -> tuple[RunRecord, RunRecord]:
        record = self._record(1, steps, {"x.message": bool, "x.u": np.int64, "x.v": np.int64})
        return record, record

    def _record(self, samples: int, steps: int, keys: dict[str, Any]) -> RunRecord:
        probes = {key: np.ones((samples, steps, self.neurons), kind) for key, kind in keys.items()}
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


def test_a_page_of_a_thousand_full_cores_is_small(files: dict[str, Any]) -> None:
    made = many_cores(many_layers(files, 100), 1100)
    made["series"] |= {"flows": [[core, core // 2, 1.5] for core in range(20_000)], "links": made["series"]["flows"]}
    made["series"]["raster"]["samples"] = made["series"]["raster"]["samples"][:1]
    made["series"]["raster"]["samples"][0]["cells"]["readout"] = "A" * RASTER_TEXT
    shown = made["series"]["neurons"]["layers"]["readout"]["shown"]
    shown[:] = [shown[0] | {"signals": [shown[0]["signals"][0] | {"float": "A" * NEURON_TEXT}]}]
    made["series"]["formats"] = {f"block{at}.u": made["series"]["formats"]["readout"] for at in range(FORMAT_LAYERS)}
    page = html_of(made)
    assert len(page.encode()) < 400_000
    assert data_of(page)["left_out"]["flows"].startswith("The 2,000 pairs of cores")


def test_a_report_is_made_again_from_its_folder(out: Path, tmp_path: Path) -> None:
    assert bim_report(out / "a", "-o", tmp_path / "again.html").code == 0
    assert (tmp_path / "again.html").read_text() == (out / "a" / "report.html").read_text()


@pytest.mark.parametrize(("name", "content", "says"), [
    ("series.json", None, "no such file"),
    ("mapping.json", "{", "damaged"),
    ("series.json", "[1]", "damaged"),
])  # fmt: skip
def test_a_folder_that_lost_a_file_is_refused_by_name(
    out: Path, tmp_path: Path, name: str, content: str | None, says: str
) -> None:
    for file in (out / "a").glob("*.json"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / name).unlink()
    if content is not None:
        (tmp_path / name).write_text(content)
    ended = bim_report(tmp_path, "-o", tmp_path / "page.html")
    assert ended.code == 2
    assert says in ended.err
    assert not (tmp_path / "page.html").exists()


def test_runs_side_by_side_say_what_differs(out: Path) -> None:
    ended = bim_report("compare", out / "a", out / "b", "--json")
    comparison = json.loads(ended.out)
    assert [run["name"] for run in comparison["runs"]] == ["a", "b"]
    assert comparison["warning"] == "Not the same work: samples differ."
    assert {"label": "samples", "values": ["6", "3"]} in comparison["settings"]
    rows = {row["key"]: row for row in comparison["rows"]}
    assert rows["cores"]["verdict"] == "same"
    assert rows["accuracy_integer"]["values"] == [_summary(out / name)["accuracy"]["integer"] for name in "ab"]
    assert not any(row["best"] for row in comparison["rows"])


def _summary(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "summary.json").read_text()))


@pytest.fixture
def cheaper(out: Path, tmp_path: Path) -> Path:
    """Run a again, at half the dynamic energy, and one where only the low price is lower."""
    for name, scale in (("half", (0.5, 0.5, 0.5)), ("unclear", (0.5, 0.9, 1.5))):
        changed = copy.deepcopy(_summary(out / "a"))
        dynamic = changed["energy"]["dynamic"]
        for end, factor in zip(("low", "value", "high"), scale, strict=True):
            dynamic[end] *= factor
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps(changed))
    return tmp_path


def test_a_run_is_marked_as_better_only_where_every_price_says_so(out: Path, cheaper: Path) -> None:
    def energy(other: str) -> dict[str, Any]:
        ended = bim_report("compare", out / "a", cheaper / other, "--json")
        return next(row for row in json.loads(ended.out)["rows"] if row["key"] == "energy_dynamic")

    assert (energy("half")["best"], energy("half")["verdict"]) == ([1], "-50.0%")
    assert (energy("unclear")["best"], energy("unclear")["verdict"]) == ([], "-10.0%; not at every price")


def test_a_comparison_is_printed_and_written(out: Path, tmp_path: Path) -> None:
    ended = bim_report("compare", out / "a", out / "b", "-o", tmp_path / "compare.html")
    assert ended.code == 0
    assert "dynamic energy a sample" in ended.out
    assert "dynamic energy a sample" in Tags((tmp_path / "compare.html").read_text()).data


OPTIONS: tuple[tuple[object, ...], ...] = (
    ("--optimise", "energy"),
    ("--verify", "reference"),
    ("--strict",),
    ("--min-agreement", 0.01, "--optimise", "cores"),
    ("--learn", "rtrl", "--set", "learn.samples=2", "--set", "learn.seed=3"),
    ("--learn", "rtrl", "--set", "learn.samples=2", "--set", "learn.bits=10"),
)


@pytest.fixture(scope="module")
def many(out: Path) -> list[Path]:
    """Twelve runs of the same model: two with other options each, and the plain one."""
    for index, options in enumerate(OPTIONS):
        learns = ("--set", f"learn.test={out / 'xy.npz'}") if "--learn" in options else ()
        bim_compile(out / "small.pt", "--input", out / "xy.npz", *options, *learns, "-o", out / f"with-{index}")
    named = [out / "a", *(out / f"with-{index}" for index in range(len(OPTIONS)))]
    for folder in named[:5]:
        shutil.copytree(folder, out / f"again-{folder.name}", dirs_exist_ok=True)
    return [*named, *(out / f"again-{folder.name}" for folder in named[:5])]


def test_all_that_was_asked_for_is_kept_and_what_differs_is_listed(out: Path, many: list[Path]) -> None:
    from bim_neuro.report.asked import file_hash

    request = _summary(out / "a")["request"]
    assert request["hashes"]["model"] == file_hash(out / "small.pt")
    assert request["hashes"]["input"] == _summary(out / "with-0")["request"]["hashes"]["input"]
    assert request["hashes"]["input"] != _summary(out / "b")["request"]["hashes"]["input"]
    assert request["versions"]["numpy"] == np.__version__
    comparison = json.loads(bim_report("compare", *many[:7], "--json").out)
    settings = {row["label"]: row["values"] for row in comparison["settings"]}
    assert settings["optimise"] == ["not given", "energy", *["not given"] * 2, "cores", *["not given"] * 2]
    assert settings["verify"][2] == "reference"
    assert settings["strict"] == ["no", "no", "no", "yes", "no", "no", "no"]
    assert settings["learn seed"][-2:] == settings["seed of learning"][-2:] == ["3", "0"]
    assert settings["learn trace bits"][-2:] == ["12", "10"]
    assert settings["learn samples"][:5] == ["not given"] * 5
    assert "model sha256" not in settings
    rows = {row["key"]: row for row in comparison["rows"]}
    assert rows["learnt_after"]["values"][:5] == [None] * 5
    assert rows["energy"]["values"] == [_summary(run)["energy"]["energy_uj"]["value"] * 1e6 for run in many[:7]]


def test_other_values_of_the_same_name_are_other_work(out: Path, tmp_path: Path) -> None:
    changed = copy.deepcopy(_summary(out / "a"))
    changed["request"]["hashes"]["input"] = "0" * 64
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "summary.json").write_text(json.dumps(changed))
    comparison = json.loads(bim_report("compare", out / "a", tmp_path / "c", "--json").out)
    assert comparison["warning"] == "Not the same work: the values of the input differ."


@pytest.mark.parametrize("width", [80, 110])
@pytest.mark.parametrize("runs", [2, 3, 4, 5, 12])
def test_a_comparison_of_many_runs_stays_readable(many: list[Path], runs: int, width: int) -> None:
    from rich.console import Console

    from bim_neuro.jobs.request import CompareRequest
    from bim_neuro.jobs.results import compare_runs
    from bim_neuro.report.side_by_side import show_comparison

    comparison, text = compare_runs(CompareRequest(tuple(many[:runs]))), io.StringIO()
    show_comparison(comparison, Console(file=text, width=width, highlight=False))
    lines = text.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text.getvalue()
    shown = [line.split()[0] for line in lines if line.strip()]
    for run in comparison["runs"] if runs >= 4 else []:
        assert shown.count(run["name"]) == shown.count("difference") >= 2
    words = " ".join(text.getvalue().split())
    for value in ("%", "uJ", "cores"):
        assert value in words


def test_the_page_of_twelve_runs_has_a_row_for_each(many: list[Path], tmp_path: Path) -> None:
    assert bim_report("compare", *many, "-o", tmp_path / "twelve.html").code == 0
    data = data_of((tmp_path / "twelve.html").read_text())
    assert len(data["runs"]) == 12 >= data["transposed"]


def test_a_folder_of_an_older_version_is_told_apart_from_a_damaged_one(out: Path, tmp_path: Path) -> None:
    older = _summary(out / "a")
    del older["findings"], older["request"], older["schema_version"]
    (tmp_path / "summary.json").write_text(json.dumps(older))
    ended = bim_report(tmp_path)
    assert (ended.code, "was written by an older bim-compile" in ended.err) == (2, True)


def test_one_run_is_nothing_to_compare_with(out: Path) -> None:
    ended = bim_report("compare", out / "a")
    assert (ended.code, ended.errors) == (2, ["error: compare needs two or more folders"])
    assert bim_report("compare", out / "a", out / "none").code == 2


def luminance(colour: str) -> float:
    """Return the relative luminance of '#rrggbb' (WCAG 2.2)."""
    shares = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(a: str, b: str) -> float:
    light, dark = sorted((luminance(a), luminance(b)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_and_marks_stand_out_from_what_they_stand_on(theme: int) -> None:
    pairs = re.findall(r"--(\w+): light-dark\((#\w{6}), (#\w{6})\)", (ASSETS / "page.css").read_text())
    colours = {name: pair[theme] for name, *pair in pairs}
    grounds = ("card", "ground", "grid")
    text = {(ink, on): contrast(colours[ink], colours[on]) for ink in ("ink", "soft") for on in grounds}
    assert {pair: ratio for pair, ratio in text.items() if ratio < 4.5} == {}
    names = [name for name in colours if re.fullmatch(r"c\d|accent|quiet", name)]
    marks = {name: contrast(colours[name], colours["card"]) for name in names}
    assert len(marks) == 8
    assert {name: ratio for name, ratio in marks.items() if ratio < 3} == {}


def test_sizes_of_text_and_spaces_are_those_of_one_table() -> None:
    css = (ASSETS / "page.css").read_text()
    table, rules = css.split("* { box-sizing", 1)
    sizes = re.findall(r"(?:font-size|font): ([^;}]+)", rules)
    assert [size for size in sizes if not re.match(r"var\(--\w+\)|inherit", size)] == []
    spaces = re.findall(r"(?<!scroll-)\b(?:row-gap|column-gap|gap|padding|margin)[a-z-]*: ([^;}]+)", rules)
    assert len(spaces) > 80
    fixed = [space for space in spaces if "px" in space and "max(" not in space]  # but for the width of the page
    assert fixed == []
    named = set(re.findall(r"var\(--([\w-]+)\)", rules))
    assert named - {"colour", "share", "hue", "tiles", "natural", "shadow"} <= set(re.findall(r"--([\w-]+):", table))

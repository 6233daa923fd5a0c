"""The models of summary.json: they generate its schema; what was written reads back equal, or is refused by place."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import jsonschema
import numpy as np
import pytest
from commands import ROOT, bim_compile, bim_report, save_input, save_model

from bim_neuro.compilers.placement import spread
from bim_neuro.report import read_summary
from bim_neuro.report.models import Misshapen, OtherKeys, Summary, made, plain, read, schema_of
from bim_neuro.report.models.says import Items, Unit, Within

SCHEMA = json.loads((ROOT / "docs" / "summary.schema.json").read_text())
LEARNS = ("--learn", "rtrl", "--set", "learn.samples=6")
RUNS: dict[str, tuple[object, ...]] = {
    "plain": (),
    "compared": ("--verify", "reference", "--optimise", "energy"),
    "simulation": ("--target", "lava_cpu"),
    "traces": LEARNS,
    "tags": ("--learn", "three-factor", "--set", "learn.samples=6", "--set", "learn.placement=tags"),
}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return the folder of a run, made when first asked for."""
    folder = tmp_path_factory.mktemp("models")
    model = save_model(folder / "small.pt")
    labelled = save_input(folder / "xy.npz", y=np.arange(6) % 4)
    bare = save_input(folder / "x.npz")

    def run(name: str) -> Path:
        out = folder / name
        if not out.exists():
            learns = ("--set", f"learn.test={labelled}") if "--learn" in RUNS.get(name, ()) else ()
            sequences = bare if name == "unlabelled" else labelled
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(spread, "TRIES", 20)
                ended = bim_compile(model, "--input", sequences, *RUNS.get(name, ()), *learns, "-o", out)
            assert (ended.code, out.exists()) == (0, True), ended.err
        return out

    return run


@pytest.fixture
def data(written: Callable[[str], Path]) -> dict[str, Any]:
    """A summary of today, to be changed."""
    return dict(json.loads((written("plain") / "summary.json").read_text()))


def test_the_schema_in_the_docs_is_what_the_models_generate() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "summary_schema.py"))
    assert script["text"]() == (ROOT / "docs" / "summary.schema.json").read_text(), (
        "run python scripts/summary_schema.py"
    )
    assert script["page"]() == (ROOT / "docs" / "summary.md").read_text(), "run python scripts/summary_schema.py"
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_page_on_the_summary_has_a_row_for_each_key_of_every_object() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "summary.md").read_text(), re.MULTILINE)
    assert rows == [name for one in (SCHEMA, *SCHEMA["$defs"].values()) for name in one["properties"]]


def test_every_key_says_what_it_is() -> None:
    objects = [SCHEMA, *SCHEMA["$defs"].values()]
    silent = [name for one in objects for name, key in one["properties"].items() if not key.get("description")]
    assert silent == []
    assert [one for one in objects if not one["description"] or one["additionalProperties"] is not False] == []


@pytest.mark.parametrize("name", [*RUNS, "unlabelled"])
def test_a_summary_is_of_its_schema_and_reads_back_equal(name: str, written: Callable[[str], Path]) -> None:
    text = json.loads((written(name) / "summary.json").read_text())
    jsonschema.validate(text, SCHEMA, cls=jsonschema.Draft202012Validator)
    model = read(Summary, text)
    assert plain(model) == text
    assert read(Summary, plain(model)) == model == read_summary(written(name))
    assert (text["accuracy"] is None) == (name == "unlabelled")
    assert (text["learning"] is not None) == (name in ("traces", "tags"))


def test_the_keys_of_a_model_are_written_in_their_order(data: dict[str, Any]) -> None:
    keys = [field.name for field in fields(Summary)]
    assert keys == list(SCHEMA["properties"])
    assert list(data) == [key for key in keys if key not in ("expect", "answers")]  # left out where there are none


def test_what_refuses_a_model_lists_findings_and_cores_as_a_summary_does(tmp_path: Path) -> None:
    from small_models import small_checkpoint

    large = save_model(tmp_path / "large.pt", small_checkpoint(channels=20_000, states=1, taps=1))
    found = json.loads(bim_compile(large, "--check", "--json").out)
    refused = json.loads(bim_compile(large, "--input", save_input(tmp_path / "x.npz"), "--json").out)
    assert not found["fits"]
    assert refused["error"]["exit_code"] == 1
    lists = (("Finding", found["findings"]), ("Finding", refused["findings"]), ("Cores", [found["cores"]]))
    for part, values in lists:
        assert values
        for value in values:
            jsonschema.validate(value, _definition(part))


def _definition(name: str) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{name}", "$defs": SCHEMA["$defs"]}


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "text for a number": (lambda s: s["layers"][1].update(synapses="12"), "layers[1].synapses is '12', not a whole"),
    "truth for a number": (lambda s: s["cores"].update(used=True), "cores.used is True, not a whole number"),
    "null for a number": (lambda s: s.update(samples=None), "samples is None, not a whole number"),
    "another word": (lambda s: s.update(backend="cloud"), "backend is 'cloud', not one of engine, reference, lava"),
    "a new key": (lambda s: s["energy"].update(tax={}), "energy.tax is an unknown key"),
    "no key": (lambda s: s["latency"]["answer_us"].pop("low"), "latency.answer_us.low is missing"),
    "a list for an object": (lambda s: s.update(dense=[]), "dense is not an object"),
    "an object for a list": (lambda s: s.update(findings={}), "findings is not a list"),
    "an unknown event": (lambda s: s["energy"]["events"].update(heat={}), "energy.events is 'heat', not one of"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_not_of_its_model_is_refused_by_its_place(change: str, data: dict[str, Any], tmp_path: Path) -> None:
    apply, message = CHANGES[change]
    apply(data)
    with pytest.raises(Misshapen) as refused:
        read(Summary, data)
    assert str(refused.value).startswith(message)
    assert not jsonschema.Draft202012Validator(SCHEMA).is_valid(data)
    (tmp_path / "summary.json").write_text(json.dumps(data))
    ended = bim_report(tmp_path)
    assert (ended.code, f"is damaged: {message.split()[0]} " in ended.err) == (2, True)


def test_a_folder_of_version_1_is_read_and_compared(
    data: dict[str, Any], written: Callable[[str], Path], tmp_path: Path
) -> None:
    del data["schema_version"]
    (tmp_path / "summary.json").write_text(json.dumps(data))
    assert read_summary(tmp_path) == read_summary(written("plain"))
    ended = bim_report("compare", tmp_path, written("plain"), "--json")
    assert {row["verdict"] for row in json.loads(ended.out)["rows"]} == {"same"}


@pytest.mark.parametrize(
    ("change", "said_so"),
    [
        (lambda summary: summary.pop("sequences"), "sequences is missing"),
        (lambda summary: summary["layers"][0].update(cost=1), "layers[0].cost is an unknown key"),
        (lambda summary: summary.update(backend="fast"), "backend is 'fast', not one of"),
    ],
)
def test_a_folder_of_an_older_version_with_other_keys_says_how_to_make_it_anew(
    change: Callable[[dict[str, Any]], Any], said_so: str, data: dict[str, Any], tmp_path: Path
) -> None:
    del data["schema_version"]
    change(data)
    (tmp_path / "summary.json").write_text(json.dumps(data | {"command": "bim-compile a.pt -o b"}))
    for words in ((tmp_path,), ("compare", tmp_path, tmp_path)):
        ended = bim_report(*words)
        assert ended.code == 2
        said = " ".join(ended.err.split())
        assert f"was written by an older bim-compile: {said_so}" in said
        assert "hint: compile again: bim-compile a.pt -o b" in said


def test_a_folder_of_a_newer_version_is_refused(data: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "summary.json").write_text(json.dumps(data | {"schema_version": 3}))
    ended = bim_report(tmp_path)
    assert (ended.code, "was written by a newer bim-neuro: schema_version 3, this one reads 2" in ended.err) == (
        2,
        True,
    )


@dataclass(frozen=True)
class Part:
    """A part."""

    size: Annotated[float | None, "How large.", Unit("mm"), Within(low=0)]


@dataclass(frozen=True)
class Other:
    """Another part."""

    name: Annotated[str, "Its name."]


@dataclass(frozen=True)
class Toy:
    """A model with one of each."""

    parts: Annotated[tuple[Part, ...], "Its parts.", Items(1)]
    mixed: Annotated[dict[Literal["a", "b"], Part | Other], "Parts of two kinds."]
    colour: Annotated[Literal["red"] | None, "Its colour."]
    note: Annotated[str | None, "Left out where there is none."] = None


def test_a_model_becomes_a_schema() -> None:
    made_of = schema_of(Toy, "toy")
    assert made_of["required"] == ["parts", "mixed", "colour"]
    assert made_of["properties"] == {
        "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}, "description": "Its parts.", "minItems": 1},
        "mixed": {
            "type": "object",
            "propertyNames": {"enum": ["a", "b"]},
            "additionalProperties": {"anyOf": [{"$ref": "#/$defs/Part"}, {"$ref": "#/$defs/Other"}]},
            "description": "Parts of two kinds.",
        },
        "colour": {"enum": ["red", None], "description": "Its colour."},
        "note": {"type": "string", "description": "Left out where there is none."},
    }
    size = {"type": ["number", "null"], "description": "How large. Unit: mm.", "minimum": 0}
    assert made_of["$defs"]["Part"]["properties"] == {"size": size}


def test_a_model_is_read_and_written() -> None:
    values: dict[str, Any] = {
        "parts": [{"size": 1}],
        "mixed": {"a": {"name": "x"}, "b": {"size": None}},
        "colour": None,
    }
    toy = read(Toy, values)
    assert toy == Toy((Part(1),), {"a": Other("x"), "b": Part(None)}, None)
    assert plain(toy) == values
    assert plain(read(Toy, values | {"note": "n"})) == values | {"note": "n"}
    with pytest.raises(OtherKeys, match=r"parts\[0\]\.size is missing"):
        made(Toy, values | {"parts": [{}]})

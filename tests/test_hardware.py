"""Profiles: what ships is whole and sourced, what is broken is refused by file, key and value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from math import inf
from pathlib import Path

import pytest

from bim_neuro.errors import InputError
from bim_neuro.hardware import BASES, Quantity, list_profiles, load_profile, weakest_basis

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/adding_a_chip.md").read_text(), re.DOTALL)[0]
SYNOP = 'synop_pj = { value = 20, low = 10, high = 40, unit = "pJ", basis = "assumed", source = "example" }'


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    """Write a profile and return its path as the command line would give it."""

    def write(text: str) -> str:
        path = tmp_path / "chip.toml"
        path.write_text(text)
        return str(path)

    return write


def test_loihi2_and_lava_cpu_ship() -> None:
    assert {"loihi2", "lava_cpu"} <= set(list_profiles())


@pytest.mark.parametrize("name", list_profiles())
def test_every_number_that_ships_has_a_range_a_unit_a_basis_and_a_source(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.quantities()) >= 30
    for key, quantity in profile.quantities().items():
        assert quantity.basis in BASES, key
        assert len(quantity.source) > 10, key
        assert quantity.unit, key
        assert quantity.published == (quantity.basis != "unpublished"), key
        assert quantity.value is None or quantity.low <= quantity.value <= quantity.high, key


def test_every_profile_that_ships_is_named_in_the_readme() -> None:
    readme = (ROOT / "hardware_profiles/README.md").read_text()
    assert sorted(re.findall(r"^\| `(\w+)\.toml`", readme, re.MULTILINE)) == list(list_profiles())


def test_the_limits_of_loihi2_are_those_of_the_printed_tables() -> None:
    capacity = load_profile("loihi2").capacity
    limits = {f.name: getattr(capacity, f.name).value for f in fields(capacity)}
    assert limits == {
        "cores": 120,
        "mesh_columns": 8,
        "neuron_words": 4095,
        "synapse_words": 16000,
        "axon_in_words": 16000,
        "axon_map_words": 16000,
        "axon_mem_words": 16000,
        "core_words": 20000,
        "groups": 8,
        "neuron_state_words": 512,
    }


def test_the_simulation_has_no_cores_no_limits_on_them_and_no_prices() -> None:
    profile = load_profile("lava_cpu")
    assert profile.usable_cores is None
    for key, quantity in profile.quantities().items():
        if key.startswith("capacity."):
            assert quantity.number == inf, key
        if key.startswith("energy."):
            assert not quantity.published, key


def test_the_profile_printed_in_the_guide_loads_by_its_path(write: Callable[[str], str]) -> None:
    profile = load_profile(write(EXAMPLE))
    assert profile.usable_cores == 4
    assert profile.energy.synop_pj == Quantity(20, 10, 40, "pJ", "assumed", "example")
    assert profile.capacity.axon_map_words.value is None
    assert profile.capacity.axon_map_words.number == inf
    assert profile.passes_per_update["scan"].unit == "passes/state"


def test_an_unknown_target_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as refusal:
        load_profile("loihi3")
    assert refusal.value.message == "unknown target 'loihi3'"
    assert ", ".join(list_profiles()) in refusal.value.hint


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read the profile .*no_chip\.toml"):
        load_profile(str(tmp_path / "no_chip.toml"))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(InputError, match="cannot read the profile"):
        load_profile(str(tmp_path / "folder.toml"))


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"a = " + b"[" * 20_000], ids=["cut", "binary", "deep"])
def test_what_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "chip.toml").write_bytes(content)
    with pytest.raises(InputError, match=r"chip\.toml is not TOML"):
        load_profile(str(tmp_path / "chip.toml"))


def replaced(old: str, new: str) -> str:
    assert EXAMPLE.count(old) == 1
    return EXAMPLE.replace(old, new)


BROKEN = {
    "price below zero": (
        replaced(SYNOP, SYNOP.replace("low = 10", "low = -3")),
        "'energy.synop_pj.low' is -3, allowed",
    ),
    "value above high": (
        replaced(SYNOP, SYNOP.replace("value = 20", "value = 50")),
        "'energy.synop_pj' is low 10, value 50, high 40, allowed: low <= value <= high",
    ),
    "no unit": (replaced(SYNOP, SYNOP.replace('unit = "pJ", ', "")), "'energy.synop_pj.unit' is missing"),
    "other unit": (
        replaced(SYNOP, SYNOP.replace('"pJ"', '"nJ"')),
        "'energy.synop_pj.unit' is 'nJ', allowed: pJ",
    ),
    "unknown basis": (
        replaced(SYNOP, SYNOP.replace("assumed", "guess")),
        "'energy.synop_pj.basis' is 'guess', allowed: metered, measured",
    ),
    "no source": (
        replaced(SYNOP, SYNOP.replace('"example"', '" "')),
        "'energy.synop_pj.source' is ' ', allowed: a text",
    ),
    "unpublished with a value": (
        replaced(SYNOP, SYNOP.replace("assumed", "unpublished")),
        "unknown key 'energy.synop_pj.value', allowed: unit, basis, source",
    ),
    "bare number": (
        replaced(SYNOP, "synop_pj = 20"),
        "'energy.synop_pj' is 20, allowed: a table {value, low",
    ),
    "missing key": (replaced(SYNOP, ""), "'energy.synop_pj' is missing, needed: scope, synop_pj"),
    "unknown key": (
        replaced(SYNOP, f"{SYNOP}\nsynapse_pj = 1"),
        "unknown key 'energy.synapse_pj', allowed: scope",
    ),
    "missing section": (
        replaced("[capabilities]\nmicrocode = true", ""),
        "'capabilities' is missing, needed: name",
    ),
    "not a number": (
        replaced(SYNOP, SYNOP.replace("value = 20", "value = nan")),
        "'energy.synop_pj.value' is nan, allowed: a number",
    ),
    "truth as a number": (
        replaced(SYNOP, SYNOP.replace("= 20", "= true")),
        "'energy.synop_pj.value' is True",
    ),
    "text as a number": (replaced(SYNOP, SYNOP.replace("= 20", '= "20"')), "'energy.synop_pj.value' is '20'"),
    "beyond 64 bits": (
        replaced(SYNOP, SYNOP.replace("= 20", f"= {10**30}")),
        "'energy.synop_pj.value' is 1000",
    ),
    "truth as a text": (
        replaced("microcode = true", 'microcode = "yes"'),
        "'capabilities.microcode' is 'yes', allowed",
    ),
    "unknown scope": (
        replaced('"per_term"', '"total"'),
        "'energy.scope' is 'total', allowed: per_term, all_in",
    ),
    "all-in beside terms": (
        replaced('"per_term"', '"all_in"'),
        "'energy.update_pass_pj' is 80, allowed: unpublished",
    ),
    "cores without a mesh": (
        replaced("{ value = 2, low = 2", "{ value = 0, low = 0"),
        "'capacity.mesh_columns' is 0",
    ),
    "no name": (replaced('name = "toy"', 'name = ""'), "'name' is '', allowed: a text"),
}


@pytest.mark.parametrize(("text", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_profile_is_refused_in_one_line_that_names_file_key_value_and_allowed(
    write: Callable[[str], str], text: str, complaint: str
) -> None:
    with pytest.raises(InputError) as refusal:
        load_profile(write(text))
    assert "chip.toml" in refusal.value.message
    assert complaint in refusal.value.message
    assert "\n" not in refusal.value.message


def test_the_weakest_basis_is_the_last_on_the_list() -> None:
    known = [Quantity(1, 1, 1, "pJ", basis, "by hand") for basis in ("derived", "measured", "assumed", "simulated")]
    assert weakest_basis(known) == "assumed"
    assert weakest_basis(known[:2]) == "derived"
    assert weakest_basis([]) == "unpublished"

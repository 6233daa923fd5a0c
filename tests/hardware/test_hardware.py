"""Profiles: what ships is whole and sourced, what is broken is refused by file, key and value."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import fields
from math import inf
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bim_neuro.errors import InputError
from bim_neuro.hardware import BASES, Quantity, list_profiles, load_profile, weakest_basis
from bim_neuro.hardware.schema import LARGEST, UNLIMITED

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE, BOARD = re.findall(r"```toml\n(.*?)```", (ROOT / "docs/adding_a_chip.md").read_text(), re.DOTALL)
CAPACITY = EXAMPLE[: EXAMPLE.index("[memory]")]
SYNOP = 'synop_pj = { value = 20, low = 10, high = 40, unit = "pJ", basis = "assumed", source = "example" }'


Write = Callable[..., str]


@pytest.fixture(scope="module")
def write(tmp_path_factory: pytest.TempPathFactory) -> Write:
    """Write a profile and return its path as the command line would give it."""
    folder = tmp_path_factory.mktemp("profiles")

    def write(text: str, name: str = "chip.toml") -> str:
        path = folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def refusal_of(path: str) -> str:
    """Return the one line with which a profile is refused."""
    with pytest.raises(InputError) as refusal:
        load_profile(path)
    assert "\n" not in refusal.value.message
    return refusal.value.message


@pytest.mark.parametrize("name", list_profiles())
def test_every_number_that_ships_has_a_range_a_unit_a_basis_and_a_source(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert len(profile.quantities()) >= 50
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


def test_the_boards_of_loihi2_have_the_published_chips_and_the_cores_of_each() -> None:
    boards = {name: load_profile(name) for name in ("loihi2", "oheo_gulch", "kapoho_point", "hala_point")}
    assert {name: board.board.chips.value for name, board in boards.items()} == {
        "loihi2": 1,
        "oheo_gulch": 1,
        "kapoho_point": 8,
        "hala_point": 1152,
    }
    assert boards["hala_point"].usable_cores == 140_544
    assert boards["kapoho_point"].usable_cores == 8 * 120
    assert boards["kapoho_point"].cores_per_chip == 120


@pytest.mark.parametrize("name", ["oheo_gulch", "kapoho_point", "hala_point"])
def test_a_board_says_of_its_chips_what_loihi2_says_but_for_what_its_own_file_holds(name: str) -> None:
    own = (ROOT / f"hardware_profiles/{name}.toml").read_text()
    chip, board = load_profile("loihi2").quantities(), load_profile(name).quantities()
    differing = {key.split(".")[-1] for key in chip if chip[key] != board[key]}
    assert differing == set(re.findall(r"^(\w+) = \{", own, re.MULTILINE))


def test_the_comparison_chips_have_prices_of_one_scope_each() -> None:
    scopes = {name: load_profile(name).energy.scope for name in list_profiles()}
    assert {name for name, scope in scopes.items() if scope == "all_in"} == {"truenorth", "odin", "reckon"}
    assert load_profile("truenorth").energy.synop_pj.value == 26
    assert load_profile("odin").energy.synop_pj.value == 12.7
    assert load_profile("loihi1").energy.synop_pj.value == 23.6
    assert load_profile("loihi1").energy.learning_update_pj.value == 120


def test_the_simulation_has_no_cores_no_limits_on_them_and_no_prices() -> None:
    profile = load_profile("lava_cpu")
    assert profile.usable_cores is None
    for key, quantity in profile.quantities().items():
        if key.startswith("capacity."):
            assert quantity.number == inf, key
        if key.startswith("energy."):
            assert not quantity.published, key


def test_the_profile_printed_in_the_guide_loads_by_its_path(write: Write) -> None:
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
    with pytest.raises(InputError, match=r"cannot read the profile: .*no_chip\.toml"):
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
        replaced(EXAMPLE[EXAMPLE.index("[capabilities]") :], ""),
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
        replaced("mesh_columns = { value = 2, low = 2", "mesh_columns = { value = 0, low = 0"),
        "'capacity.mesh_columns' is 0, allowed: a whole number, 1 or more",
    ),
    "a board without chips": (
        replaced("\nchips = { value = 1, low = 1", "\nchips = { value = 0, low = 0"),
        "'board.chips' is 0, allowed: a whole number, 1 or more",
    ),
    "half a chip": (
        replaced("\nchips = { value = 1, low = 1, high = 1", "\nchips = { value = 1.5, low = 1, high = 2"),
        "'board.chips' is 1.5, allowed: a whole number, 1 or more",
    ),
    "chips without end": (
        replaced("\nchips = { value = 1, low = 1, high = 1", "\nchips = { value = inf, low = 1, high = inf"),
        "'board.chips.value' is inf, allowed: a number from 0 to 1e+06 chips",
    ),
    "no cores": (
        replaced("\ncores = { value = 4, low = 4", "\ncores = { value = 0, low = 0"),
        "'capacity.cores' is 0, allowed: a whole number, 1 or more (inf for a simulation)",
    ),
    "cores that nobody counted": (
        re.sub(r"\ncores = .*", '\ncores = { unit = "cores", basis = "unpublished", source = "none" }', EXAMPLE),
        "'capacity.cores' is unpublished, allowed: a whole number",
    ),
    "cores without limits": (
        re.sub(r'value = .*(?=, unit = "(words|groups)")', "value = inf, low = inf, high = inf", CAPACITY)
        + EXAMPLE[len(CAPACITY) :],
        "there are cores, but nothing limits what one holds",
    ),
    "words without bits": (
        re.sub(r"word_bits = .*", 'word_bits = { unit = "bits", basis = "unpublished", source = "none" }', EXAMPLE),
        "'memory.word_bits' is unpublished, allowed: a number, 1 or more, as there are cores",
    ),
    "unknown encoding": (
        replaced("[encoding.sparse]", "[encoding.compressed]"),
        "unknown key 'encoding.compressed', allowed: dense, sparse, shared",
    ),
    "no dense lists": (replaced("[encoding.dense]", "[encoding.shared]"), "'encoding.dense' is missing, needed"),
    "no name": (replaced('name = "toy"', 'name = ""'), "'name' is '', allowed: a text"),
}


@pytest.mark.parametrize(("text", "complaint"), BROKEN.values(), ids=BROKEN)
def test_a_broken_profile_is_refused_in_one_line_that_names_file_key_value_and_allowed(
    write: Write, text: str, complaint: str
) -> None:
    message = refusal_of(write(text))
    assert "chip.toml" in message
    assert complaint in message


@settings(max_examples=40)
@given(st.tuples(*[st.floats() | st.integers()] * 3))
def test_three_numbers_are_a_price_exactly_if_they_ascend_from_zero_and_are_no_fortune(
    write: Write, numbers: tuple[float, float, float]
) -> None:
    low, value, high = numbers
    written = f"value = {value}, low = {low}, high = {high}"
    path = write(replaced(SYNOP, SYNOP.replace("value = 20, low = 10, high = 40", written)))
    if 0 <= low <= value <= high <= LARGEST["pJ"]:
        assert load_profile(path).energy.synop_pj == Quantity(value, low, high, "pJ", "assumed", "example")
    else:
        assert "'energy.synop_pj" in refusal_of(path)


@settings(max_examples=40)
@given(st.integers(0, EXAMPLE.count("\n") - 1), st.text() | st.sampled_from(EXAMPLE.splitlines()))
def test_a_line_of_anything_in_a_profile_is_read_or_refused_by_file(write: Write, number: int, line: str) -> None:
    lines = EXAMPLE.splitlines()
    lines[number] = line
    path = write("\n".join(lines).encode("utf-8", "replace").decode())
    try:
        load_profile(path)
    except InputError as refusal:
        assert path in refusal.message  # noqa: PT017


ONE_OF_EACH_UNIT = {quantity.unit: key for key, quantity in load_profile("loihi2").quantities().items()}


@pytest.mark.parametrize("number", ["inf", "1e18"])
def test_a_number_without_end_is_refused_where_it_is_read_unless_nothing_limits_it(write: Write, number: str) -> None:
    for unit, key in ONE_OF_EACH_UNIT.items():
        section, _, name = key.rpartition(".")
        value = f'value = {number}, low = {number}, high = {number}, unit = "{unit}", basis = "assumed", source = "x"'
        path = write(f'extends = "loihi2"\nname = "mine"\ntitle = "mine"\n[{section}]\n{name} = {{ {value} }}\n')
        try:
            assert (load_profile(path).quantities()[key].value, number, unit in UNLIMITED) == (inf, "inf", True)
        except InputError as refusal:
            assert f"'{key}" in refusal.message  # noqa: PT017


def test_only_exponents_may_be_negative(write: Write) -> None:
    low = 'scale_exponent_low = { value = 0, low = 0, high = 0, unit = "log2"'
    path = write(replaced(low, low.replace("value = 0, low = 0", "value = -7, low = -8")))
    assert load_profile(path).learning.scale_exponent_low.value == -7


def test_the_board_printed_in_the_guide_is_its_chip_but_for_what_it_says(write: Write) -> None:
    board, chip = load_profile(write(BOARD, "board.toml")), load_profile("loihi2")
    assert (board.name, board.usable_cores) == ("my_board", 4 * 120)
    assert board.process == chip.process
    assert board.energy.synop_pj == chip.energy.synop_pj
    assert not board.energy.static_mw.published


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(sorted(load_profile("odin").quantities())), st.integers(1, 9)))
def test_what_extends_a_profile_differs_from_it_in_its_own_numbers_and_in_no_other(
    write: Write, chosen: dict[str, int]
) -> None:
    base = load_profile("odin").quantities()
    own = {key: value for key, value in chosen.items() if not key.startswith("energy.")}  # all_in: no terms beside it
    lines = ['extends = "odin"', 'name = "mine"', 'title = "mine"']
    for key, value in own.items():
        number = f"value = {value}, low = {value}, high = {value}, unit = {json.dumps(base[key].unit)}"
        lines.append(f'{key} = {{ {number}, basis = "assumed", source = "mine" }}')
    found = load_profile(write("\n".join(lines))).quantities()
    assert {key for key in base if found[key].source == "mine"} == set(own)
    assert {key: found[key].value for key in own} == own
    assert {key: found[key] for key in base if key not in own} == {key: base[key] for key in base if key not in own}


HEAD = 'name = "mine"\ntitle = "mine"\n'
EXTENDING = {
    "itself": ('extends = "a.toml"', "", "a.toml: 'extends' is 'a.toml', allowed: a profile that does not extend this"),
    "in a circle": ('extends = "b.toml"', 'extends = "./x/../a.toml"', "b.toml: 'extends' is './x/../a.toml', allowed"),
    "a missing file": ('extends = "c.toml"', "", "a.toml: 'extends' is 'c.toml', allowed: hala_point, "),
    "a missing name": ('extends = "loihi3"', "", "a.toml: 'extends' is 'loihi3', allowed: hala_point, "),
    "a folder": ('extends = "."', "", "a.toml: 'extends' is '.', allowed: hala_point, "),
    "a suffix": ('extends = ".toml"', "", "a.toml: 'extends' is '.toml', allowed: hala_point, "),
    "too long a name": (f'extends = "{"c" * 5000}.toml"', "", "a.toml: 'extends' is 'ccc"),
    "a number": ("extends = 2", "", "a.toml: 'extends' is 2, allowed: hala_point, "),
    "what is not TOML": ('extends = "b.toml"', "[", "b.toml is not TOML"),
    "a broken base": (
        'extends = "b.toml"',
        'extends = "odin"\n[energy]\nscope = "most"',
        "b.toml: 'energy.scope' is 'm",
    ),
    "part of a number": (
        'extends = "loihi2"\n[energy]\nsynop_pj = { value = 5 }',
        "",
        "a.toml: 'energy.synop_pj.low' is missing, needed: value, low, high, unit, basis, source",
    ),
    "a price beside an all-in one": (
        f'extends = "truenorth"\n[energy]\n{SYNOP.replace("synop_pj", "message_pj")}',
        "",
        "a.toml: 'energy.message_pj' is 20, allowed: unpublished",
    ),
}


@pytest.mark.parametrize(("first", "second", "complaint"), EXTENDING.values(), ids=EXTENDING)
def test_what_cannot_be_extended_is_refused_in_one_line_that_names_file_key_and_value(
    write: Write, first: str, second: str, complaint: str
) -> None:
    write(HEAD + second, "b.toml")
    assert complaint in refusal_of(write(HEAD + first, "a.toml"))


def test_a_board_without_a_name_of_its_own_is_refused(write: Write) -> None:
    assert "'name' is missing" in refusal_of(write('extends = "loihi2"'))


def test_the_weakest_basis_is_the_last_on_the_list() -> None:
    known = [Quantity(1, 1, 1, "pJ", basis, "by hand") for basis in ("derived", "measured", "assumed", "simulated")]
    assert weakest_basis(known) == "assumed"
    assert weakest_basis(known[:2]) == "derived"
    assert weakest_basis([]) == "unpublished"


@pytest.mark.parametrize("name", ["loihi2", "oheo_gulch"])
def test_the_static_power_of_a_profile_is_not_called_the_whole_boards(name: str) -> None:
    """A whole board with one chip drew 1.78 W; 230 mW is a part of it (docs/energy.md)."""
    static = load_profile(name).energy.static_mw
    assert static.value is not None
    assert static.value < 1780
    assert "1.78 W" in static.source

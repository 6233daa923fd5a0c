"""Targets as a user sees them: the table of all, every number of one, and the table in the docs."""

from __future__ import annotations

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from commands import ROOT, bim_compile, save_model

from bim_neuro.hardware import BASES, list_profiles, load_profile

DOCUMENT = (ROOT / "docs/hardware.md").read_text()
NONE = "axon_in_words = { value = 0, low = 0, high = 0,"
ROW = re.compile(r"^\| `(\w+\.[\w.]+)` \| (\S*) \| ((?:\S+ to \S+)?) \| (\S+) \| (\w+) \| (.+) \|$", re.MULTILINE)


def test_the_list_of_targets_is_that_of_the_profiles() -> None:
    listed = json.loads(bim_compile("--list", "targets", "--json").out)
    assert [row["name"] for row in listed] == list(list_profiles())
    rows = {row["name"]: row for row in listed}
    assert (rows["hala_point"]["chips"], rows["hala_point"]["cores"]) == (1152, 140_544)
    assert rows["lava_cpu"]["cores"] is None
    assert {name: row["energy_basis"] for name, row in rows.items()} == {
        name: load_profile(name).energy.synop_pj.basis if row["scope"] == "all_in" else row["energy_basis"]
        for name, row in rows.items()
    }


def test_the_table_of_targets_names_each_with_its_cores_scope_and_weakest_basis() -> None:
    ended = bim_compile("--list", "targets")
    assert ended.code == 0
    lines = {line.split()[0]: line for line in ended.out.splitlines()}
    assert set(list_profiles()) <= set(lines)
    for word in ("1,152", "140,544", "per_term", "assumed"):
        assert word in lines["hala_point"]
    assert "unlimited" in lines["lava_cpu"]
    assert "all_in" in lines["truenorth"]


@pytest.mark.parametrize("name", list_profiles())
def test_a_target_is_shown_with_every_number_its_basis_and_its_source(name: str) -> None:
    shown, text = json.loads(bim_compile("--list", name, "--json").out), bim_compile("--list", name).out
    expected = load_profile(name).quantities()
    assert [number["key"] for number in shown["numbers"]] == list(expected)
    for number in shown["numbers"]:
        quantity = expected[number["key"]]
        assert (number["unit"], number["basis"], number["source"]) == (quantity.unit, quantity.basis, quantity.source)
        assert number["value"] is None or float(number["value"]) == quantity.value
        assert number["key"] in text
        assert quantity.source in text


def test_a_target_of_yours_is_shown_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('extends = "loihi2"\nname = "mine"\ntitle = "My [board]"\n')
    ended = bim_compile("--list", path)
    assert ended.out.startswith("mine: My [board]")
    assert json.loads(bim_compile("--list", path, "--json").out)["cores"] == 120


def test_an_unknown_target_is_refused_in_one_line() -> None:
    ended = bim_compile("--list", "loihi3")
    assert (ended.code, ended.errors) == (2, ["error: --list knows no 'loihi3'"])
    assert "settings, targets, nodes, dialects; known targets: hala_point" in ended.err


def test_without_a_model_only_the_targets_are_shown() -> None:
    ended = bim_compile("--check")
    assert (ended.code, ended.errors) == (2, ["error: MODEL is missing"])


def test_the_table_in_the_docs_is_what_the_command_prints() -> None:
    command = [sys.executable, "-m", "bim_neuro.hardware", "loihi2"]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert printed.startswith("| key | value |")
    assert DOCUMENT.endswith(f"\n\n{printed}")


def test_the_tables_of_targets_are_what_their_script_writes_of_the_profiles() -> None:
    script = runpy.run_path(str(ROOT / "scripts" / "profiles_page.py"))
    for file, text in script["texts"]().items():
        assert text == file.read_text(), "run python scripts/profiles_page.py"
        assert [name for name in list_profiles() if not re.search(rf"^\| `{name}(?:\.toml)?` \|", text, re.M)] == []


def test_no_number_in_the_docs_lacks_a_basis_or_a_source() -> None:
    rows = {key: rest for key, *rest in ROW.findall(DOCUMENT)}
    assert list(rows) == list(load_profile("loihi2").quantities())
    for key, (value, span, _, basis, source) in rows.items():
        assert basis in BASES, key
        assert len(source) > 10, key
        assert bool(value) == bool(span) == (basis != "unpublished"), key


def test_the_passes_of_a_scan_are_those_counted_in_the_docs() -> None:
    names = ("LIF", "scan, a state", "scan, a channel", "S4D, a complex state")
    lif, state, channel, s4d = (int(re.findall(rf"^\| {name} \| (\d+) \|", DOCUMENT, re.M)[0]) for name in names)
    instructions, passes = state + channel / 8, load_profile("loihi2").passes_per_update
    scan = passes["scan"]
    assert scan.value == pytest.approx(instructions * passes["lif"].value / lif, rel=0.02)
    assert scan.low == pytest.approx(8 * passes["lif"].low / lif)
    assert scan.high == 2 * scan.value > instructions * (300 / 103 * passes["lif"].value) / s4d


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.mark.parametrize("name", ["loihi1", "truenorth", "odin", "reckon"])
def test_a_chip_without_programmable_neurons_says_by_name_why_a_mamba_does_not_fit(model: Path, name: str) -> None:
    ended = bim_compile(model, "--target", name, "--check", "--json")
    findings = json.loads(ended.out)["findings"]
    assert ended.code == 1
    assert {"microcode", "message-bits"} <= {finding["rule"] for finding in findings}
    assert all(name in finding["message"] for finding in findings)


@pytest.mark.parametrize("name", ["oheo_gulch", "kapoho_point", "hala_point", "spinnaker2"])
def test_a_small_mamba_fits_what_runs_programs_of_its_own(model: Path, name: str) -> None:
    assert bim_compile(model, "--target", name, "--check").code == 0


def test_a_chip_may_have_none_of_what_a_model_takes_none_of(model: Path, tmp_path: Path) -> None:
    """SpiNNaker 2 keeps no axon tables: it takes 0 words of them, and 0 of 0 is no limit that was passed."""
    profile = (ROOT / "hardware_profiles/spinnaker2.toml").read_text()
    target = tmp_path / "mine.toml"
    target.write_text(profile.replace("axon_in_words = { value = inf, low = inf, high = inf,", NONE))
    assert bim_compile(model, "--target", target, "--check").code == 0


def test_the_list_says_which_chips_take_no_model_of_ours_and_why(tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(bim_compile("--list", "targets", "--json").out)}
    assert rows["loihi2"]["takes"] == ["LIF", "BIM"]
    assert rows["loihi1"]["takes"] == ["LIF"]
    assert {name for name, row in rows.items() if not row["takes"]} == {"odin", "reckon", "truenorth"}
    model = save_model(tmp_path / "m.pt")
    for name, row in rows.items():  # what the list says is what a compile finds
        assert bim_compile(model, "--target", name, "--check").code == (0 if "BIM" in row["takes"] else 1)
    lines = [line for line in bim_compile("--list", "targets").out.splitlines() if "no model of ours fits" in line]
    assert [line.split()[5].strip(":") for line in lines] == ["odin", "reckon", "truenorth"]
    assert "computes in words of 24 bits, reckon holds 16" in lines[1]
    assert "takes no BIM model: the smallest sends messages" in bim_compile("--list", "loihi1").out

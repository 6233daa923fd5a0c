"""bim-report fit: a CSV and profiler prints become a profile that loads; what is wrong is named by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from commands import bim_compile, bim_report, save_input, save_model

from bim_neuro.hardware import load_profile


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a small compile."""
    folder = tmp_path_factory.mktemp("fit")
    model, samples = save_model(folder / "small.pt"), save_input(folder / "x.npz", y=np.arange(6) % 4)
    assert bim_compile(model, "--input", samples, "-o", folder / "out").code == 0
    return folder / "out"


def rows(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines) + "\n")
    return path


CSV = (
    "synop, update_pass, uj, us, boundary, sigma",
    *(
        f"{synops}, {passes}, {(17 * synops + 95 * passes) / 1e6 + us * 0.26}, {us}, cores, 0.01"
        for synops, passes, us in [(1e6, 1e4, 9), (1e5, 1e5, 20), (1e4, 1e6, 99), (3e6, 10, 1), (10, 10, 200)]
    ),
)


def test_a_csv_gives_a_profile_that_loads_with_metered_prices(tmp_path: Path) -> None:
    ended = bim_report("fit", rows(tmp_path / "runs.csv", *CSV), "-o", tmp_path / "mine.toml")
    assert (ended.code, ended.err) == (0, "")
    assert "energy.synop_pj: 17 (" in ended.out
    profile = load_profile(tmp_path / "mine.toml")
    assert (profile.name, profile.energy.synop_pj.basis) == ("mine", "metered")
    assert profile.energy.update_pass_pj.value == pytest.approx(95, rel=1e-4)
    assert profile.energy.static_mw.value == pytest.approx(260, rel=1e-4)
    assert profile.timing == load_profile("loihi2").timing


def test_json_holds_prices_residuals_and_what_cannot_be_told_apart(tmp_path: Path) -> None:
    alike = rows(
        tmp_path / "runs.csv", "synop, update_pass, uj, boundary", "1e6, 1e4, 20, dynamic", "2e6, 2e4, 40, dynamic"
    )
    found = json.loads(bim_report("fit", alike, "--json").out)
    assert found["apart"] == [["energy.synop_pj", "energy.update_pass_pj"]]
    assert [row["fitted"] for row in found["residuals"]] == [pytest.approx(20e6), pytest.approx(40e6)]
    assert len(found["prices"]) == len(found["kept"]) == 1


def test_what_a_profiler_printed_is_read_with_the_counts_of_the_summary_beside_it(out: Path) -> None:
    summary = json.loads((out / "summary.json").read_text())
    steps = summary["latency"]["steps_per_sample"]
    us, watts = 7.5 * steps, 0.262
    printed = rows(out / "profiler.txt", "Total Power   : 0.262000 W", "Static Power  : 0.250000 W",
                   "VDD Power     : 0.1 W", "Time per timestep :       7.50 us")  # fmt: skip
    found = json.loads(bim_report("fit", printed, "--prices", "energy.static_mw,energy.update_pass_pj", "--json").out)
    fitted = {row["price"]: row["value"] for row in found["prices"]}
    assert fitted["energy.static_mw"] == pytest.approx(250, rel=1e-5)
    events, prices = summary["energy"]["events"], load_profile("loihi2").energy
    passes = events["updates"]["value"] / prices.update_pass_pj.value
    others = sum(cost["value"] for event, cost in events.items() if event != "updates")
    expected = ((watts - 0.25) * us * 1e6 - others) / passes
    assert fitted["energy.update_pass_pj"] == pytest.approx(expected, rel=1e-4)


def test_a_row_may_name_the_folder_of_a_compile(out: Path) -> None:
    file = rows(out.parent / "runs.csv", "out, uj, us, boundary", "out, 9.5, 40, chip")
    found = json.loads(bim_report("fit", file, "--prices", "energy.chip_mw", "--json").out)
    dynamic = json.loads((out / "summary.json").read_text())["energy"]["dynamic_uj"]["value"]
    assert found["prices"][0]["value"] == pytest.approx((9.5 - dynamic) / 40 * 1e3, rel=1e-4)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (("synop, uj", "1, 2"), "line 2: there is no us"),
        (("synop, us", "1, 2"), "line 2: there is no uj"),
        (("synops, uj, us", "1, 2, 3"), "line 2: unknown column 'synops'"),
        (("synop, uj, us", "1, 2, 3", "x, 2, 3"), "line 3: synop is 'x'"),
        (("synop, uj, us, boundary", "1, 2, 3, rack"), "boundary"),
        (("synop, uj, us",), "holds no measurement"),
    ],
)
def test_a_row_that_says_too_little_is_refused_by_its_line(tmp_path: Path, lines: tuple[str, ...], words: str) -> None:
    ended = bim_report("fit", rows(tmp_path / "runs.csv", *lines))
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    assert words in ended.err
    assert "hint: " in ended.err


def test_a_fit_needs_a_file_and_one_of_its_target(out: Path, tmp_path: Path) -> None:
    assert "FILES is missing" in bim_report("fit").err
    assert "cannot read" in (ended := bim_report("fit", tmp_path / "none.csv")).err or ended.code == 2
    file = rows(out.parent / "other.csv", "out, uj, us", "out, 1, 40")
    assert "add --target loihi2" in bim_report("fit", file, "--target", "loihi1").err

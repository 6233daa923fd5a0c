"""The board kit's place in the output folder: a folder in the folder, in which files of others stay."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import bim_compile, content, save_input, save_model

from bim_neuro.errors import InputError
from bim_neuro.jobs import folder

RUN = "board/run.py"


def fill(output: Path, *names: str) -> list[Path]:
    """Write a result of these files; return what was moved aside."""
    with folder.reserved(output), folder.filled(output) as (fresh, aside):
        for name in (*names, "summary.json"):
            (fresh / name).parent.mkdir(exist_ok=True)
            (fresh / name).write_text(name)
    return aside


def test_a_kit_that_is_not_written_again_goes_and_a_file_beside_it_stays(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, RUN, "board/program.npz")
    fill(out)
    assert not (out / "board").exists()
    fill(out, RUN)
    (out / "board" / "notes.txt").write_text("mine")
    assert fill(out) == []
    assert set(content(out)) == {"board/notes.txt", "summary.json", folder.LIST}
    fill(out, RUN)
    assert (out / RUN).read_text() == RUN


@pytest.mark.parametrize("link", [False, True])
def test_something_that_is_no_folder_in_its_place_is_refused(tmp_path: Path, link: bool) -> None:
    out = tmp_path / "out"
    fill(out)
    if link:
        (tmp_path / "elsewhere").mkdir()
        (out / "board").symlink_to(tmp_path / "elsewhere")
    else:
        (out / "board").write_text("mine")
    with pytest.raises(InputError, match="holds 'board', which bim-compile did not write"):
        fill(out, RUN)


def test_what_took_its_place_during_the_run_is_moved_aside(tmp_path: Path) -> None:
    out = tmp_path / "out"
    with folder.reserved(out), folder.filled(out) as (fresh, aside):
        (fresh / "board").mkdir()
        (fresh / RUN).write_text("ours")
        (out / "board").write_text("mine")
    assert aside == [out / "board.~1~"]
    assert ((out / RUN).read_text(), aside[0].read_text()) == ("ours", "mine")


def test_a_changed_script_is_not_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    fill(out, RUN)
    (out / RUN).write_text("mine")
    with pytest.raises(InputError, match=r"run\.py was changed after bim-compile wrote it"):
        fill(out, RUN)


def test_the_setting_leaves_the_kit_out(tmp_path: Path) -> None:
    model, samples = save_model(tmp_path / "small.pt"), save_input(tmp_path / "x.npz")
    ended = bim_compile(model, "--input", samples, "--set", "board.kit=no", "-o", tmp_path / "out")
    assert ended.code == 0, ended
    assert not (tmp_path / "out" / "board").exists()
    assert 'kit = "no"' in (tmp_path / "out" / "request.toml").read_text()

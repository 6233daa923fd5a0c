"""The pages "from ..." and "first hour" run: whole where their framework is installed, else from recorded files."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_blocks import PAGES, RECORDED, framework_of, run_page, runs_here

QUICK = ("from_snntorch",)
"""Each page compiles once or more; the others are run by make test-all."""


def marks(page: str) -> list[pytest.MarkDecorator]:
    lava = [pytest.mark.lava] if "--verify lava" in PAGES[page].read_text() else []
    return lava if page in QUICK else [pytest.mark.slow, *lava]


@pytest.mark.parametrize("page", [pytest.param(page, marks=marks(page)) for page in PAGES])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_page(page, tmp_path) >= (4 if runs_here(page) else 2)


def test_what_a_frameworks_page_writes_is_kept() -> None:
    assert sorted(path.name for path in RECORDED.iterdir()) == sorted(filter(None, map(framework_of, PAGES)))

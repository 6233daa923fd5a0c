"""The pages "from ..." run: whole where their framework is installed, else from what its first block had written."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_blocks import PAGES, RECORDED, framework_of, run_page, runs_here

QUICK = ("from_snntorch",)
"""Each page compiles once or more; the others are run by make test-all."""


@pytest.mark.parametrize("page", [pytest.param(p, marks=() if p in QUICK else pytest.mark.slow) for p in PAGES])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_blocks_of_a_page_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_page(page, tmp_path) >= (4 if runs_here(page) else 2)


def test_what_a_frameworks_page_writes_is_kept() -> None:
    assert sorted(path.name for path in RECORDED.iterdir()) == sorted(filter(None, map(framework_of, PAGES)))

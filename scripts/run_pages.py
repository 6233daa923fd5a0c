"""Run the pages "from ..." of docs/ as a reader does, one after the other, each in a new folder.

    python scripts/run_pages.py [--record]          needs the frameworks: `make frameworks` runs it

--record keeps the NIR file and the recording of each framework's page in tests/pages_data, with which the suite runs
the rest of the page where the framework is not installed.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from page_blocks import FILES, PAGES, RECORDED, framework_of, run_page, runs_here  # noqa: E402


def main() -> None:
    """Print a line for each page."""
    warnings.simplefilter("ignore")
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            framework = framework_of(page)
            print(f"{page}: {run_page(page, Path(folder))} lines found" + ("" if runs_here(page) else ", in part"))
            if framework and "--record" in sys.argv:
                kept = RECORDED / framework
                kept.mkdir(parents=True, exist_ok=True)
                for name in FILES:
                    shutil.copy(name, kept / name)
            os.chdir(ROOT)


if __name__ == "__main__":
    main()

"""Make the pictures of a report for docs/: report-light.png and report-dark.png, the first screen in each theme.

usage: python scripts/screenshots.py out/digits/report.html (make pictures)
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browsers import Visit, browser  # noqa: E402 (found beside the tests)

SIZE = {"width": 1280, "height": 1224}


def main() -> None:
    """Open the report named on the command line in both themes."""
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_file():
        raise SystemExit("usage: python scripts/screenshots.py REPORT.html")
    with browser() as chromium:
        for theme in ("light", "dark"):
            page = Visit(chromium, Path(sys.argv[1]), color_scheme=theme).page
            page.set_viewport_size(SIZE)
            page.screenshot(path=ROOT / "docs" / f"report-{theme}.png")


if __name__ == "__main__":
    main()

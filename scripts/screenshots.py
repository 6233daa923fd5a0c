"""Make the pictures for docs/: report-light.png and -dark.png, a report's first screen in each theme; sweep.png.

usage: python scripts/screenshots.py out/digits/report.html (make pictures), or out/sweep-digits/sweep.html
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browsers import Visit, browser  # noqa: E402 (found beside the tests)

PICTURES = {
    "report.html": {"report-light": ("light", 1224), "report-dark": ("dark", 1224)},
    "sweep.html": {"sweep": ("light", 900)},
}
"""Of each page: its pictures' names, each with a theme and a height."""


def main() -> None:
    """Open the page named on the command line in its themes."""
    page_file = Path(sys.argv[1]) if len(sys.argv) == 2 else Path()
    if not page_file.is_file() or page_file.name not in PICTURES:
        raise SystemExit(f"usage: python scripts/screenshots.py {' or '.join(PICTURES)}")
    with browser() as chromium:
        for name, (theme, height) in PICTURES[page_file.name].items():
            page = Visit(chromium, page_file, color_scheme=theme).page
            page.set_viewport_size({"width": 1280, "height": height})
            page.screenshot(path=ROOT / "docs" / f"{name}.png")


if __name__ == "__main__":
    main()

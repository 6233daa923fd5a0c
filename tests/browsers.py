"""A headless browser for tests and for the docs' pictures, and a page that notes whatever should not happen."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

AXE = Path(__file__).resolve().parents[1] / ".axe" / "node_modules" / "axe-core" / "axe.min.js"
"""Where `scripts/browser` puts axe-core."""
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


_RUNS: list[Any] = []
"""The playwright of this process: it refuses a second one."""


@contextmanager
def browser() -> Iterator[Any]:
    """Start the system's Chromium, or the one playwright brought; LookupError says why there is none."""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        raise LookupError("the package playwright comes with the browser extra") from None
    with nullcontext(_RUNS[0]) if _RUNS else sync_playwright() as playwright:
        try:
            found = playwright.chromium.launch(executable_path=next(filter(None, map(shutil.which, NAMES)), None))
        except Error as error:
            raise LookupError(f"no Chromium starts here: {str(error).splitlines()[0]}") from None
        _RUNS.append(playwright)
        try:
            yield found
        finally:
            _RUNS.pop()
        found.close()


SCREEN: Any = {"width": 1280, "height": 900}


class Visit:
    """A page opened from the file system; ``troubles`` are console messages, script errors and requests."""

    def __init__(self, browser: Any, path: Path, **options: Any) -> None:
        self.page = browser.new_page(viewport=SCREEN, **options)
        self._open(path)

    @classmethod
    def again(cls, page: Any, path: Path, color_scheme: str = "light") -> Visit:
        """Open a page where another was: much sooner than in a process of its own."""
        page.evaluate("try { localStorage.clear() } catch { }")
        page.mouse.move(0, 0)
        page.set_viewport_size(SCREEN)
        page.emulate_media(media="null", color_scheme=color_scheme)
        visit = cls.__new__(cls)
        visit.page = page
        visit._open(path)
        return visit

    def _open(self, path: Path) -> None:
        self.troubles: list[str] = []
        self.address = path.resolve().as_uri()
        self._heard = {"console": self._said, "pageerror": self._failed, "request": self._note}
        for event, noted in self._heard.items():
            self.page.on(event, noted)
        self.page.goto(self.address)

    def leave(self) -> None:
        """Note nothing any more, so that the page can be another visit's."""
        for event, noted in self._heard.items():
            self.page.remove_listener(event, noted)

    def _said(self, message: Any) -> None:
        self.troubles.append(f"console {message.type}: {message.text}")

    def _failed(self, error: Any) -> None:
        self.troubles.append(f"error: {error}")

    def _note(self, request: Any) -> None:
        if request.url != self.address:
            self.troubles.append(f"request: {request.url[:80]}")


Open = Callable[..., Visit]
"""Opens a page by its name."""

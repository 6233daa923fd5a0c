"""What every test shares: quiet libraries, Lava where it is needed, recordings where they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# Read when numpy, torch and matplotlib load, hence set before any test imports them. Two cores run the suite,
# and Lava's forked processes must not meet a parent with threads of its own.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("TRITON_INTERPRET", "1")  # the CUDA kernels on the CPU; 0 where there is a card

# A shell lets its jobs in the background ignore Ctrl-C, and so would the commands that the tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("suite", deadline=None, derandomize=True)
hypothesis.settings.load_profile("suite")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session", autouse=True)
def power_stays_on() -> Iterator[None]:
    """Let no write wait for the disk: no test here can see a loss of power, and a compile waits forty times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda handle: None)
        yield


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout's folder."""
    return ROOT


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings that lies beside the checkout; skips the test where there is none."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real recordings beside this checkout (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """A headless browser; skips the test where there is none."""
    from browsers import browser

    try:
        with browser() as found:
            yield found
    except LookupError as reason:
        pytest.skip(str(reason))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip the tests marked ``lava`` where Lava is missing; continuous integration must have it."""
    from bim_neuro.compilers.to_lava.compat import lava_available

    available, reason = lava_available()
    if available or os.environ.get("CI"):
        return
    for item in items:
        if item.get_closest_marker("lava"):
            item.add_marker(pytest.mark.skip(reason=reason))

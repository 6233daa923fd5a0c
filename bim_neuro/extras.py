"""Extras: packages that only some commands need; if one is missing, the error says how to install it."""

from __future__ import annotations

from importlib.util import find_spec

from .errors import BackendMissing


def check_extra(extra: str, package: str, what: str) -> None:
    """Raise `BackendMissing`, with the install command, if a package of an extra is missing."""
    if find_spec(package) is None:
        raise BackendMissing(f"{what} needs the package {package}, which is not installed here",
                             f"pip install 'bim-neuro[{extra}]'")  # fmt: skip

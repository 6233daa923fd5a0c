"""Makes Lava 0.10.0 importable on Python 3.10 to 3.13, or says what is missing.

Call :func:`import_lava` before any ``from lava... import``; only this package imports Lava.

Lava's last release was made for Python 3.10. From 3.11 on, ``dataclasses`` refuses a default value whose
class has no ``__hash__``, and Lava has one such default: ``ByteEncoder`` in lava/magma/compiler/var_model.py.
While Lava is imported such a class has ``object.__hash__``; afterwards dataclasses and Lava's class are
restored. Ports that change a shape call ``numpy.reshape(..., newshape=)``, which numpy has dropped in 2.4: theirs is
replaced by a call that every numpy knows.
"""

from __future__ import annotations

import dataclasses
import importlib
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

import numpy as np

from bim_neuro.errors import BackendFailed, BackendMissing

LAVA = "lava-nc==0.10.0"
NEEDS = ("asteval", "networkx", "scipy")  # imports of Lava 0.10.0 besides numpy, from its sources

# Imports the class that needs the patch and sets multiprocessing's start method; the rest loads as usual.
_FIRST_MODULE = "lava.magma.core.process.process"


def lava_available() -> tuple[bool, str]:
    """Return whether Lava can be imported here, and its version or the reason; does not import it."""
    try:
        found = f"lava-nc {version('lava-nc')}"
    except PackageNotFoundError:
        return False, "Lava is not installed: no package lava-nc"
    missing = [name for name in NEEDS if find_spec(name) is None]
    if missing:
        return False, f"{found} lacks {', '.join(missing)}"
    if "fork" not in multiprocessing.get_all_start_methods():
        return False, f"{found} needs an operating system that can fork, such as Linux"
    return True, found


def check_installed() -> None:
    """Raise `BackendMissing` if Lava cannot be imported here, with the reason and the command that installs it."""
    available, reason = lava_available()
    if not available:
        raise BackendMissing(f"the lava backend is not installed here: {reason}", how_to_install())


def import_lava() -> None:
    """Import Lava's core, so that ``from lava... import`` works afterwards; a second call does nothing.

    Importing Lava sets the start method of multiprocessing to ``fork`` for the whole process, which is one
    reason why compiled models run in a child process.

    Raises
    ------
    BackendMissing
        Lava or something it needs is not installed; the hint is the command that installs it on this Python.
    BackendFailed
        This process has already chosen a start method other than ``fork``.
    """
    if _FIRST_MODULE in sys.modules:
        return
    available, reason = lava_available()
    if not available:
        raise BackendMissing(reason, hint=how_to_install())
    _release_start_method()
    try:
        with _unhashable_defaults_allowed():
            importlib.import_module(_FIRST_MODULE)
        _reshape_on_any_numpy()
    except ImportError as error:
        raise BackendMissing(f"{reason} does not import: {error}", hint=how_to_install()) from error


def how_to_install(python: tuple[int, int] = sys.version_info[:2]) -> str:
    """Return the command that installs Lava on ``python``; Lava's metadata excludes 3.11 and later."""
    if python < (3, 11):
        return f"pip install {LAVA}"
    return f"pip install {' '.join(NEEDS)} && pip install --no-deps --ignore-requires-python {LAVA}"


def _release_start_method() -> None:
    """Reset the start method, so that Lava can set it to ``fork`` even if it is ``fork`` already."""
    method = multiprocessing.get_start_method(allow_none=True)
    if method not in (None, "fork"):
        raise BackendFailed(
            f"Lava needs the multiprocessing start method 'fork', this process has chosen '{method}'",
            hint="call import_lava() of bim_neuro.compilers.to_lava.compat before the start method is set",
        )
    multiprocessing.set_start_method(None, force=True)


def _reshape_on_any_numpy() -> None:
    """Replace what Lava's ReshapePort hands to its receiver, in both directions."""
    port: Any = importlib.import_module("lava.magma.core.process.ports.ports").ReshapePort
    port.get_transform_func_fwd = lambda self: partial(_reshaped, shape=self.shape)
    port.get_transform_func_bwd = lambda self: partial(_reshaped, shape=self.old_shape)


def _reshaped(values: Any, shape: tuple[int, ...]) -> Any:
    return np.reshape(values, shape)


@contextmanager
def _unhashable_defaults_allowed() -> Iterator[None]:
    """Inside the context, ``dataclasses`` accepts a default value whose class is Lava's and has no ``__hash__``."""
    module: Any = dataclasses  # the function below is private, so typeshed does not know it
    original = module._get_field
    patched: list[Any] = []

    def get_field(cls: type, name: str, *rest: Any) -> Any:
        kind: Any = type(getattr(cls, name, None))
        if kind.__hash__ is None and kind.__module__.startswith("lava."):
            kind.__hash__ = object.__hash__
            patched.append(kind)
        return original(cls, name, *rest)

    module._get_field = get_field
    try:
        yield
    finally:
        module._get_field = original
        for kind in patched:
            kind.__hash__ = None

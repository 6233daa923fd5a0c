"""Boundary: of what the static power counts: the neurocores, the chip with its embedded processors, or the board."""

from __future__ import annotations

from dataclasses import replace

from .. import arguments
from ..choices import BOUNDARIES
from ..errors import InputError
from .schema import HardwareProfile


def at_boundary(profile: HardwareProfile, boundary: str | None) -> HardwareProfile:
    """Return the profile with the static power of a boundary; None leaves it to the profile.

    Raises InputError where the profile has no static power of that boundary.
    """
    if boundary is None:
        return profile
    arguments.choice(boundary, BOUNDARIES, "boundary")
    if not profile.powers[boundary].published:
        known = [name for name, power in profile.powers.items() if power.published]
        hint = f"it has that of {' and '.join(known)}" if known else "it has none"
        raise InputError(f"{profile.name} has no published static power of boundary '{boundary}'", hint)
    return replace(profile, boundary=boundary)

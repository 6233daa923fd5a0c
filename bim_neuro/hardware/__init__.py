"""Hardware profiles: a chip is a table, and every number in it has a range, a unit, a basis and a source.

What each section means: docs/hardware.md. How to add a chip: docs/adding_a_chip.md.
"""

from ..choices import BOUNDARIES
from .boundary import at_boundary
from .quantity import BASES, Quantity, weakest_basis
from .read import list_profiles, load_profile
from .schema import (
    ENCODINGS,
    SCOPES,
    Board,
    Capabilities,
    Capacity,
    Encoding,
    Energy,
    HardwareProfile,
    LearningEngine,
    Memory,
    Numeric,
    Timing,
)
from .table import markdown, numbers, overview
from .write import as_toml

__all__ = [
    "BASES",
    "BOUNDARIES",
    "ENCODINGS",
    "SCOPES",
    "Board",
    "Capabilities",
    "Capacity",
    "Encoding",
    "Energy",
    "HardwareProfile",
    "LearningEngine",
    "Memory",
    "Numeric",
    "Quantity",
    "Timing",
    "as_toml",
    "at_boundary",
    "list_profiles",
    "load_profile",
    "markdown",
    "numbers",
    "overview",
    "weakest_basis",
]

"""State dicts as training loops save them: under a name of their choice, behind prefixes as ``module.``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MARK = "log_A_real"
"""A weight that every S4D has; what stands before its name stands before all of its layer."""
HOLDERS = ("state_dict", "model_state_dict", "model", "net", "network", "state")
"""Where training loops keep weights in what they save."""


def holding(content: Any, last: str) -> Mapping[Any, Any] | None:
    """Return the dict, ``content`` itself or one that it holds, of a key that ends in ``last``; None: there is none."""
    while isinstance(content, Mapping):
        if any(str(name).endswith(last) for name in content):
            return content
        content = next((content[holder] for holder in HOLDERS if isinstance(content.get(holder), Mapping)), None)
    return None

"""What bim-compile was asked for, as a typed request."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..jobs.settings import POWER
from .asked import Asked
from .shared import word

if TYPE_CHECKING:
    from ..jobs.request import Request


def request_of(asked: Asked) -> Request:
    """Return the typed request of a run or a check."""
    from ..jobs.compose import OPTIONS, compose
    from ..jobs.places import default_output

    model, given = model_of(asked), asked.options
    output = given["output"] or (Path() if given["check"] else default_output(model))  # a check writes nothing
    chip = {"target": Path(given["target"])} if given["target"].endswith(".toml") else {}
    file = asked.file(model=model, output=output, **chip)
    command = shlex.join(["bim-compile", *sys.argv[1:]])
    settings = {**asked.settings, **_power(asked)}
    return compose(model, output, asked.words(*OPTIONS), settings, file=file, command=command)


def _power(asked: Asked) -> dict[str, Any]:
    """Return the boundary and the rate that were given as options, as settings."""
    found = {}
    for setting in POWER:
        field = setting.name.removeprefix("power.")
        if asked.options[field] is not None:
            option = replace(setting, name="--" + field.replace("_", "-"))
            given = word(asked.options[field]) if setting.kind is str else asked.options[field]
            found[setting.name] = option.read(given)
    return found


def model_of(asked: Asked) -> Path:
    """Return the model's file, which must have been named."""
    model: Path = asked.needs("model", "MODEL", "name a model.pt or a .nir file, as bim-compile --help shows")
    return model

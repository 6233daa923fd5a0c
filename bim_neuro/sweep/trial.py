"""A trial: what one combination asks bim-train and bim-compile for, and the name of its folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from .names import PATHS, SHARED, Knob, is_path
from .origin import code, content_hash, key_of, profile_hash

Values = Mapping[str, Any]
WithoutEffect = Callable[[Values], frozenset[str]]
"""Which of the names in a request have no effect there."""
_SOURCE = 12  # digits of a model's hash that tell it from others
SEEDS = ("seed", "learn.seed")


@dataclass(frozen=True)
class Trial:
    """What is asked for, by full names, without what has no effect."""

    model: Path | None  # None: it is trained first
    task: str | None
    compiled: Values  # what bim-compile is asked for
    trained: Values  # what bim-train is

    @cached_property
    def training(self) -> str | None:
        """The name of the folder of its training; None where nothing is trained."""
        if self.task is None:
            return None
        return key_of({"task": self.task, "train": _hashed(self.trained), "code": code()})

    @cached_property
    def key(self) -> str:
        """The name of its folder."""
        model = self.training if self.model is None else content_hash(self.model)
        target = str(self.compiled.get("target", "loihi2"))
        asked = _hashed({name: value for name, value in self.compiled.items() if name != "target"})
        return key_of({"model": model, "compile": asked, "profile": profile_hash(target), "code": code()})

    @property
    def values(self) -> dict[str, Any]:
        """All that is asked for."""
        return {**self.trained, **self.compiled}

    @property
    def plain(self) -> dict[str, Any]:
        """What a worker, which may stand in another folder, needs of it, as plain values with whole paths."""
        return {
            "key": self.key,
            "training": self.training,
            "model": None if self.model is None else str(self.model.absolute()),
            "task": self.task,
            "values": self.values,
            "source": self.task or content_hash(Path(str(self.model)))[:_SOURCE],
            "compiled": _whole(self.compiled),
            "trained": _whole(self.trained),
        }

    @property
    def files(self) -> list[Path]:
        """Every file that it reads, by its whole path."""
        asked = _whole({**self.compiled, **self.trained})
        named = [Path(value) for name, value in asked.items() if is_path(name, value)]
        return [*([self.model.absolute()] if self.model else []), *named]


def _whole(asked: Values) -> dict[str, Any]:
    """Return values with whole paths."""
    return {name: str(Path(value).absolute()) if is_path(name, value) else value for name, value in asked.items()}


def _hashed(asked: Values) -> dict[str, Any]:
    """Return values with the content of files in place of their paths."""
    return {name: content_hash(Path(str(value))) if name in PATHS else value for name, value in asked.items()}


@dataclass(frozen=True)
class Maker:
    """Makes trials of combinations: the model or the task, what is fixed, and what has no effect beside what."""

    model: Path | None
    task: str | None
    fixed: Values
    known: Mapping[str, Knob]
    without_effect: WithoutEffect

    def asked(self, values: Values) -> tuple[dict[str, Any], frozenset[str]]:
        """Return all that a combination asks for, and which names of it have no effect."""
        asked = {**self.fixed, **values}
        return asked, self.without_effect(asked)

    def trial(self, values: Values) -> Trial:
        """Return the trial of a combination, without what has no effect in it."""
        asked, dropped = self.asked(values)
        kept = {name: value for name, value in asked.items() if name not in dropped}
        compiled = {name: value for name, value in kept.items() if not self.known[name].trains}
        trained = {name: value for name, value in kept.items() if self.task and self._trains(name)}
        if self.task == "own" and "data" in compiled:
            compiled["input"] = compiled.pop("data")
        return Trial(self.model, self.task, compiled, trained)

    def _trains(self, name: str) -> bool:
        return self.known[name].trains or name in SHARED


def request_toml(trial: Mapping[str, Any], model: str) -> str:
    """Return the request of a plain trial as a file for bim-compile --config."""
    sections: dict[str, dict[str, Any]] = {"run": {"model": model}}
    for name, value in trial["compiled"].items():
        section, _, key = name.rpartition(".")
        if (name, value) != ("lowering", "fused"):
            sections.setdefault(section or "run", {})[key] = value
    lines = ["# bim-compile --config FILE -o OUT runs this trial again"]
    for section, entries in sections.items():
        lines += ["", f"[{section}]", *(f"{name} = {json.dumps(value)}" for name, value in sorted(entries.items()))]
    return "\n".join(lines) + "\n"

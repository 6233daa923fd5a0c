"""The name of a trial's folder: a change of anything its result depends on gives another, and nothing else does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import save_input, save_model
from small_models import small_checkpoint

from bim_neuro.sweep import origin
from bim_neuro.sweep.names import names
from bim_neuro.sweep.trial import Maker, Trial

Change = Callable[[Path, pytest.MonkeyPatch], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, an input and a chip, which is the current one."""
    save_model(tmp_path / "small.pt")
    save_input(tmp_path / "xy.npz")
    (tmp_path / "chip.toml").write_text('extends = "loihi2"\nname = "chip"\ntitle = "Chip"\n')
    monkeypatch.chdir(tmp_path)
    forget()
    return tmp_path


def forget() -> None:
    """Have everything read again, as a new process does."""
    for cached in (origin.code, origin.profile_hash):
        cached.cache_clear()


def compiled(place: Path, **more: object) -> Trial:
    fixed = {"input": "xy.npz", "target": "chip.toml", "prune.share": 0.5, **more}
    return Maker(place / "small.pt", None, fixed, names(False), lambda values: frozenset()).trial({})


def trained(place: Path, **more: object) -> Trial:
    fixed = {"data": str(place / "xy.npz"), "epochs": 3, "prune.share": 0.5, **more}
    return Maker(None, "own", fixed, names(True), lambda values: frozenset()).trial({})


def other_words(place: Path) -> None:
    chip = place / "chip.toml"
    words = '{ value = 7, low = 7, high = 7, unit = "words", basis = "assumed", source = "a test" }'
    chip.write_text(chip.read_text() + f"[capacity]\nneuron_words = {words}\n")


CHANGES: dict[str, Change] = {
    "model": lambda place, patch: save_model(place / "small.pt", small_checkpoint(1)) and None,
    "data": lambda place, patch: save_input(place / "xy.npz", samples=5) and None,
    "profile": lambda place, patch: other_words(place),
    "library": lambda place, patch: patch.setattr(origin, "version", lambda name: "0"),
    "code": lambda place, patch: patch.setattr(origin, "files", lambda package: installed(place)),
}


def installed(place: Path) -> Path:
    """Return a package of one file."""
    package = place / "package"
    if not package.exists():
        package.mkdir()
        (package / "law.py").write_text("x = 1\n")
    return package


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_gives_a_trial_another_folder(place: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    before = compiled(place).key
    CHANGES[what](place, monkeypatch)
    forget()
    assert compiled(place).key != before


@pytest.mark.parametrize("what", ["data", "library", "code"])
def test_a_change_gives_a_training_another_folder(place: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    before = trained(place)
    key, training = before.key, before.training
    CHANGES[what](place, monkeypatch)
    forget()
    after = trained(place)
    assert after.key != key
    assert after.training != training


def test_what_is_asked_of_a_compile_gives_another_trial_of_the_same_training(place: Path) -> None:
    one, two, three = (trained(place, **more) for more in ({}, {"prune.share": 0.6}, {"epochs": 4}))
    assert one.training == two.training != three.training
    assert len({one.key, two.key, three.key}) == 3


def test_an_edited_file_of_the_package_gives_another_folder(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CHANGES["code"](place, monkeypatch)
    keys = []
    for line in ("x = 1\n", "x = 2\n", "x = 1\n"):
        (installed(place) / "law.py").write_text(line)
        forget()
        keys.append(compiled(place).key)
    assert keys[0] == keys[2] != keys[1]


def test_names_places_and_dates_of_files_change_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = compiled(place).key
    there = place / "there"
    there.mkdir()
    for name, other in (("small.pt", "small.pt"), ("xy.npz", "renamed.npz"), ("chip.toml", "chip.toml")):
        (there / other).write_bytes((place / name).read_bytes())
    forget()
    assert compiled(there, input=str(there / "renamed.npz"), target=str(there / "chip.toml")).key == before
    monkeypatch.chdir(there)
    assert compiled(place, input=str(place / "xy.npz"), target=str(place / "chip.toml")).key == before

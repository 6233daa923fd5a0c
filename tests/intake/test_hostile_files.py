"""Hostile files: every one is refused by name in a second or two, with nothing run, written, awaited or left behind."""

from __future__ import annotations

import json
import os
import re
import resource
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from commands import Ended, bim_compile, bim_report, bim_train, save_input, save_model
from hostile_files import ALL, SPECIAL, Hostile, sign_beside, torchscript
from hostile_maps import MAPS, OFTEN

from bim_neuro.intake import limits

CORPUS = (*ALL, *MAPS)
QUICK = {*(one.name for one in ALL[::3]), *OFTEN}
"""Every third of the kinds; all of them are slow together."""
CASES = [pytest.param(one, id=one.name, marks=[] if one.name in QUICK else [pytest.mark.slow]) for one in CORPUS]
GIB_IN_KIB = 2**20
NOT_MADE = {"secret", "secret.h5"}
"""What some hostile files need beside them."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model") / "small.pt")


@pytest.fixture(scope="module")
def samples(model: Path) -> Path:
    return save_input(model.with_name("x.npz"))


class Measured(NamedTuple):
    """A command that ended in a process of its own: the most memory it and its readers took, and what it left open."""

    ended: Ended
    peak_kib: int
    descriptors: int
    children: bool


def measured(command: Callable[[], Ended]) -> Measured:
    """Run a command in a fork of this process, whose peaks are its own and not those of the tests before."""
    inlet, outlet = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads
        child = os.fork()
    if child == 0:
        try:
            with os.fdopen(outlet, "w") as answer:
                json.dump(_measure(command), answer)
        finally:
            os._exit(0)
    os.close(outlet)
    with os.fdopen(inlet) as answer:
        ended, *rest = json.load(answer)
    os.waitpid(child, 0)
    return Measured(Ended(*ended), *rest)


def _measure(command: Callable[[], Ended]) -> Measured:
    before, open_files = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, descriptors()
    ended = command()
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    try:
        os.waitpid(-1, os.WNOHANG)
        children = True
    except ChildProcessError:  # no child is left, not even a dead one
        children = False
    return Measured(ended, peak - before, descriptors() - open_files, children)


def descriptors() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def given(role: str, path: Path, model: Path, samples: Path) -> Ended:
    """Give a file to the command in its role."""
    out = path.with_name("out")
    if role == "model":
        return bim_compile(path, "--check", *(("--dt", 0.001) if path.suffix == ".nir" else ()))
    if role == "described":
        return bim_compile(path, "--learn", "described", "--input", samples, "-o", out)
    if role == "input":
        return bim_compile(model, "--check", "--input", path)
    if role == "target":
        return bim_compile(model, "--check", "--target", path)
    if role == "artefact":
        return bim_compile(path, "--self-test")
    if role == "data":
        return bim_train("ecg", "--data", path, "-o", path.with_name("ecg.pt"))
    assert role == "report"
    return bim_report(path)


@pytest.mark.timeout(200)
@pytest.mark.parametrize("hostile", CASES)
def test_a_hostile_file_is_refused_by_name_and_does_no_harm(
    tmp_path: Path, model: Path, samples: Path, hostile: Hostile
) -> None:
    path = tmp_path / hostile.name
    hostile.build(path)
    ended, peak_kib, left_open, children = measured(lambda: given(hostile.role, path, model, samples))
    assert ended.code in hostile.codes, ended
    assert "Traceback" not in ended.err + ended.out
    if ended.code:
        assert len(ended.errors) <= 1, ended.err
        assert hostile.name in ended.err or ended.code == 1
    for word in hostile.words:
        assert word in ended.err + ended.out  # of a readable file the findings are the answer
    assert not sign_beside(path).exists()
    assert {entry.name for entry in tmp_path.iterdir()} <= {path.name, *NOT_MADE} | (
        {"out"} if ended.code == 0 else set()
    )
    assert peak_kib < GIB_IN_KIB
    assert left_open <= 0
    assert not children


def test_the_corpus_has_one_of_each_kind() -> None:
    assert len({hostile.name for hostile in CORPUS}) == len(CORPUS) >= 40


def test_the_torchscript_archive_would_write_its_file(tmp_path: Path) -> None:
    """What the corpus refuses is real: torch runs it where it is asked to, and before 2.6 where it is told not to."""
    path = tmp_path / "evil.pt"
    torchscript(path)
    old = tuple(int(part) for part in re.findall(r"\d+", torch.__version__)[:2]) < (2, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls TorchScript deprecated
        if old:
            torch.load(path, weights_only=True)
        else:
            torch.jit.load(str(path))
    assert sign_beside(path).exists()


def test_an_interrupted_training_that_is_a_program_is_refused(tmp_path: Path) -> None:
    torchscript(tmp_path / "copy.pt.resume")
    ended = bim_train("copy", "-o", tmp_path / "copy.pt", "--epochs", 1)
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "TorchScript program" in ended.err
    assert [entry.name for entry in tmp_path.iterdir()] == ["copy.pt.resume"]


@pytest.mark.parametrize(("field", "sentence"), [("format", "not a bim-neuro model"), ("version", "format version")])
def test_numbers_in_the_place_of_a_word_are_refused_by_the_model(tmp_path: Path, field: str, sentence: str) -> None:
    path = save_model(tmp_path / "m.pt")
    torch.save(torch.load(path, weights_only=True) | {field: torch.arange(3)}, path)  # has no truth of its own
    ended = bim_compile(path, "--check")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert sentence in ended.err


@pytest.mark.parametrize("identity", [{"recipe": torch.arange(3)}, torch.arange(3)])
def test_an_interrupted_training_of_nobody_is_refused(tmp_path: Path, identity: object) -> None:
    torch.save({"identity": identity}, tmp_path / "copy.pt.resume")
    ended = bim_train("copy", "-o", tmp_path / "copy.pt", "--epochs", 1)
    assert ended.code == 2
    assert "belongs to a run with other options or data" in ended.err


KINDS = [kind if kind in ("pipe", "loop") else pytest.param(kind, marks=pytest.mark.slow) for kind in SPECIAL]
ROLES = {
    "model": (".pt", ".nir"),
    "input": (".npz",),
    "target": (".toml",),
    "artefact": (".bimn",),
    "report": ("",),
    "data": ("", ".npz"),
}


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("role", "suffix"), [(role, suffix) for role, found in ROLES.items() for suffix in found])
def test_what_is_no_file_is_refused_by_its_kind_and_not_waited_for(
    tmp_path: Path, model: Path, samples: Path, role: str, suffix: str, kind: str
) -> None:
    if kind == "folder" and role in ("report", "data"):
        pytest.skip("a folder is what is asked for")
    build, word = SPECIAL[kind]
    path = tmp_path / f"special{suffix}"
    build(path)
    ended = given(role, path, model, samples)
    assert (ended.code, len(ended.errors)) == (2, 1), ended
    assert str(path) in ended.err
    if role != "report":
        assert word in ended.err
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def identity(path: Path) -> tuple[int, ...]:
    """What tells whether somebody wrote here; the time of access is none of it, which a look at a link may set."""
    found = os.lstat(path)
    return found.st_ino, found.st_mode, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@pytest.mark.timeout(200)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("option", ["compile -o", "train -o", "train --json", "train --data"])
def test_a_place_to_write_that_is_no_file_is_refused_before_any_work(
    tmp_path: Path, model: Path, samples: Path, option: str, kind: str
) -> None:
    if kind == "folder" and option == "compile -o":
        pytest.skip("a folder is what is asked for")
    path = tmp_path / "special"
    SPECIAL[kind][0](path)
    before = identity(path)
    if option == "compile -o":
        ended = bim_compile(model, "--input", samples, "-o", path)
    elif option == "train --data":
        ended = bim_train("own", "--data", path, "-o", tmp_path / "own.pt")
    else:
        where = ("-o", path) if option == "train -o" else ("-o", tmp_path / "copy.pt", "--json", path)
        ended = bim_train("copy", "--epochs", 1, *where)
    assert (ended.code, len(ended.errors)) == (2, 1), ended
    assert str(path) in ended.err
    assert identity(path) == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["special"]


def test_an_honest_large_file_is_read_with_max_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    """Silence compresses well: what is refused first is read where the user says so, by that command alone."""
    monkeypatch.setattr(limits, "BASE_BYTES", 100_000)
    large = tmp_path / "large.npz"
    np.savez_compressed(large, x=np.zeros((75, 100, 5)), layout="BTC")
    arguments = (model, "--check", "--input", large)
    for _ in range(2):
        ended = bim_compile(*arguments)
        assert (ended.code, len(ended.errors)) == (2, 1)
        assert "takes 300,000 bytes" in ended.err
        assert "run.max_memory" in ended.err
        assert bim_compile(*arguments, "--set", "run.max_memory=1M").code == 0


@pytest.mark.parametrize("text", ["", "x", "-1", "0", "8GG", "1e99", "inf", "nan", "9" * 40])
def test_an_amount_of_memory_that_is_none_is_refused(model: Path, text: str) -> None:
    ended = bim_compile(model, "--check", "--set", f"run.max_memory={text}")
    assert (ended.code, len(ended.errors)) == (2, 1)
    assert "run.max_memory" in ended.err


def test_no_reader_of_torch_or_numpy_opens_a_file(root: Path) -> None:
    """What a user gives is opened in one room; Lava's runs, shards and prepared data are read back as ours."""
    ours = {"compilers/to_lava", "bim_neuro/intake", "bim_neuro/jobs/shard_workers.py", "bim_neuro/tasks/prepared.py"}
    readers = re.compile(r"torch\.load\(|np\.load\(|pickle\.loads?\(|weights_only")
    found = {
        str(file.relative_to(root)): readers.findall(file.read_text())
        for room in ("bim_neuro", "compilers")
        for file in (root / room).rglob("*.py")
        if not {str(file.parent.relative_to(root)), str(file.relative_to(root))} & ours
    }
    assert {name: calls for name, calls in found.items() if calls} == {}

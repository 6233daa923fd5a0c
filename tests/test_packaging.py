"""The wheel, the source archive and the editable install all hold one package, `bim_neuro`, and all of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import bim_neuro

ROOT = Path(__file__).resolve().parent.parent
VERSION = bim_neuro.__version__


def python(*arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None) -> str:
    """Run this Python with ``arguments`` and return what it printed."""
    done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, cwd=cwd, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the source archive and the wheel made from it; in direct/, the checkout's own wheel."""
    pytest.importorskip("build", reason="the package build comes with the dev extra")
    pytest.importorskip("hatchling", reason="the package hatchling comes with the dev extra")
    folder = tmp_path_factory.mktemp("dist")
    python("-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT))
    python("-m", "build", "--no-isolation", "--wheel", "--outdir", str(folder / "direct"), str(ROOT))
    return folder


def names_in(wheel: Path) -> set[str]:
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def files_below(folder: Path, suffix: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for path in folder.rglob(f"*{suffix}")}


@pytest.mark.slow
def test_the_wheel_holds_the_package_with_compilers_and_profiles_and_nothing_beside_it(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = names_in(wheel)
    own = {name for name in files_below(ROOT / "bim_neuro", ".py") if "__pycache__" not in name}
    own |= files_below(ROOT / "bim_neuro" / "report", ".js") | files_below(ROOT / "bim_neuro" / "report", ".css")
    through_links = {
        f"bim_neuro/{name}"
        for name in files_below(ROOT / "compilers", ".py") | files_below(ROOT / "hardware_profiles", ".toml")
    }
    assert own | through_links | {"bim_neuro/py.typed"} <= names
    assert {name.split("/")[0] for name in names} == {"bim_neuro"}
    assert names == names_in(next((built / "direct").glob("*.whl")))


@pytest.mark.slow
def test_the_source_archive_holds_plain_files_once(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        members = opened.getmembers()
    names = {member.name.removeprefix(f"bim_neuro-{VERSION}/") for member in members}
    assert not [member.name for member in members if member.issym() or member.islnk()]
    assert {"pyproject.toml", "LICENSE", "README.md", "bim_neuro/compilers/__init__.py"} <= names
    assert not {name for name in names if name.startswith(("compilers/", "hardware_profiles/", ".ci/"))}


@pytest.mark.slow
def test_an_installed_wheel_runs_from_its_own_folder(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site = tmp_path / "site"
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel))
    environment = {**os.environ, "PYTHONPATH": str(site)}
    script = """
import bim_neuro.compilers.quantise as module
from bim_neuro.hardware import load_profile
print(module.__file__, load_profile("loihi2").name)
"""
    place = site / "bim_neuro/compilers/quantise.py"
    assert python("-c", script, cwd=tmp_path, env=environment) == f"{place} loihi2"
    for command in ("bim-compile", "bim-train", "bim-sweep", "bim-report"):
        assert "Usage" in python(str(site / "bin" / command), "--help", cwd=tmp_path, env=environment)


def test_an_editable_install_reaches_compilers_through_the_link(tmp_path: Path) -> None:
    try:
        version("bim-neuro")
    except PackageNotFoundError:
        pytest.skip("bim-neuro is on the path but not installed")
    script = "import bim_neuro.compilers.quantise as module; print(module.__file__)"
    assert python("-c", script, cwd=tmp_path) == str(ROOT / "bim_neuro/compilers/quantise.py")

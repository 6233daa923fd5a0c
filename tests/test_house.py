"""The house: what loads with what, what may not be written in a file, and the commands a newcomer types."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
IGNORED = re.compile(r"\.git$|\.venv|__pycache__|\..*_cache$|\.hypothesis$|^(build|dist|out(-.*)?)$|\.egg-info$")

# A path of somebody's machine, or where packages come from: that belongs to the person who installs.
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:root|home|work|Users)/[\w.]+")
PACKAGE_INDEX = re.compile(rb"https?://[^\s\"'<>)]*(?:/simple\b|/whl\b|/packages/)|--(?:extra-)?index-url|--find-links")


def files() -> list[Path]:
    """Every file of a clone: git's list or, in a copy without git, all but what the commands make."""
    if (ROOT / ".git").exists() and shutil.which("git"):
        listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]).stdout
        paths = [ROOT / name for name in listed.split("\0") if name]
    else:
        everything = ROOT.rglob("*")
        paths = [path for path in everything if not any(map(IGNORED.search, path.relative_to(ROOT).parts))]
    return [path for path in paths if path.is_file() and path.resolve() != Path(__file__).resolve()]


def python_files() -> list[Path]:
    return [path for path in files() if path.suffix == ".py"]


def run(command: list[str], env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=ROOT, env=env)


def test_importing_bim_neuro_loads_neither_torch_nor_nir_nor_lava() -> None:
    script = "import sys, bim_neuro; print(*{'torch', 'nir', 'lava'}.intersection(sys.modules))"
    assert run([sys.executable, "-c", script]).stdout == "\n"


@pytest.mark.parametrize("pattern", [MACHINE_PATH, PACKAGE_INDEX], ids=["machine path", "package index"])
def test_no_file_holds_what_belongs_to_one_machine(pattern: re.Pattern[bytes]) -> None:
    found = {str(path.relative_to(ROOT)): pattern.findall(path.read_bytes()) for path in files()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_every_module_begins_with_a_docstring() -> None:
    bare = [
        str(path.relative_to(ROOT))
        for path in python_files()
        if not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert bare == []


FORMER = [
    (r"bim_neuro[./](?:engine|learning|job|console|folder|sequences|chip_learning|terms|latency|energy)\b", "."),
    (r"compilers[./](?:place|plastic|memory|channel|partition|mesh|lists|bounds|traffic|anneal|split)\b(?!/)", "."),
    (r"\bnodes[./]synapse\b", "."),
    (r"from bim_neuro import (?:job|console|options|folder)\b", "."),
    (r"\bon_paper\b|\bclass Paper\b", "compilers"),
    (r"bim_neuro[./]account\b|--max-memory|--lava-timeout", "."),
    (r"\bthe face\b|\bhonest\b|\bgarble[ds]\b|\b(?:stand|speak)s? against\b", "bim_neuro"),
    (r"\b[Ll]ast bits? of\b|\bgo(?:es)? on where it was\b|\bsaturated words\b", "bim_neuro"),
    (r"-\(-\w+ // ", "bim_neuro/report"),
    (r"-\(-\w+ // ", "compilers/placement"),
]
"""Names and habits that were given up: (what may no longer stand, in which folder)."""


@pytest.mark.parametrize(("gone", "folder"), FORMER)
def test_what_was_renamed_does_not_come_back(gone: str, folder: str) -> None:
    kept = ("CHANGELOG.md", "docs/decisions")  # speak of what was
    text = {path.relative_to(ROOT): path for path in files() if path.suffix in (".py", ".md", ".toml")}
    inside = {name: path for name, path in text.items() if name.is_relative_to(folder)}
    told = {name: path for name, path in inside.items() if not str(name).startswith(kept)}
    assert told
    assert [str(name) for name, path in told.items() if re.search(gone, path.read_text(encoding="utf-8"))] == []


def test_a_class_has_its_name_alone() -> None:
    """The models of a report are called as what they report, and lie in a room of their own."""
    homes: dict[str, list[str]] = {}
    for path in sources():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and "models" not in path.parts:
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert {name: files for name, files in homes.items() if len(files) > 1} == {}


MOST_LINES, MOST_CODE, MOST_PARAMETERS = 300, 50, 8
"""Of a file; and of a function, without its docstring, blank lines and comments."""
KERNELS = re.compile(r"kernels?\.py$|/kernels/|/anneal\.py$")
"""Modules that numba compiles: a kernel is called with all that it reads, and a loop cut in two is two loops."""
COMMANDS = ("compile_command", "train_command", "sweep_command")
"""Typer reads an option from each parameter of a command."""


def sources() -> list[Path]:
    return [path for path in python_files() if path.relative_to(ROOT).parts[0] in ("bim_neuro", "compilers")]


def test_no_file_is_long() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in sources()}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_no_function_is_long_or_takes_many_parameters() -> None:
    large = []
    for path in sources():
        text = path.read_text(encoding="utf-8")
        for function in ast.walk(ast.parse(text)):
            if isinstance(function, ast.FunctionDef) and not KERNELS.search(str(path)):
                first = function.body[1] if ast.get_docstring(function) and function.body[1:] else function.body[0]
                body = text.splitlines()[first.lineno - 1 : function.end_lineno]
                code = sum(1 for line in body if line.strip() and not line.strip().startswith("#"))
                given = function.args
                parameters = [arg.arg for arg in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                many = len(set(parameters) - {"self", "cls"}) > MOST_PARAMETERS and function.name not in COMMANDS
                if code > MOST_CODE or many:
                    large.append(
                        f"{path.relative_to(ROOT)}: {function.name}, {code} lines, {len(parameters)} parameters"
                    )
    assert large == []


def test_nothing_imports_the_folders_that_exist_only_in_a_checkout() -> None:
    # `import compilers` would load every class a second time under another name.
    bare = re.compile(r"^\s*(?:from|import)\s+(?:compilers|hardware_profiles)\b", re.MULTILINE)
    assert [path for path in python_files() if bare.search(path.read_text(encoding="utf-8"))] == []


def test_the_version_file_begins_with_the_default_python_and_lists_every_supported_one() -> None:
    # pyenv takes the first line that is installed, so that python3 works without 3.11; uv takes line one.
    supported = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    listed = (ROOT / ".python-version").read_text().split()
    assert sorted(listed) == sorted(supported)
    assert listed == ["3.11", "3.12", "3.13", "3.10"]


def test_every_python_has_one_torch_that_runs_no_code_from_files_and_one_numba() -> None:
    pins = [Requirement(line) for line in (ROOT / "scripts/constraints.txt").read_text().splitlines() if line[0] != "#"]
    for minor in (11, 12, 13):
        chosen = {
            r.name: r.specifier for r in pins if not r.marker or r.marker.evaluate({"python_version": f"3.{minor}"})
        }
        assert {"torch", "numba"} <= set(chosen)
        assert not any(chosen["torch"].contains(f"2.{old}.{patch}") for old in range(6) for patch in range(4))


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_make_help_lists_the_commands() -> None:
    listed = re.findall(r"^  make (\S+)", run(["make", "help"]).stdout, re.MULTILINE)
    promised = "demo test test-all fuzz lint types train-digits train-ecg bench clean dist"
    assert set(promised.split()) <= set(listed)


def executable(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_a_python_that_is_on_the_path_but_does_not_run_is_passed_over(tmp_path: Path) -> None:
    name = f"python3.{sys.version_info.minor}"
    (tmp_path / "shims").mkdir()
    (tmp_path / "real").mkdir()
    for shim in (name, "python3", "python", "uv"):
        executable(tmp_path / "shims" / shim, "exit 127")
    executable(tmp_path / "real" / name, f'exec "{sys.executable}" "$@"')
    path = f"{tmp_path}/shims:{tmp_path}/real:/usr/bin:/bin"
    environment = {"PATH": path, "PYENV_ROOT": str(tmp_path / "no-pyenv")}
    found = run([str(ROOT / "scripts/find-python"), name.removeprefix("python")], env=environment)
    assert found.stdout.strip() == str(tmp_path / "real" / name), found.stderr


def test_the_bootstrap_leaves_a_folder_it_did_not_make_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    environment = {"PATH": "/usr/bin:/bin", "VENV": str(tmp_path / "mine"), "PYTHON": sys.executable}
    refusal = run([str(ROOT / "scripts/bootstrap")], env=environment)
    assert refusal.returncode == 2
    assert "was not made by this script" in refusal.stderr
    assert (tmp_path / "mine" / "thesis.txt").exists()


def pythons(folder: Path, *versions: str) -> dict[str, str]:
    """Return an environment whose PATH holds these Pythons alone: stand-ins that say their version and no more."""
    folder.mkdir()
    for version in versions:
        executable(folder / f"python{version}", f'[ "$3" = {version} ]')
    for tool in ("cksum", "dirname", "head", "tail", "tr", "uname"):
        executable(folder / tool, f'exec "{shutil.which(tool)}" "$@"')
    return {"PATH": str(folder), "PYENV_ROOT": str(folder / "no-pyenv")}


@pytest.mark.parametrize(
    ("there", "taken"),
    [(("3.10", "3.11", "3.12"), "3.11"), (("3.10", "3.13"), "3.13"), (("3.10",), "3.10")],
)
def test_lavas_python_is_taken_last_its_torch_being_an_old_one(
    tmp_path: Path, there: tuple[str, ...], taken: str
) -> None:
    found = run([str(ROOT / "scripts/find-python")], env=pythons(tmp_path / "bin", *there))
    assert found.stdout.strip() == str(tmp_path / "bin" / f"python{taken}"), found.stderr


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
def test_another_python_is_one_option_away_and_has_a_folder_of_its_own() -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "PYTHON"))}
    asked = run(["make", "--dry-run", "test", "PYTHON=3.10"], outside).stdout
    assert 'PYTHON="3.10" VENV=".venv-3.10" scripts/bootstrap' in asked
    assert ".venv-3.10/bin/python -m pytest" in asked
    assert 'PYTHON="" VENV=".venv" scripts/bootstrap' in run(["make", "--dry-run", "test"], outside).stdout


def test_the_bootstrap_names_a_python_that_is_not_here(tmp_path: Path) -> None:
    refusal = run([str(ROOT / "scripts/bootstrap")], env=pythons(tmp_path / "bin") | {"PYTHON": "3.9"})
    assert (refusal.returncode, refusal.stderr.count("no Python 3.9 here")) == (2, 1), refusal


def test_the_bootstrap_says_in_one_sentence_that_it_wants_linux(tmp_path: Path) -> None:
    environment = pythons(tmp_path / "bin")
    executable(tmp_path / "bin" / "uname", "echo Darwin")
    refusal = run([str(ROOT / "scripts/bootstrap")], env=environment)
    assert refusal.returncode == 2
    assert refusal.stderr.splitlines()[0] == "bootstrap: bim-neuro runs on Linux, and this is Darwin"


def test_ci_runs_the_readmes_test_command_and_everything_on_the_default_python() -> None:
    ci, readme = (ROOT / ".ci/run").read_text(), (ROOT / "README.md").read_text()
    assert re.search(r"^make test +#", readme, re.MULTILINE)
    assert "DEFAULT=3.11" in ci
    assert "for target in lint types demo test; do step $DEFAULT" in ci
    assert 'step $DEFAULT test-all TESTS="-m slow"' in ci


def continuous_integration(
    folder: Path, *pythons_here: str, failing: str = "none", enough: int = 60
) -> subprocess.CompletedProcess[str]:
    """Run .ci/run in a folder where make only says what it was asked for, and fails at ``failing``."""
    for name in (".ci", "scripts", "bin"):
        (folder / name).mkdir(parents=True)
    shutil.copy(ROOT / ".ci/run", folder / ".ci/run")
    for script in ("scripts/browser", ".venv-3.11/bin/python"):
        (folder / script).parent.mkdir(parents=True, exist_ok=True)
        executable(folder / script, "exit 0")
    executable(folder / "scripts/find-python", f'case " {" ".join(pythons_here)} " in *" $1 "*) ;; *) exit 1 ;; esac')
    said = 'echo "make $*"; case $1 in test*) echo "===== 3 passed in 1.00s =====" ;; esac'
    executable(folder / "bin/make", f'{said}; case "$*" in *"{failing}"*) exit 1 ;; esac')
    environment = {"PATH": f"{folder / 'bin'}:/usr/bin:/bin", "ENOUGH": str(enough)}
    return subprocess.run(
        ["bash", ".ci/run"], capture_output=True, text=True, timeout=200, cwd=folder, env=environment, check=False
    )


def test_ci_runs_everything_on_the_default_python_and_leaves_out_what_is_not_here(tmp_path: Path) -> None:
    ended = continuous_integration(tmp_path, "3.11", "3.10")
    assert ended.returncode == 0, ended
    asked = [line.split(" PYTHON=")[0] for line in ended.stdout.splitlines() if line.startswith("make ")]
    first = ("environment", "lint", "types", "demo", "test", "test-all TESTS=-m slow", "environment", "lint")
    last = ("docs", "coverage", "fuzz CASES=100", "kills KILLS=12")
    assert asked[: len(first)] == [f"make {target}" for target in first]
    assert asked[-len(last) :] == [f"make {target}" for target in last]
    assert "== Python 3.12: not on this machine, left out" in ended.stdout
    assert ended.stdout.count("Python 3.11, make test: ===== 3 passed in 1.00s =====") == 1


def test_ci_on_a_slow_machine_runs_the_suite_and_says_what_it_left_out(tmp_path: Path) -> None:
    ended = continuous_integration(tmp_path, "3.11", "3.12", enough=-1)
    assert ended.returncode == 0, ended
    asked = [line for line in ended.stdout.splitlines() if line.startswith("make ")]
    assert [len(asked), asked[-1].split(" PYTHON=")[0]] == [6, "make test-all TESTS=-m slow"]
    assert "Python 3.12: make environment left out, 0 minutes are over" in ended.stdout


@pytest.mark.parametrize(
    ("here", "failing", "words"),
    [
        (("3.11", "3.12"), "test-all", "failed: Python 3.11: make test-all"),
        (("3.11", "3.12"), "PYTHON=3.12", "failed: Python 3.12: make environment"),
        (("3.12",), "none", "failed: Python 3.11, the default, is not on this machine"),
    ],
)
def test_ci_fails_where_a_step_fails_or_the_default_python_is_missing(
    tmp_path: Path, here: tuple[str, ...], failing: str, words: str
) -> None:
    ended = continuous_integration(tmp_path, *here, failing=failing)
    assert ended.returncode == 1
    assert words in ended.stderr
    assert ("make kills" in ended.stdout) == ("3.11" in here)  # a step that fails does not stop the others

"""The output folder of bim-compile: only files it wrote are replaced, by one job at a time, completely or not at all.

    OUT/summary.json ...               what `OUTPUT_FILES` names
    OUT/board/run.py ...               those of the board kit
    OUT/.bim-compile.json              {"files": {name: SHA-256}}: the files bim-compile wrote, with their hashes
    OUT/.bim-compile.k3x9_a2b/         a result not yet moved into OUT, complete once it holds its own list

Each file is moved in by one rename, so that other files in OUT are never touched. If a job is killed while it moves a
complete result, the next start finishes the move; an incomplete result is removed.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from .. import report
from ..atomic import alone, cannot_write, sweep, sync, unbroken, write
from ..compilers.board import ARRAYS, FOLDER, SCRIPT
from ..errors import InputError

REQUEST = "request.toml"
NET = "model.net"
_ALWAYS = {"model.bimn", "model.nir", REQUEST, *report.FILES}
OUTPUT_FILES = {*_ALWAYS, *(f"{FOLDER}/{name}" for name in (SCRIPT, ARRAYS))}
"""Files of a finished folder, besides the list of them; those of the board kit lie in a folder of their own."""
_KNOWN = OUTPUT_FILES | {NET}
"""These, and the file that only some programs have."""
LIST = ".bim-compile.json"
_STAGE = ".bim-compile."
_LAST = "summary.json"  # readers find the former result or the complete new one
_HINT = "choose another folder with -o"


@contextmanager
def reserved(output: Path) -> Iterator[Path]:
    """Lock the folder for one job and give its real path; before any work, refuse a folder with other files.

    Leftovers of a killed job are cleaned up first. New folders that stay empty are removed again.
    """
    if not output.is_dir() and _there(output):  # also a broken link or a link to itself
        raise InputError(f"{output} exists and is not a folder", _HINT)
    try:
        output = output.resolve()
    except (OSError, RuntimeError):  # the latter before Python 3.13
        raise InputError(f"the path {output} contains a link that leads back to itself", _HINT) from None
    if output == output.parent:
        raise InputError(f"a result cannot be written into {output}", _HINT)
    beside = next(parent for parent in output.parents if parent.exists())
    with ExitStack() as until_end:
        try:
            until_end.callback(_remove_empty, [path for path in output.parents if not path.exists()])
            output.parent.mkdir(parents=True, exist_ok=True)
            locked = until_end.enter_context(alone(output))
            if output.is_dir():
                if locked:
                    _mend(output)
                _check(output)
                Path(tempfile.mkdtemp(dir=output, prefix=_STAGE)).rmdir()
        except OSError as error:
            raise InputError(f"cannot write into {beside}: {error.strerror or error}", _HINT) from None
        yield output


@contextmanager
def filled(output: Path, *, update: bool = False) -> Iterator[tuple[Path, list[Path]]]:
    """Give a folder to fill, and move its files into ``output`` on success; on failure the former result stays.

    With ``update``, files that are not written again stay part of the result. After the block, the yielded list holds
    the new paths of user files that had the name of an output file.
    """
    made, stage = not output.exists(), None
    aside: list[Path] = []
    try:
        output.mkdir(exist_ok=True)
        stage = Path(tempfile.mkdtemp(dir=output, prefix=_STAGE))
        yield stage, aside
        _seal(stage, (_listed(output) or {}) if update else {})
        aside += _bring_in(stage, output)
    except OSError as error:
        raise cannot_write(output, error) from None
    finally:
        with unbroken():
            if stage is not None and (stage / LIST).exists():  # interrupted during the move: finish it
                with suppress(OSError):
                    aside += _bring_in(stage, output)
            elif stage is not None:
                shutil.rmtree(stage, ignore_errors=True)
            if made:
                with suppress(OSError):
                    output.rmdir()


def holds_result(output: Path) -> bool:
    """Whether a folder holds the result of a compile, and not only the page of a refusal."""
    return _there(output / _LAST)


def adopt(file: Path) -> None:
    """Update the hash of an output file that was written again in a finished folder."""
    files = _listed(file.parent)
    if files is not None and file.name in files:
        _write_list(file.parent, {**files, file.name: _hash(file)})


def _check(output: Path) -> None:
    """Refuse a folder that bim-compile did not write, and one whose files were changed since."""
    if output.samefile(Path.cwd()):
        raise InputError(f"{output} is the current folder and cannot be replaced", _HINT)
    files = _listed(output)
    if files is None:
        files = _adopted(output)
    for name, known in files.items():
        if not _ours(output / name, known):
            hint = f"move that file away, or {_HINT}"
            raise InputError(f"{output / name} was changed after bim-compile wrote it", hint)
    for name in sorted(_KNOWN - set(files)):
        if _there(output / name) or _taken(output / name, output):
            shown = name if _there(output / name) else Path(name).parent
            raise InputError(f"{output} holds '{shown}', which bim-compile did not write", _HINT)


def _adopted(output: Path) -> dict[str, str]:
    """Return the list for a folder without one: it must be empty, or hold exactly the files of bim-compile 0.1."""
    names = sorted(entry.name for entry in output.iterdir() if not _is_stage(entry))
    if not names:
        return {}
    strange = [name for name in names if name not in OUTPUT_FILES]
    strange += [name for name in names if not _is_plain(output / name)]
    if strange or {*names, REQUEST} != _ALWAYS or not _is_summary(output / _LAST):
        name = (strange or names)[0]
        raise InputError(f"{output} holds '{name}', which bim-compile did not write", _HINT)
    files = {name: _hash(output / name) for name in names}
    _write_list(output, files)
    return files


def _is_summary(file: Path) -> bool:
    try:
        summary = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(summary, dict) and {"bim_neuro", "command", "target", "layers"} <= set(summary)


def _mend(output: Path) -> None:
    """Move in the complete result of a killed job, remove an incomplete one; call it only while holding the lock."""
    sweep(output / LIST)
    for entry in output.iterdir():
        if _is_stage(entry):
            if (entry / LIST).exists():
                _bring_in(entry, output)
            else:
                shutil.rmtree(entry)


def _is_stage(entry: Path) -> bool:
    return entry.match(_STAGE + "?" * 8) and entry.is_dir() and not entry.is_symlink()


def _seal(stage: Path, files: dict[str, str]) -> None:
    """Sync the files to disk, then write their list, added to ``files``: from then on the result is complete."""
    for file in sorted(stage.rglob("*")):
        sync(file)
        if file.is_file():
            files[file.relative_to(stage).as_posix()] = _hash(file)
    _write_list(stage, files)


def _bring_in(stage: Path, output: Path) -> list[Path]:
    """Move a complete result into its folder; return the new paths of user files that had the same names."""
    fresh, former, aside = _listed(stage) or {}, _listed(output) or {}, []
    for name in sorted(fresh, key=lambda name: (name == _LAST, name)):
        if (stage / name).exists():  # else it was moved already
            if _taken(output / name, output):
                aside.append(_move_aside((output / name).parent))
            if not _ours(output / name, former.get(name)):
                aside.append(_move_aside(output / name))
            (output / name).parent.mkdir(exist_ok=True)
            (stage / name).replace(output / name)
    for name in set(former) - set(fresh):
        if _ours(output / name, former[name]):
            (output / name).unlink(missing_ok=True)
            if "/" in name:
                _remove_empty([(output / name).parent])
    (stage / LIST).replace(output / LIST)
    sync(output)
    shutil.rmtree(stage)
    return aside


def _ours(file: Path, known: str | None) -> bool:
    """Whether a file may be replaced: it does not exist, or it is unchanged since bim-compile wrote it."""
    return not _there(file) or (_is_plain(file) and _hash(file) == known)


def _is_plain(file: Path) -> bool:
    """Whether it is a regular file: no link, no pipe or device that would block a reader."""
    return file.is_file() and not file.is_symlink()


def _there(file: Path) -> bool:
    return file.exists() or file.is_symlink()


def _taken(file: Path, output: Path) -> bool:
    """Whether something that is no folder lies where the folder of a file belongs."""
    return file.parent != output and _there(file.parent) and (file.parent.is_symlink() or not file.parent.is_dir())


def _move_aside(file: Path) -> Path:
    """Rename a file to NAME.~1~, or the first number that is free."""
    number = 1
    while _there(target := file.with_name(f"{file.name}.~{number}~")):
        number += 1
    return file.rename(target)


def _listed(folder: Path) -> dict[str, str] | None:
    """Return the names and hashes of a folder's list; None where it has none that can be read."""
    try:
        files: Any = json.loads((folder / LIST).read_bytes() if _is_plain(folder / LIST) else "")["files"]
        return {name: str(files[name]) for name in sorted(_KNOWN & set(files))}
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return None


def _write_list(folder: Path, files: dict[str, str]) -> None:
    write(folder / LIST, json.dumps({"files": files}, indent=2) + "\n")


def _hash(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _remove_empty(folders: list[Path]) -> None:
    """Remove folders, the innermost first, as far as they are empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()

"""Output paths: unwritable ones are refused before any work, and results of other models are not overwritten."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..atomic import alone, sweep, write
from ..errors import InputError
from ..intake import check_place, read_json
from .folder import REQUEST, adopt


def default_output(model: Path) -> Path:
    """Return out/NAME for a model NAME.pt; refused if it holds the result of another model."""
    folder = Path("out") / model.stem
    try:
        other = read_json(folder / "summary.json")["model"]
    except (InputError, LookupError, TypeError):  # no summary, or it names no model; `folder.reserved` checks further
        return folder
    if isinstance(other, str) and not _is_same_file(Path(other), model):
        hint = f"name another folder, as -o out/{model.absolute().parent.name}-{model.stem}"
        raise InputError(f"{folder} holds the result of {other}, not of {model}", hint)
    return folder


def _is_same_file(left: Path, right: Path) -> bool:
    with suppress(OSError, RuntimeError, ValueError):  # a loop of links, or an invalid name
        return left.resolve() == right.resolve()
    return False


def check_file(file: Path | None) -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if file is None:
        return
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} to write {file.name} into")
    if file.is_dir():
        raise InputError(f"{file} is a folder", f"give a file, as {file / 'model.pt'}")
    check_place(file)


@contextmanager
def training_place(model: Path, restart: bool) -> Iterator[Path]:
    """Lock a model's file for one training; give the path of its resume file, deleted first with ``restart``."""
    resume_file = resume_file_of(model)
    with alone(model) as locked:
        if locked:
            sweep(model)
            sweep(resume_file)
        if restart:
            resume_file.unlink(missing_ok=True)
        yield resume_file


def resume_file_of(model: Path) -> Path:
    """Return the file that an interrupted training of a model goes on from."""
    return model.with_name(model.name + ".resume")


def request_beside(file: Path) -> Path:
    """Return the path of the request that made a file: RESULT.request.toml."""
    return Path(f"{file}.{REQUEST}")


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically; if it is an output file of a finished folder, update its hash."""
    write(path, text)
    adopt(path)

"""Script: the text of a board kit's run.py, from the lines of one program and the definitions that it carries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from .carried import Carried, carried

_COMPAT = "bim_neuro.compilers.to_lava.compat"
_BEFORE = ((_COMPAT, "_unhashable_defaults_allowed"), (_COMPAT, "_reshape_on_any_numpy"))
"""What Lava's import needs on newer versions of Python and numpy."""
_FLOAT = frozenset({"Cuba"})
"""Float laws that an integer law's functions name beside it."""
_WIDTH = 110

_HEAD = '''"""{title}

    python run.py           plays the samples of program.npz, prints sample 0, writes recording.npz
    python run.py -h        says what else it takes

Python 3.10:          pip install lava-nc==0.10.0
Python 3.11 to 3.13:  pip install asteval networkx scipy
                      pip install --no-deps --ignore-requires-python lava-nc==0.10.0

bim-neuro wrote this file and program.npz beside it, and is not needed to run them. First come its own processes, where
the network has any, with their laws in numpy as its simulation runs them, and the makers of Lava's processes; then,
from "The program" on, this network. N1, N2 and so on are the rules of its docs/numerics.md. Messages are integers. On
Lava's simulation on the CPU they equal those of bim-neuro's; whether those of a board do, a recording shows:

    bim-compile MODEL --expect recording.npz
"""

# What a board can run. A program with a layer of ours runs on the CPU as a whole.
{on_a_board}

from __future__ import annotations

{imports}

if __name__ != "__main__":
    raise ImportError("a script; Lava looks for process models in every file beside that of a process")


{before}


with _unhashable_defaults_allowed():
    import lava.magma.core.process.process  # noqa: F401
_reshape_on_any_numpy()

{lava}


{laws}


# {rule}
# The program
# {rule}
{program}

if __name__ == "__main__":
    sys.exit(main(build, LAYERS, Path(__file__).parent))
'''


def script(title: str, roots: Iterable[tuple[str, str]], program: str, on_a_board: Sequence[str]) -> str:
    """Return the text; ``roots`` are the definitions (module, name) that the lines of ``program`` call."""
    before = carried(_BEFORE)
    laws = carried(roots, left=_FLOAT, without=before.names)
    imports = _merged(before, laws)
    lava = {module: names for module, names in imports.items() if module.split(".")[0] == "lava"}
    return _HEAD.format(
        title=title,
        on_a_board="\n".join(f"#   {line}" for line in on_a_board),
        imports=_imports({module: names for module, names in imports.items() if module not in lava}),
        before=before.text,
        lava=_imports(lava),
        laws=laws.text,
        rule="-" * 100,
        program=program,
    )


def _merged(*parts: Carried) -> dict[str, set[str]]:
    imports: dict[str, set[str]] = {"sys": {""}, "pathlib": {"Path"}}
    for part in parts:
        for module, names in part.imports.items():
            imports.setdefault(module, set()).update(names)
    return imports


def _imports(imports: Mapping[str, set[str]]) -> str:
    """Return import lines, whole modules first."""
    whole = [f"import {module} {name}".rstrip() for module in imports for name in imports[module] if _is_whole(name)]
    some = [
        _line(module, sorted(name for name in names if not _is_whole(name)))
        for module, names in sorted(imports.items())
        if not all(map(_is_whole, names))
    ]
    return "\n".join([*sorted(whole), *some])


def _is_whole(name: str) -> bool:
    return name == "" or name.startswith("as ")


def _line(module: str, names: list[str]) -> str:
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return line
    return "\n".join([f"from {module} import (", *(f"    {name}," for name in names), ")"])

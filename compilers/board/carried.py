"""Carried: the source of some definitions of ours, with all that they need, as text that imports nothing of ours.

    carried([("bim_neuro.nodes.relay", "IntegerRelay")])

brings the class, and of its own modules `rescale`, `saturate`, `Step` and what these use. So a formula is written once,
in the law that the simulation runs, and a script that leaves bim-neuro holds the same lines. Modules are read and not
imported: those of `to_lava` import Lava. Of a dataclass only the fields and the methods that something calls are kept.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from ... import errors

PACKAGE = "bim_neuro"
_ROOT = Path(errors.__file__).parent
_LAWS = f"{PACKAGE}.nodes."
_CALLED_BY_PYTHON = ("__init__",)


class Definition(NamedTuple):
    """A definition at the top of a module of ours."""

    module: str
    name: str


class Carried(NamedTuple):
    """Import lines by the package that they import, and the definitions, module by module."""

    imports: dict[str, frozenset[str]]
    text: str
    names: frozenset[Definition]


def carried(
    roots: Iterable[tuple[str, str]],
    *,
    left: frozenset[str] = frozenset(),
    without: frozenset[Definition] = frozenset(),
) -> Carried:
    """Return the source of ``roots`` (module, name) and of what they need, except ``without``.

    Classes of the names ``left`` stay behind: they are only named in annotations, and become Any.
    """
    search = _Search(left)
    members: set[str] = set()
    while True:
        search.start([Definition(*root) for root in roots], members)
        if search.members <= members:
            break
        members |= search.members
    found = [name for name in search.found if name not in without]
    return Carried(search.imports, _text(found, members, left), frozenset(search.found))


class _Search:
    """Follow names from definition to definition, given which members of dataclasses are called."""

    def __init__(self, left: frozenset[str]) -> None:
        self.left = left

    def start(self, roots: list[Definition], members: set[str]) -> None:
        self.found: dict[Definition, None] = {}
        self.external: dict[str, set[str]] = {}
        self.members = set(members)
        for root in roots:
            self.follow(root)

    @property
    def imports(self) -> dict[str, frozenset[str]]:
        return {module: frozenset(names) for module, names in self.external.items()}

    def follow(self, name: Definition) -> None:
        if name in self.found:
            return
        self.found[name] = None
        module = _module(name.module)
        if name.name in self.left:
            self._external("typing", "Any")
        else:
            for node in _kept(module.definitions[name.name], self.members):
                self._needs(module, node)

    def _needs(self, module: _Module, node: ast.AST) -> None:
        members, names = _named(node)
        self.members |= members
        for name in names:
            self._resolve(module, name)

    def _resolve(self, module: _Module, name: str) -> None:
        if name in module.definitions:
            self.follow(Definition(module.name, name))
        elif name in module.imports:
            source, original = module.imports[name]
            if source.split(".")[0] != PACKAGE:
                self._external(source, _imported(source, original, name))
            else:
                self._resolve(_module(source), original)

    def _external(self, module: str, name: str) -> None:
        self.external.setdefault(module, set()).add(name)


@cache
def _named(node: ast.AST) -> tuple[frozenset[str], tuple[str, ...]]:
    """Return the attributes that a part of a module's tree names, and the names in it, in their order."""
    parts = list(ast.walk(node))
    members = frozenset(part.attr for part in parts if isinstance(part, ast.Attribute))
    return members, tuple(dict.fromkeys(part.id for part in parts if isinstance(part, ast.Name)))


def _imported(source: str, original: str, name: str) -> str:
    """Return what follows ``import`` in a line for ``source``; of a whole module nothing, or 'as np'."""
    if not original:
        return "" if name == source else f"as {name}"
    return original if original == name else f"{original} as {name}"


@dataclass(frozen=True)
class _Module:
    """The text of a module, the definitions at its top, and what it imports there: {name: (module, name there)}."""

    name: str
    text: str
    package: bool

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def definitions(self) -> dict[str, ast.stmt]:
        return {name: statement for statement in self.tree.body for name in _defines(statement)}

    @cached_property
    def imports(self) -> dict[str, tuple[str, str]]:
        found: dict[str, tuple[str, str]] = {}
        for statement in self.tree.body:
            if isinstance(statement, ast.Import):
                found |= {alias.asname or alias.name: (alias.name, "") for alias in statement.names}
            elif isinstance(statement, ast.ImportFrom):
                source = self._absolute(statement)
                found |= {alias.asname or alias.name: (source, alias.name) for alias in statement.names}
        return found

    def _absolute(self, statement: ast.ImportFrom) -> str:
        if not statement.level:
            return statement.module or ""
        room = self.name.split(".") if self.package else self.name.split(".")[:-1]
        above = room[: len(room) - (statement.level - 1)]
        return ".".join([*above, *filter(None, [statement.module])])


@cache
def _module(name: str) -> _Module:
    place = _ROOT.joinpath(*name.split(".")[1:])
    package = place.is_dir()
    return _Module(name, (place / "__init__.py" if package else place.with_suffix(".py")).read_text("utf-8"), package)


def _defines(statement: ast.stmt) -> Iterator[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        yield statement.name
    elif isinstance(statement, ast.Assign):
        for target in statement.targets:
            yield from (part.id for part in ast.walk(target) if isinstance(part, ast.Name))
    elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        yield statement.target.id


def _kept(statement: ast.stmt, members: set[str]) -> list[ast.AST]:
    """Return the parts of a definition that are carried: all, or of a dataclass what is called."""
    if not _is_dataclass(statement):
        return [statement]
    assert isinstance(statement, ast.ClassDef)
    return [*statement.decorator_list, *statement.bases, *(part for part in statement.body if _stays(part, members))]


@cache
def _is_dataclass(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ClassDef) and any(
        "dataclass" in ast.dump(each) for each in statement.decorator_list
    )


def _stays(part: ast.stmt, members: set[str]) -> bool:
    if isinstance(part, ast.AnnAssign):
        return "ClassVar" not in ast.dump(part.annotation)
    if isinstance(part, ast.FunctionDef):
        return part.name in members or part.name in _CALLED_BY_PYTHON
    return isinstance(part, ast.Expr)


def _text(found: list[Definition], members: set[str], left: frozenset[str]) -> str:
    """Return the definitions module by module, each after those that it imports, in the order of their lines."""
    parts = []
    for module in _in_order(dict.fromkeys(name.module for name in found)):
        blocks: dict[str, bool] = {}
        for key, statement in module.definitions.items():
            if Definition(module.name, key) in found:
                blocks[_source(module, key, members, left)] = isinstance(statement, ast.FunctionDef | ast.ClassDef)
        parts += [_heading(module), _spaced(blocks)]
    return "\n\n\n".join(parts)


def _in_order(names: Iterable[str]) -> list[_Module]:
    wanted, ordered = set(names), dict[str, None]()

    def visit(name: str) -> None:
        for source in dict.fromkeys(source for source, _ in _module(name).imports.values()):
            if source in wanted and source not in ordered:
                visit(source)
        ordered.setdefault(name)

    for name in names:
        visit(name)
    return [_module(name) for name in ordered]


def _spaced(blocks: dict[str, bool]) -> str:
    """Return blocks with two empty lines round functions and classes, none between constants."""
    text, before = "", True
    for block, large in blocks.items():
        text += ("\n\n\n" if large or before else "\n") * bool(text) + block
        before = large
    return text


def _heading(module: _Module) -> str:
    """Return what a module says of itself, as a comment: of a node all, with its equations, of others a line."""
    said = (ast.get_docstring(module.tree) or "").splitlines()
    if not module.name.startswith(_LAWS):
        del said[1:]
    rule = "# " + "-" * 100
    return "\n".join([rule, *(f"# {line}".rstrip() for line in said), rule])


def _source(module: _Module, key: str, members: set[str], left: frozenset[str]) -> str:
    if key in left:
        return f"{key} = Any  # stays behind: only annotations name it"
    statement = module.definitions[key]
    lines = module.text.splitlines()
    first, last = _lines(statement)
    dropped: set[int] = set()
    if _is_dataclass(statement):
        assert isinstance(statement, ast.ClassDef)
        for part in statement.body:
            if not _stays(part, members):
                start, end = _lines(part)
                dropped |= set(range(start, end + 1))
    kept = [lines[number - 1] for number in range(first, last + 1) if number not in dropped]
    said = _said_after(module, statement)
    return _one_blank([*kept, *said])


def _lines(statement: ast.stmt) -> tuple[int, int]:
    """Return the first and the last line of a statement with its decorators."""
    decorators = getattr(statement, "decorator_list", [])
    return min(part.lineno for part in (statement, *decorators)), statement.end_lineno or statement.lineno


def _said_after(module: _Module, statement: ast.stmt) -> list[str]:
    """Return the lines of the text that stands below a constant and says what it is."""
    body = module.tree.body
    after = body[body.index(statement) + 1 : body.index(statement) + 2]
    if isinstance(statement, ast.Assign) and after and isinstance(after[0], ast.Expr):
        start, end = _lines(after[0])
        return module.text.splitlines()[start - 1 : end]
    return []


def _one_blank(lines: list[str]) -> str:
    """Return lines as text in which no two blank ones follow each other, as dropped methods leave them."""
    kept = [line for line, before in zip(lines, ["", *lines], strict=False) if line or before]
    return "\n".join(kept).strip("\n")

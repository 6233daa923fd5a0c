"""What make docs does beside rendering: links out of docs/ lead to copies, named pages and column heads are links."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

import bim_neuro
from bim_neuro.report.glossary import COLUMNS, WORDS

ROOT = Path(__file__).resolve().parent.parent
OUTWARD = re.compile(r"\]\((?:\.\./)+(?!\.\./)([^)#\s]+)(#[^)\s]*)?\)")
NAMED = re.compile(r"(?<![\w/.])docs/([\w/-]+\.md)\b")
TAGS = re.compile(r"(<[^>]*>)")
LITERAL = re.compile(r"</?(?:a|code|pre)\b")
COPIES = "repository"
"""The folder of the site that holds copies of the files outside docs/ that pages link to."""
NAMES = "<!-- every public name -->"
GLOSSARY = "README.md"
HEAD = re.compile(r"<th\b([^>]*)>([^<]+)</th>")
ENTRY = re.compile(r"<tr>\s*<td>([^<]+)</td>")
SAY_OTHERWISE = {"answer", "figure", "file", "from", "holds", "what"}
"""Words of the report's columns that are common words as heads of other tables."""


def outward_links(page: Path) -> list[str]:
    """Return the files outside docs/ that a page links to, relative to the repository."""
    docs = ROOT / "docs"
    found = [(page.parent / link).resolve() for link in re.findall(r"\]\((?!https?:)([^)#\s]+)", page.read_text())]
    return sorted({str(path.relative_to(ROOT)) for path in found if not path.is_relative_to(docs)})


def on_files(files: Files, config: Any) -> Files:
    """Add the files outside docs/ that a page links to, as they are: the site is whole without the repository."""
    linked = {name for file in files.documentation_pages() for name in outward_links(Path(file.abs_src_path))}
    for name in sorted(linked):
        files.append(File.generated(config, f"{COPIES}/{name}.txt", content=(ROOT / name).read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Point links at what the site holds, and name what mkdocstrings is to describe."""
    here = Path(page.file.abs_src_path).parent
    up = "../" * (len(here.relative_to(ROOT / "docs").parts))

    def inward(link: re.Match[str]) -> str:
        target = (here / link[0][2:-1].split("#")[0]).resolve()
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        return f"]({up}{COPIES}/{target.relative_to(ROOT)}.txt)"

    return OUTWARD.sub(inward, markdown).replace(NAMES, _described())


def on_page_content(html: str, page: Any, config: Any, files: Files) -> str:
    """Make links of the pages that text and docstrings name, as docs/energy.md, outside code and other links."""

    def linked(named: re.Match[str]) -> str:
        file = files.get_file_from_path(named[1])
        return f'<a href="{file.url_relative_to(page.file)}">{named[0]}</a>' if file else named[0]

    depth, pieces = 0, []
    for piece in TAGS.split(html):
        if LITERAL.match(piece):
            depth += -1 if piece.startswith("</") else 1
        pieces.append(piece if depth or piece.startswith("<") else NAMED.sub(linked, piece))
    return _with_words("".join(pieces), files.get_file_from_path(GLOSSARY).url_relative_to(page.file), page)


def _with_words(html: str, glossary: str, page: Any) -> str:
    """Name the entries of the glossary, and link each head of a column that is one of its words."""

    def named(row: re.Match[str]) -> str:
        return row[0].replace("<td>", f'<td id="{_place(row[1])}">') if _known(row[1]) else row[0]

    def linked(head: re.Match[str]) -> str:
        word = head[2].strip().lower()
        known = _known(word) and word not in SAY_OTHERWISE
        return f'<th{head[1]}><a href="{glossary}#{_place(word)}">{head[2]}</a></th>' if known else head[0]

    return ENTRY.sub(named, html) if page.file.src_uri == GLOSSARY else HEAD.sub(linked, html)


def _known(word: str) -> bool:
    return unescape(word) in COLUMNS or unescape(word) in WORDS


def _place(word: str) -> str:
    return f"word-{re.sub('[^a-z0-9]+', '-', word.lower())}"


def _described() -> str:
    homes = {"compile": ("", "compile"), **bim_neuro._HOMES}
    return "\n\n".join(f"::: {'.'.join(filter(None, ('bim_neuro', module, name)))}" for module, name in homes.values())

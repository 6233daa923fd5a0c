"""The site of make docs is whole and offline: strict, nothing from the network, every link, every public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browsers import Visit, browser
from commands import ROOT

import bim_neuro
from bim_neuro.report.glossary import COLUMNS, WORDS

PAGES = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\((?!https?:)([^)\s]*)#([^)\s]+)\)")


class Page(HTMLParser):
    """What a page loads, where its links lead, and the names of its places."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.places |= {has[name] for name in ("id", "name") if name in has}
        if "src" in has:
            self.loads.append(has["src"])
        if tag == "link" and has.get("rel") in ("stylesheet", "icon", "preconnect", "preload"):
            self.loads.append(has["href"])
        elif tag == "a" and "href" in has:
            self.links.append(has["href"])


def anchor(heading: str) -> str:
    """Name a heading as GitHub and the site do."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading.replace("`", "").lower()).strip())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_anchor_that_a_page_links_to_is_a_heading(page: Path) -> None:
    for file, place in LINK.findall(page.read_text()):
        target = page.parent / file if file else page
        headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
        assert place in map(anchor, headings), f"{page.name}: {file}#{place}"


def test_the_sites_menu_names_every_page_once() -> None:
    named = re.findall(r"([\w/-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.M)
    assert sorted(named) == sorted(str(page.relative_to(ROOT / "docs")) for page in PAGES)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    for package in ("mkdocs", "material", "mkdocstrings"):
        if find_spec(package) is None:
            pytest.skip("mkdocs-material and mkdocstrings come with the docs extra")
    folder = tmp_path_factory.mktemp("site")
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": path}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    return folder


@pytest.mark.slow
def test_the_site_loads_nothing_from_the_network_and_every_link_of_it_leads_somewhere(site: Path) -> None:
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) == len(PAGES)
    for path, page in pages.items():
        assert [url for url in page.loads if urlsplit(url).scheme or url.startswith("//")] == []
        for url in [*page.loads, *page.links]:
            parts = urlsplit(url)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), f"{path.name}: {url}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].places, f"{path.name}: {url}"


@pytest.mark.slow
def test_the_site_shows_the_tables_and_lists_that_the_repository_shows(site: Path) -> None:
    """The site's Markdown wants an empty line before each, and four spaces before what lies in a list."""
    markdown = pytest.importorskip("markdown_it", reason="markdown-it-py comes with rich")
    commonmark, different = markdown.MarkdownIt("commonmark").enable("table"), {}
    for page in PAGES:
        place = site / page.relative_to(ROOT / "docs")
        html = (place.with_name("index.html") if page.name == "README.md" else place.with_suffix(".html")).read_text()
        shown = _pieces(html[html.index("<article") : html.index("</article>")])
        wanted = _pieces(commonmark.render(page.read_text()))
        if page.name != "reference.md" and shown != wanted:
            different[page.name] = (shown, wanted)
    assert different == {}


def _pieces(html: str) -> dict[str, int]:
    return {tag: len(re.findall(rf"<{tag}[ >]", html)) for tag in ("table", "tr", "ul", "ol", "li", "pre")}


@pytest.mark.slow
@pytest.mark.browser
def test_the_search_of_the_site_answers_where_it_lies_in_a_folder(site: Path) -> None:
    try:
        with browser() as chromium:
            visit = Visit(chromium, site / "index.html")
            field, found = visit.page.locator("[data-md-component=search-query]"), ".md-search-result__link"
            field.click()
            visit.page.locator(".md-search-result__meta").filter(has_text="Type to start").wait_for(timeout=60_000)
            field.press_sequentially("surrogate")
            visit.page.locator(found).first.wait_for(timeout=60_000)
            pages = [link.get_attribute("href") for link in visit.page.locator(found).all()]
    except LookupError as reason:
        pytest.skip(str(reason))
    assert any("first_hour_ml.html" in str(page) for page in pages)
    assert [trouble for trouble in visit.troubles if not trouble.startswith("request: file:")] == []


@pytest.mark.slow
def test_a_page_that_text_or_a_docstring_names_is_a_link(site: Path) -> None:
    named = re.compile(r"<[^>]*>|(?<![\w/.])docs/[\w/-]+\.md")
    for path in site.rglob("*.html"):
        html = path.read_text()
        text = re.sub(r"<(a|code|pre)\b.*?</\1>", "", html[html.find("<article") :], flags=re.DOTALL)
        assert [hit for hit in named.findall(text) if not hit.startswith("<")] == [], path.name
    assert 'href="inputs.html">docs/inputs.md</a>' in (site / "reference.html").read_text()


@pytest.mark.slow
def test_a_head_that_is_a_word_of_the_glossary_leads_to_it(site: Path) -> None:
    words = {word.lower() for word in (*COLUMNS, *WORDS)} - {"answer", "figure", "file", "from", "holds", "what"}
    places, linked = Page((site / "index.html").read_text()).places, 0
    for path in site.rglob("*.html"):
        for inner in re.findall(r"<th\b[^>]*>(.*?)</th>", path.read_text(), re.DOTALL):
            if re.sub("<[^>]*>", "", inner).strip().lower() not in words:
                continue
            place = re.search(r'href="(?:\.\./)*index\.html#(word-[^"]+)"', inner)
            assert place, f"{path.name}: {inner}"
            assert place[1] in places
            linked += 1
    assert linked > 30


@pytest.mark.slow
def test_the_reference_describes_every_public_name(site: Path) -> None:
    places = Page((site / "reference.html").read_text()).places
    described = {place.rsplit(".", 1)[-1] for place in places if place.startswith("bim_neuro.")}
    homes = {there for _, there in bim_neuro._HOMES.values()}
    assert homes | {"compile"} <= described
    assert [name for name in described if name.startswith("_")] == []


def test_workflows_call_targets_that_the_makefile_has() -> None:
    has = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    texts = [path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    lines = [line for text in texts for line in re.findall(r"run: make ([a-z -]+)", text)]
    assert {"docs", "lint", "test", "types"} <= {word for line in lines for word in line.split()} <= has


FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_an_issue_form_is_one_that_github_shows(form: Path) -> None:
    """A form with a fault is not offered, and says so to nobody."""
    yaml = pytest.importorskip("yaml", reason="comes with the docs extra")
    found = yaml.safe_load(form.read_text())
    assert {"name", "description", "body"} <= set(found) <= {"name", "description", "body", "title", "labels"}
    assert {element["type"] for element in found["body"]} <= {"input", "textarea", "dropdown", "checkboxes"}
    names = [element["id"] for element in found["body"]]
    assert len(names) == len(set(names)) > 2
    assert all(element["attributes"]["label"] for element in found["body"])
    assert any(element.get("validations") == {"required": True} for element in found["body"])


def test_what_the_templates_name_is_there() -> None:
    texts = " ".join(path.read_text() for path in (ROOT / ".github").rglob("*.*"))
    has = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M)
    asked = {word for line in re.findall(r"`make ([a-z ]+)`", texts) for word in line.split()}
    assert {"lint", "types", "test", "docs"} <= asked <= set(has)
    rules = (ROOT / "docs" / "numerics.md").read_text()
    assert all(re.search(rf"^\W*{rule}\b", rules, re.M) for rule in re.findall(r"\b[NF]\d+\b", texts))
    target, key = re.findall(r'placeholder: "(\w+), ([\w.]+)"', texts)[0]
    assert key in bim_neuro.hardware.load_profile(target).quantities()
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text()

"""A page: assets and data in one file that loads nothing from the network and runs no other script.

The content security policy lists the digests of its style sheet and script, so that data can never run as code.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib.resources import files
from typing import Any

from ...printable import as_json, plain, printable_data
from .compact import compact

_COMMENT = re.compile(r"(//.*|/\*+[^*]*\*/|)")
_POLICY = "default-src 'none'; img-src data:; style-src '{style}'; script-src '{script}'; base-uri 'none'"


def page(title: str, data: dict[str, Any], scripts: tuple[str, ...], text: str) -> str:
    """Return the HTML of a page: ``data`` as inert JSON, the named scripts in order, ``text`` where none run."""
    style = _asset("page.css")
    script = "\n".join(_asset(name).removeprefix('"use strict";\n') for name in scripts)
    script = f'"use strict";\n{script}'
    policy = _POLICY.format(style=_digest(style), script=_digest(script))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{html.escape(plain(title))}</title>
<link rel="icon" href="data:,">
<style>{style}</style>
</head>
<body>
<noscript><pre>{html.escape(text)}</pre></noscript>
<script type="application/json" id="data">{inert(compact(data))}</script>
<script>{script}</script>
</body>
</html>
"""


def inert(data: Any) -> str:
    """Write JSON that no HTML parser can end or read as a tag, whatever the names in it are."""
    text = as_json(printable_data(data), indent=None)
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _asset(name: str) -> str:
    """Return an asset without indentation and lines of comment, a tenth of a page; no text has several lines."""
    text = (files(__package__) / "assets" / name).read_text(encoding="utf-8")
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if not _COMMENT.fullmatch(line)) + "\n"


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()

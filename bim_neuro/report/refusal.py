"""A refusal as data, and as the page and text made of them."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from .._version import __version__
from ..errors import Finding
from .html import render_refusal

PAGE = "report.html"


def refusal(
    model: str, target: str, command: str, findings: Sequence[Finding], targets: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what a refusal says: every finding, errors first, and a row for each other target."""
    ordered = sorted(findings, key=lambda finding: finding.severity != "error")
    return {
        "model": model,
        "target": target,
        "command": command,
        "findings": [asdict(finding) for finding in ordered],
        "targets": targets,
        "bim_neuro": __version__,
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
    }


def refusal_page(found: dict[str, Any]) -> str:
    """Return report.html of a refusal."""
    return render_refusal(found, refusal_text(found))


def refusal_text(found: dict[str, Any]) -> str:
    """Return a refusal as plain text.

    >>> finding = Finding("cores", "", "it needs 200 cores, the chip has 120", 200, 120)
    >>> row = {"name": "big", "title": "Big", "fits": True, "cores": 200, "limit": 960, "why": ""}
    >>> print(refusal_text(refusal("net.pt", "small", "bim-compile net.pt", [finding], [row])))
    net.pt does not fit small
    error: it needs 200 cores, the chip has 120
    big takes it, on 200 cores
    """
    lines = [f"{found['model']} does not fit {found['target']}"]
    for finding in found["findings"]:
        lines.append(f"{finding['severity']}: {finding['message']}")
        lines += [f"  hint: {finding['hint']}"] if finding["hint"] else []
    for row in found["targets"]:
        on = f", on {row['cores']:,} cores" if row["cores"] else ""
        lines.append(f"{row['name']} takes it{on}" if row["fits"] else f"{row['name']}: {row['why']}")
    return "\n".join(lines)

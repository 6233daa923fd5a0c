"""Write docs/summary.schema.json from the models of bim_neuro/report/models: python scripts/summary_schema.py"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bim_neuro.report.models import Summary, schema_of  # noqa: E402

FILE = ROOT / "docs" / "summary.schema.json"


def text() -> str:
    """Return the content of the file."""
    return json.dumps(schema_of(Summary, "summary.json"), indent=2) + "\n"


if __name__ == "__main__":
    FILE.write_text(text())

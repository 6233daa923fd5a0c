"""The table of node types in docs/nir.md is what the stages make of every type that nir lists."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nir

from bim_neuro.nir_bridge.node_table import NODES

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs/nir.md").read_text()


def test_the_table_of_node_types_is_printed_from_the_code() -> None:
    command = [sys.executable, ROOT / "scripts/nir_nodes.py"]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert f"\n\n{printed}" in PAGE
    listed = ["| " + " | ".join((row.type, row.becomes, row.law, row.engine, row.lava)) + " |" for row in NODES]
    assert printed.splitlines()[2:] == listed
    named = {row.split("|")[1].split(",")[0].strip() for row in printed.splitlines()[2:]}
    assert named == {
        name for name, thing in vars(nir.ir).items()
        if isinstance(thing, type) and issubclass(thing, nir.NIRNode) and name not in ("NIRNode", "NIRGraph")
    }  # fmt: skip

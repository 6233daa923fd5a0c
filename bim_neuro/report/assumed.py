"""What a result assumes, a line each, and how to check it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..printable import escape

READ_AS = "input read as: "
"""How the first assumption begins where a graph brings no encoder: which layout and encoder were taken, and why."""
_DIALECT = "dialect."
_CHECK = "check the dialect with --expect FILE.npz: the framework's own input x and output out (docs/nir.md)"


def assumed_lines(assumptions: Sequence[str], *, expected: bool = False) -> Iterator[str]:
    """Yield a line for each assumption; where a dialect is among them and nothing was ``expected``, how to check it."""
    for said in assumptions:
        if not said.startswith(READ_AS):  # it stands on top of a report
            yield f"[dim]assumed:[/] {escape(said)}"
    if not expected and any(said.startswith(_DIALECT) for said in assumptions):
        yield f"  hint: {_CHECK}"

"""A recording beside the run, in the terminal: what differs, under which dialect nothing does, what stays open."""

from __future__ import annotations

from collections.abc import Iterator

from ..printable import counted, escape
from .models import Expect, ExpectLayer

_NONE = "record every layer (spk__NODE), check --dt, or try --set run.float_bits=32: rounding may decide somewhere"
_LAWS = {"float": "the float law in {bits} bits", "integer": "the integers"}


def expect_lines(expect: Expect | None) -> Iterator[str]:
    """Yield a line for each recorded layer and law, and for what follows."""
    if expect is None:
        return
    for row in expect.layers:
        yield _row(row, expect)
    if expect.dialect is not None:
        yield from _dialects(expect)
    if expect.proved:
        who = "the float law is its framework's" if expect.kind == "framework" else "the integers are the recording's"
        yield f"[green]proved on {expect.spikes:,.0f} spikes of the output: {who}[/]"
    elif not expect.differing:
        yield f"[yellow]nothing is proved: the recorded output has {expect.spikes:,.0f} spikes, 100 are needed[/]"


def _row(row: ExpectLayer, expect: Expect) -> str:
    law = _LAWS[row.law].format(bits=expect.float_bits) if row.law in _LAWS else escape(row.law)
    ties = f"; {row.ties:,} ties, {row.ties_differing:,} of which differ" if row.law == "float" else ""
    where = ""
    if row.first is not None and row.differing:
        where = f", first at sample {row.first.sample}, step {row.first.step}, neuron {row.first.neuron}"
    of = "" if row.what == "message" else f"{escape(row.what)} of "
    said = f"{row.differing:,} of {row.bins:,} bins of {of}'{escape(row.layer)}' differ{where}"
    spikes = f"; {row.theirs:,.0f} theirs, {row.ours:,.0f} ours" if row.what == "message" else ""
    return f"{law} beside {escape(expect.file)}: {said}{spikes}{ties}"


def _dialects(expect: Expect) -> Iterator[str]:
    """Say which dialects the recording allows, and which switches it leaves open."""
    if expect.tried:
        tried = f"of {counted(expect.tried, 'dialect')}"
        names = "; ".join(map(escape, expect.consistent))
        yield f"no bin differs, {tried}, under: {names}" if names else f"[red]bins differ under each {tried}[/]"
        if not names:
            yield f"  hint: {_NONE}"
        fewest = sorted(expect.dialects.items(), key=lambda each: each[1])
        others = (f"{escape(name)} {bins:,}" for name, bins in fewest if bins)
        yield f"bins that differ under others: {', '.join(others)}"
    for switch in expect.undecided:
        yield f"the recording does not decide dialect.{switch.switch}: {' or '.join(switch.values)}"

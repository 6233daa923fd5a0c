"""Runs side by side: what differs in how they were made, in what they answer, and layer by layer.

A difference is called clear where, with the prices of one target, the low, the likely and the high price all say so;
between targets, where the ranges do not meet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import InputError

LAYERS = 300

Summary = dict[str, Any]
Ends = dict[str, float | None]

SETTINGS = ("model", "task", "input", "target", "backend", "samples", "steps", "dt", "optimise")
WORKLOAD = ("task", "input", "samples", "steps")
SHORT_HASH = 12  # digits of a hash that are shown
NOT_RECORDED = "not recorded"
_TIMES_FROM = 1.1  # nearer than this is said in per cent


@dataclass(frozen=True)
class Row:
    """One headline number: how it is read, its unit, and whether more of it is better (None: neither)."""

    key: str
    label: str
    unit: str  # pj, seconds, share, count or text
    read: Callable[[Summary], Any]
    more_is_better: bool | None = None
    drawn: bool = False


def compare(folders: Sequence[Path], summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return runs side by side as plain values; docs/report.md describes the keys."""
    if len(summaries) < 2:
        raise InputError("compare wants two or more folders", "bim-report compare out/a out/b")
    names = _names(folders, summaries)
    shared = sorted({layer["name"] for summary in summaries for layer in summary["layers"]})
    return {
        "bim_neuro": __version__,
        "runs": [{"name": name, "folder": str(folder)} for name, folder in zip(names, folders, strict=True)],
        "warning": _warning(summaries),
        "settings": _settings(summaries),
        "rows": [row for row in (_row(row, summaries) for row in ROWS) if any(v is not None for v in row["values"])],
        "layers": _layers(summaries),
        "left_out": f"{LAYERS} of {len(shared):,} layers." if len(shared) > LAYERS else "",
    }


def _names(folders: Sequence[Path], summaries: Sequence[Summary]) -> list[str]:
    """Name runs by their folders; by the whole path where two are called the same."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _whole_energy(summary: Summary) -> Any:
    """Return dynamic and static energy, in pJ as the other lines are."""
    return {end: uj * 1e6 if uj is not None else None for end, uj in summary["energy"]["energy_uj"].items()}


def _learning(key: str) -> Callable[[Summary], Any]:
    return lambda summary: (summary.get("learning") or {}).get(key)


def _energy(line: str) -> Callable[[Summary], Any]:
    return lambda summary: summary["energy"].get(line)


def _agreement(summary: Summary) -> float | None:
    """Return the share of the worst layer; None where one had nothing to compare."""
    shares = [row["share"] for row in summary["agreement"]]
    return None if None in shares else min(shares, default=None)


def _accuracy(side: str) -> Callable[[Summary], Any]:
    return lambda summary: (summary["accuracy"] or {}).get(side)


def _silent(summary: Summary) -> float:
    """Return the share of slots without a message: of the spiking layers, or of all where none spikes."""
    layers = [layer for layer in summary["layers"] if layer["message_bits"] == 1] or summary["layers"]
    neurons = sum(layer["neurons"] for layer in layers)
    return float(sum(layer["sparsity"] * layer["neurons"] for layer in layers) / neurons)


def _zero_weights(summary: Summary) -> float | None:
    synapses = sum(layer["synapses"] for layer in summary["layers"])
    zeros = sum(layer["weight_sparsity"] * layer["synapses"] for layer in summary["layers"])
    return zeros / synapses if synapses else None


def _a_sample(key: str) -> Callable[[Summary], int]:
    return lambda summary: round(sum(layer[key] for layer in summary["layers"]) / summary["samples"])


def _cores(summary: Summary) -> int | None:
    """Return the cores in use; None in a simulation, which has none."""
    return None if summary["cores"]["limit"] is None else int(summary["cores"]["used"])


def _verified(summary: Summary) -> str | None:
    check = summary["verify"]
    if not check:
        return None
    different = check["spike_slots"] - check["equal"] + check["states"] - check["states_equal"]
    return f"{different:,} values differ from {check['backend']}" if different else f"equal to {check['backend']}"


ROWS = (
    Row("accuracy_integer", "accuracy, integers", "share", _accuracy("integer"), True, drawn=True),
    Row("accuracy_float", "accuracy, float", "share", _accuracy("float"), True),
    Row("agreement", "equal to float, worst layer", "share", _agreement, True),
    Row("verify", "verified", "text", _verified),
    Row("learnt_before", "accuracy before learning", "share", _learning("accuracy_before")),
    Row("learnt_after", "accuracy after learning", "share", _learning("accuracy_after"), True, drawn=True),
    Row("energy", "energy a sample, dynamic and static", "pj", _whole_energy, False, drawn=True),
    Row("energy_dynamic", "dynamic energy a sample", "pj", _energy("dynamic"), False),
    Row("energy_static", "static energy a sample", "pj", _energy("static"), False),
    Row("energy_learning", "learning from a sample", "pj", _learning("energy_pj"), False),
    Row("seconds_per_sample", "time a sample", "seconds", _energy("seconds_per_sample"), False, drawn=True),
    Row("latency_steps", "steps to the first answer", "count", lambda summary: summary["latency_steps"], False),
    Row("cores", "cores", "count", _cores, False),
    Row("silent", "silent slots", "share", _silent, drawn=True),
    Row("zero_weights", "zero weights", "share", _zero_weights, True),
    Row("synops", "synaptic operations a sample", "count", _a_sample("synops_hardware"), False),
    Row("saturations", "saturated words a sample", "count", _a_sample("saturations"), False),
    Row("findings", "findings", "count", lambda summary: len(summary["findings"]), False),
)


def _row(row: Row, summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return a row: values, ranges if any, the best runs if the work is the same, and the difference in words."""
    read = [row.read(summary) for summary in summaries]
    ranged = row.unit in ("pj", "seconds")
    values = [one["value"] if one else None for one in read] if ranged else read
    ranges = [one if one and one["value"] is not None else None for one in read] if ranged else None
    one_target = len({summary["target"] for summary in summaries}) == 1
    clear = ranges is None or _clear(ranges, one_target)
    return {
        "key": row.key,
        "label": row.label,
        "unit": row.unit,
        "drawn": row.drawn,
        "values": values,
        "ranges": ranges,
        "best": _best(values, row.more_is_better) if clear and not _warning(summaries) else [],
        "verdict": _verdict(values, row.unit, "" if clear else "not at every price" if one_target else "ranges meet"),
    }


def _clear(ranges: Sequence[Ends | None], one_target: bool) -> bool:
    """Whether every two ranges differ clearly; see the top of this file."""
    known = [r for r in ranges if r is not None]
    return all(_apart(a, b, one_target) for i, a in enumerate(known) for b in known[i + 1 :])


def _apart(a: Ends, b: Ends, one_target: bool) -> bool:
    ends = [(a[end] or 0.0, b[end] or 0.0) for end in ("low", "value", "high")]
    if one_target:
        return all(x < y for x, y in ends) or all(x > y for x, y in ends)
    return ends[2][0] < ends[0][1] or ends[2][1] < ends[0][0]


def _best(values: Sequence[Any], more_is_better: bool | None) -> list[int]:
    """Return the runs with the best value; none where all are the same, or better has no meaning."""
    known = [value for value in values if value is not None]
    if more_is_better is None or len(known) < 2 or len(set(known)) == 1:
        return []
    best = max(known) if more_is_better else min(known)
    return [index for index, value in enumerate(values) if value == best]


def _verdict(values: Sequence[Any], unit: str, doubt: str) -> str:
    """Say how the values differ: the second from the first, or the spread of more."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return "not in every run"
    if len(set(known)) == 1:
        return "same"
    if not all(isinstance(value, (int, float)) for value in known):
        return "differs"
    first, last, low, high = known[0], known[-1], min(known), max(known)
    if unit == "share":
        spread = f"{100 * (last - first):+.2f} points" if len(known) == 2 else f"up to {100 * (high - low):.2f} points"
    elif len(known) == 2 and first:
        spread = f"{(last - first) / first:+.1%}"
    else:
        far = high / low if low > 0 else None
        spread = "differs" if far is None else f"up to {far:.3g}x" if far >= _TIMES_FROM else f"up to {far - 1:+.2%}"
    return f"{spread}; {doubt}" if doubt else spread


def _settings(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return what was not made the same, of all that was asked for and read."""
    made = [_made(summary) for summary in summaries]
    labels = list(dict.fromkeys(label for one in made for label in one))
    absent = [_said(None) if summary.get("request") else NOT_RECORDED for summary in summaries]
    rows = [
        {"label": label, "values": [one.get(label, no) for one, no in zip(made, absent, strict=True)]}
        for label in labels
    ]
    return [row for row in rows if len(set(row["values"])) > 1]


def _made(summary: Summary) -> dict[str, str]:
    """Return how a run was made, by label: what was understood first, then every option, hash, seed and version."""
    request = summary.get("request") or {}
    made = {key: _said(summary[key]) for key in SETTINGS}
    made |= {label: _said(value) for label, value in request.get("options", {}).items() if label not in made}
    made |= {f"{what} sha256": str(digest)[:SHORT_HASH] for what, digest in request.get("hashes", {}).items()}
    made |= {f"seed of {what}": _said(seed) for what, seed in request.get("seeds", {}).items()}
    versions = request.get("versions") or {"bim-neuro": summary["bim_neuro"]}
    return made | {f"version of {what}": str(number) for what, number in versions.items()}


def _said(value: Any) -> str:
    if value is None:
        return "not given"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _warning(summaries: Sequence[Summary]) -> str:
    """Say what keeps the numbers from being held against each other."""
    different = [key for key in WORKLOAD if len({str(summary[key]) for summary in summaries}) > 1]
    hashes = {str((summary.get("request") or {}).get("hashes", {}).get("input")) for summary in summaries}
    if not different and len(hashes) > 1:
        different = ["the values of the input"]
    return f"Not the same work: {', '.join(different)} differ." if different else ""


def _layers(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return each layer that any run has, with its energy and sparsity in each; None where a run lacks it."""
    by_name = [{layer["name"]: layer for layer in summary["layers"]} for summary in summaries]
    names = list(dict.fromkeys(name for layers in by_name for name in layers))[:LAYERS]
    return [
        {
            "layer": name,
            "present": [name in layers for layers in by_name],
            "energy_pj": [layers[name]["energy_pj"]["value"] if name in layers else None for layers in by_name],
            "sparsity": [layers[name]["sparsity"] if name in layers else None for layers in by_name],
        }
        for name in names
    ]

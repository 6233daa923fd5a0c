"""Runs compared: differences in their requests, their results, and their layers.

A difference is clear if, with the prices of one target, the low, likely and high values all agree on it; between
targets, if the ranges do not overlap.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .._version import __version__
from ..errors import InputError
from .models import Accuracy, Layer, Learning, Range, Summary, plain

LAYERS = 300

SETTINGS = ("model", "task", "input", "target", "backend", "samples", "steps", "dt", "optimise")
WORKLOAD = ("task", "input", "samples", "steps")
SHORT_HASH = 12  # digits of a hash that are shown
_TIMES_FROM = 1.1  # smaller ratios are written in per cent
_ALIKE = 5e-4  # smaller ones would be written as 0.0 %, and are no difference


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
        raise InputError("compare needs two or more folders", "bim-report compare out/a out/b")
    names = _names(folders, summaries)
    shared = sorted({layer.name for summary in summaries for layer in summary.layers})
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
    """Name runs by their folders; by the whole path if two have the same name."""
    short = [folder.resolve().name for folder in folders]
    return short if len(set(short)) == len(short) else [str(folder) for folder in folders]


def _whole_energy(summary: Summary) -> Range:
    """Return dynamic and static energy, in pJ as the other lines are."""
    whole = summary.energy.energy_uj
    return Range(*(None if uj is None else uj * 1e6 for uj in (whole.low, whole.value, whole.high)))


def _learning(read: Callable[[Learning], Any]) -> Callable[[Summary], Any]:
    return lambda summary: read(summary.learning) if summary.learning else None


def _agreement(summary: Summary) -> float | None:
    """Return the share of the worst layer; None if a layer had nothing to compare."""
    shares = [row.share for row in summary.agreement]
    known = [share for share in shares if share is not None]
    return min(known, default=None) if len(known) == len(shares) else None


def _accuracy(read: Callable[[Accuracy], float]) -> Callable[[Summary], Any]:
    return lambda summary: read(summary.accuracy) if summary.accuracy else None


def _silent(summary: Summary) -> float:
    """Return the share of slots without a message: of the spiking layers, or of all where none spikes."""
    layers = [layer for layer in summary.layers if layer.message_bits == 1] or summary.layers
    neurons = sum(layer.neurons for layer in layers)
    return float(sum(layer.sparsity * layer.neurons for layer in layers) / neurons)


def _zero_weights(summary: Summary) -> float | None:
    synapses = sum(layer.synapses for layer in summary.layers)
    zeros = sum(layer.weight_sparsity * layer.synapses for layer in summary.layers)
    return zeros / synapses if synapses else None


def _a_sample(read: Callable[[Layer], int]) -> Callable[[Summary], int]:
    return lambda summary: round(sum(map(read, summary.layers)) / summary.samples)


def _cores(summary: Summary) -> int | None:
    """Return the cores in use; None in a simulation, which has none."""
    return None if summary.cores.limit is None else summary.cores.used


def _neurons(summary: Summary) -> int:
    return sum(layer.neurons for layer in summary.layers)


def _ours(summary: Summary) -> int:
    """Return the layers for which Lava ships no process, so that they need microcode on the chip."""
    return sum(layer.judge == "own" for layer in summary.layers)


def _messages_price(summary: Summary) -> str | None:
    """Say that no energy counts the sending of messages, where that is so."""
    return "none published" if "sending messages" in summary.energy.unpriced else None


def _verified(summary: Summary) -> str | None:
    check = summary.verify
    if not check:
        return None
    different = check.differing
    return f"{different:,} values differ from {check.backend}" if different else f"equal to {check.backend}"


ROWS = (
    Row("accuracy_integer", "accuracy, integers", "share", _accuracy(lambda found: found.integer), True, drawn=True),
    Row("accuracy_float", "accuracy, float", "share", _accuracy(lambda found: found.float), True),
    Row("agreement", "equal to float, worst layer", "share", _agreement, True),
    Row("verify", "verified", "text", _verified),
    Row("learnt_before", "accuracy before learning", "share", _learning(lambda learnt: learnt.accuracy_before)),
    Row(
        "learnt_after",
        "accuracy after learning",
        "share",
        _learning(lambda learnt: learnt.accuracy_after),
        True,
        drawn=True,
    ),
    Row("energy", "energy a sample, dynamic and static", "pj", _whole_energy, False, drawn=True),
    Row("energy_dynamic", "dynamic energy a sample", "pj", lambda summary: summary.energy.dynamic, False),
    Row("energy_static", "static energy a sample", "pj", lambda summary: summary.energy.static, False),
    Row("energy_learning", "learning energy a sample", "pj", _learning(lambda learnt: learnt.energy_pj), False),
    Row(
        "seconds_per_sample",
        "time a sample",
        "seconds",
        lambda summary: summary.energy.seconds_per_sample,
        False,
        drawn=True,
    ),
    Row("latency_steps", "steps to the first answer", "count", lambda summary: summary.latency_steps, False),
    Row("cores", "cores", "count", _cores, False),
    Row("silent", "silent slots", "share", _silent, drawn=True),
    Row("zero_weights", "zero weights", "share", _zero_weights, True),
    Row("synops", "synaptic operations a sample", "count", _a_sample(lambda layer: layer.synops_hardware), False),
    Row("saturations", "saturated values a sample", "count", _a_sample(lambda layer: layer.saturations), False),
    Row("findings", "findings", "count", lambda summary: len(summary.findings), False),
    Row("neurons", "neurons", "count", _neurons, False),
    Row("ours", "layers of our law", "count", _ours, False),
    Row("messages", "messages sent", "count", _a_sample(lambda layer: layer.spikes), False),
    Row("messages_price", "price of sending them", "text", _messages_price),
)


def _row(row: Row, summaries: Sequence[Summary]) -> dict[str, Any]:
    """Return a row: values, ranges if any, the best runs if the work is the same, and the difference in words."""
    read = [row.read(summary) for summary in summaries]
    ranged = row.unit in ("pj", "seconds")
    values = [one.value if one else None for one in read] if ranged else read
    ranges = [one if one and one.value is not None else None for one in read] if ranged else None
    one_target = len({summary.target for summary in summaries}) == 1
    clear = ranges is None or _clear(ranges, one_target)
    alike = row.unit in ("pj", "seconds", "count") and _alike(values)
    return {
        "key": row.key,
        "label": row.label,
        "unit": row.unit,
        "drawn": row.drawn,
        "values": values,
        "ranges": plain(ranges),
        "best": _best(values, row.more_is_better) if clear and not alike and not _warning(summaries) else [],
        "verdict": "within 0.05%"
        if alike and len(set(values)) > 1
        else _verdict(values, row.unit, "" if clear else "not at every price" if one_target else "ranges overlap"),
    }


def _alike(values: Sequence[float | None]) -> bool:
    """Whether no two runs differ by as much as is written."""
    known = [value for value in values if value is not None]
    return len(known) == len(values) and max(known) - min(known) <= _ALIKE * max(known)


def _clear(ranges: Sequence[Range | None], one_target: bool) -> bool:
    """Whether every two ranges differ clearly; see the top of this file."""
    known = [r for r in ranges if r is not None]
    return all(_apart(a, b, one_target) for i, a in enumerate(known) for b in known[i + 1 :])


def _apart(a: Range, b: Range, one_target: bool) -> bool:
    ends = [(x or 0.0, y or 0.0) for x, y in ((a.low, b.low), (a.value, b.value), (a.high, b.high))]
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
    """Describe the difference: of the second run from the first, or the spread of more runs."""
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
    """Return every option and input that differs between the runs."""
    made = [_made(summary) for summary in summaries]
    labels = list(dict.fromkeys(label for one in made for label in one))
    absent = _said(None)
    rows = [{"label": label, "values": [one.get(label, absent) for one in made]} for label in labels]
    return [row for row in rows if len(set(row["values"])) > 1]


def _made(summary: Summary) -> dict[str, str]:
    """Return how a run was made, by label: first the main options, then every option, hash, seed and version."""
    request = summary.request
    made = {key: _said(getattr(summary, key)) for key in SETTINGS}
    made |= {label: _said(value) for label, value in request.options.items() if label not in made}
    made |= {f"{what} sha256": str(digest)[:SHORT_HASH] for what, digest in plain(request.hashes).items()}
    made |= {f"seed of {what}": _said(seed) for what, seed in request.seeds.items()}
    return made | {f"version of {what}": number for what, number in request.versions.items()}


def _said(value: Any) -> str:
    if value is None:
        return "not given"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _warning(summaries: Sequence[Summary]) -> str:
    """Say why the numbers cannot be compared, if so."""
    different = [key for key in WORKLOAD if len({str(getattr(summary, key)) for summary in summaries}) > 1]
    hashes = {summary.request.hashes.input for summary in summaries}
    if not different and len(hashes) > 1:
        different = ["the values of the input"]
    return f"Not the same work: {', '.join(different)} differ." if different else ""


def _layers(summaries: Sequence[Summary]) -> list[dict[str, Any]]:
    """Return each layer that any run has, with its energy and sparsity in each; None where a run lacks it."""
    by_name = [{layer.name: layer for layer in summary.layers} for summary in summaries]
    names = list(dict.fromkeys(name for layers in by_name for name in layers))[:LAYERS]
    return [
        {
            "layer": name,
            "present": [name in layers for layers in by_name],
            "energy_pj": [layers[name].energy_pj.value if name in layers else None for layers in by_name],
            "sparsity": [layers[name].sparsity if name in layers else None for layers in by_name],
        }
        for name in names
    ]

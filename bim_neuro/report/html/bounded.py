"""The part of a report shown on a page: all of a small model; of a large one the main rows, with a note on the rest."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..models import Encoder, Summary, plain

LAYERS = 300  # those that cost most
CORES = 2048  # drawn one by one; above, chip by chip
FULLEST = 200  # cores listed where the map shows chips
ROWS = 400  # of a verification, those that differ first
CHANNELS = 300  # of the input, those that were clipped most
FLOWS = 2000  # pairs of cores and links of the mesh, those with most messages


def bounded(summary: Summary, mapping: dict[str, Any], series: dict[str, Any]) -> dict[str, Any]:
    """Return the data of report.html; ``left_out`` says, by part, what is missing."""
    left_out: dict[str, str] = {}
    kept = _layers(summary, left_out)
    cores, chips, resources = _cores(mapping, series.get("mesh"), left_out)
    return {
        "summary": kept,
        "input": _input(summary.encoder, left_out),
        "resources": resources,
        "cores": [list(core.values()) for core in cores],  # core, members, used
        "chips": chips,
        "flows": _carrying("flows", series, left_out),
        "links": _carrying("links", series, left_out),
        "mesh": series.get("mesh"),
        "edges": _edges(mapping),
        "series": {name: value for name, value in series.items() if name not in ("flows", "links", "mesh")},
        "left_out": left_out,
    }


def _carrying(name: str, series: dict[str, Any], left_out: dict[str, str]) -> list[list[float]]:
    """Return the pairs of cores, or links of the mesh, that carry most messages."""
    rows: list[list[float]] = series.get(name, [])
    if len(rows) > FLOWS:
        what = {"flows": "pairs of cores", "links": "links"}[name]
        left_out[name] = f"The {FLOWS:,} {what} that carry most messages, of {len(rows):,}."
    return rows[:FLOWS]


def _edges(mapping: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the edges of the network, those side by side as one; a loop is an edge that ends no deeper than it begins.

    The wire inside a microcode neuron takes no step, and is no loop.
    """
    depth, found = mapping["depth"], dict[tuple[str, str], dict[str, Any]]()
    for edge in mapping["edges"]:
        source, target = edge["from"], edge["to"]
        wire = edge["kind"] == "soma"
        one = found.setdefault((source, target), {
            "from": source, "to": target, "ports": [], "wire": wire, "delays": [],
            "loop": not wire and depth[source] >= depth[target],
        })  # fmt: skip
        for key, value in (("ports", edge["port"]), ("delays", edge["delay"])):
            if value not in one[key]:
                one[key].append(value)
    return list(found.values())


def _layers(summary: Summary, left_out: dict[str, str]) -> dict[str, Any]:
    """Return the summary with no more rows than a page can show."""
    layers, energy, verify = summary.layers, summary.energy, summary.verify
    if len(layers) > LAYERS:
        costly = sorted(layers, key=lambda layer: -(layer.energy_pj.value or 0))[:LAYERS]
        names = {layer.name for layer in costly}
        left_out["layers"] = f"The {LAYERS} layers that cost most, of {len(layers):,}; per-layer.csv has them all."
        layers = tuple(layer for layer in layers if layer.name in names)
        energy = replace(energy, layers=tuple(layer for layer in energy.layers if layer.layer in names))
    if verify and len(verify.layers) > ROWS:
        left_out["verify"] = f"The {ROWS} rows that differ most, of {len(verify.layers):,}."
        verify = replace(verify, layers=tuple(sorted(verify.layers, key=lambda row: row.equal - row.values)[:ROWS]))
    agreement = sorted(summary.agreement, key=lambda row: -1 if row.share is None else row.share)[:LAYERS]
    order = {row.layer: place for place, row in enumerate(summary.agreement)}
    kept = replace(
        summary,
        layers=layers,
        energy=energy,
        verify=verify,
        agreement=tuple(sorted(agreement, key=lambda row: order[row.layer])),
        judge={layer.name: layer.judge for layer in layers},
    )
    return kept.as_dict() | {"encoder": {"kind": summary.encoder.kind, "values": summary.encoder.values}}


def _input(encoder: Encoder, left_out: dict[str, str]) -> list[dict[str, Any]]:
    """Return a row for each raw channel; none for spikes, which have no scale."""
    if encoder.values is None or encoder.clipped is None or encoder.kind == "spikes":
        return []
    columns = {key: values for key, values in plain(encoder).items() if isinstance(values, list) and key != "shape"}
    channels = range(len(encoder.clipped))
    rows = [{"channel": index, **{key: values[index] for key, values in columns.items()}} for index in channels]
    if len(rows) > CHANNELS:
        left_out["input"] = f"The {CHANNELS} channels that were clipped most, of {len(rows):,}."
        rows = sorted(rows, key=lambda row: -row["clipped"])[:CHANNELS]
    return rows


def _cores(
    mapping: dict[str, Any], mesh: dict[str, int] | None, left_out: dict[str, str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the cores, or for many of them the chips and the fullest cores; and what a core has."""
    if not mapping["cores"] or not mesh:
        return [], [], []
    limits = {name: entry["limit"] for name, entry in mapping["cores"][0]["resources"].items()}
    merged: dict[int, dict[str, Any]] = {}
    for row in mapping["cores"]:
        used = [row["resources"].get(name, {"used": 0})["used"] for name in limits]
        core = merged.setdefault(row["core"], {"core": row["core"], "members": [], "used": used})
        kinds = [f"{kind} {row[kind][0]}–{row[kind][1]}" for kind in ("rows", "channels") if kind in row]  # of a map
        core["members"].append([row["layer"], *row["neurons"], *kinds])
    cores = list(merged.values())
    resources = [{"name": name, "limit": limit} for name, limit in limits.items()]
    if len(cores) <= CORES:
        return cores, [], resources
    fullest = sorted(cores, key=lambda core: -_fullest(core, resources))[:FULLEST]
    left_out["cores"] = f"The {FULLEST} fullest cores, of {len(cores):,}; mapping.json has them all."
    return fullest, _chips(cores, resources, mesh["per_chip"]), resources


def _fullest(core: dict[str, Any], resources: list[dict[str, Any]]) -> float:
    pairs = zip(core["used"], resources, strict=True)
    return max((used / entry["limit"] for used, entry in pairs if entry["limit"]), default=0.0)


def _chips(cores: list[dict[str, Any]], resources: list[dict[str, Any]], per_chip: int) -> list[dict[str, Any]]:
    """Return, for each chip in use, how many of its cores are, and how full the fullest is."""
    chips: dict[int, dict[str, Any]] = {}
    for core in cores:
        chip = chips.setdefault(core["core"] // per_chip, {"chip": core["core"] // per_chip, "cores": 0, "fullest": 0})
        chip["cores"] += 1
        chip["fullest"] = max(chip["fullest"], _fullest(core, resources))
    return list(chips.values())

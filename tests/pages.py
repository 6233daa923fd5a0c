"""Report pages for tests: of a finished compile, with hostile names, and of models far too large to compile here."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from bim_neuro.report.html import render
from bim_neuro.report.html.compact import widened
from bim_neuro.report.models import Summary, read

CORES_A_CHIP = 120
HOSTILE = '</script><img src=x onerror="document.title=1"><b>'
PAGES = ("loihi2", "lava_cpu", "stock", "hostile", "learnt", "expected", "maps", "dead", "few", "cores", "board",
         "refused", "compare", "eight", "twelve", "runs")  # fmt: skip
"""Names of the pages that tests/report/conftest.py makes."""

Files = dict[str, Any]
"""What report.html is made of: summary, mapping, series."""


def html_of(files: Files) -> str:
    return render(read(Summary, files["summary"]), files["mapping"], files["series"], "the report as text")


def hostile(files: Files, name: str) -> Files:
    """Return the files with the first layer called ``name`` everywhere."""
    first = json.dumps(files["summary"]["layers"][0]["name"])[1:-1]
    changed = json.dumps(files).replace(f'"{first}"', json.dumps(name))
    return dict(json.loads(changed))


def learnt(files: Files) -> Files:
    """Return the files of a program that learnt on the chip."""
    made = copy.deepcopy(files)
    made["summary"]["learning"] = {
        "rule": "delta",
        "plasticity": {"rate": 0.05},
        "learning_signal": "the error of the readout",
        "stream": "new samples",
        "old_before": 0.9,
        "old_after": 0.85,
        "forgotten": 0.05,
        "groups": {"w_o": {"layer": "readout", "visited": 120, "changed": 60, "clipped": 0, "sparsity": 0.25}},
        "saturated_trace_words": 0,
        "rates": {"w_o": {"name": "w_o", "wanted": 0.05, "got": 0.0625, "error": 0.25}},
        "trace_words": 12,
        "trace_bits": 12,
        "trace_cores": 0,
        "verify": None,
        "energy_share": 0.5,
        "placement": "tags",
        "placement_reasons": ["the trace process needs 12 words"],
        "samples": 40,
        "measured_on": "new samples",
        "accuracy_before": 0.25,
        "accuracy_during": 0.5,
        "accuracy_after": 0.75,
        "others": {"old samples": {"before": 0.9, "after": 0.85}},
        "curve": [0.2, 0.4, 0.6, 0.8],
        "updates": 120,
        "energy_pj": {"low": 10.0, "value": 40.0, "high": 90.0},
        "energy_events": {"updates": {"low": 10.0, "value": 40.0, "high": 90.0}},
        "unpriced": [],
        "weakest_basis": "assumed",
    }
    return made


def expected(files: Files) -> Files:
    """Return the files of a run beside a recording from which one layer differs."""
    made = copy.deepcopy(files)
    row = {"what": "message", "law": "float", "bins": 4800, "differing": 7, "ties": 2, "ties_differing": 1,
           "theirs": 649, "ours": 650, "first": {"sample": 1, "step": 37, "neuron": 4}}  # fmt: skip
    made["summary"]["expect"] = {
        "file": "io.npz",
        "kind": "framework",
        "float_bits": 64,
        "differing": 7,
        "spikes": 120,
        "proved": False,
        "dialect": "norse",
        "dialects": {"norse": 7, "snntorch, reset=zero": 0},
        "consistent": ["snntorch, reset=zero"],
        "tried": 2304,
        "undecided": [{"switch": "compare", "values": [">", ">="]}],
        "layers": [row | {"layer": layer["name"]} for layer in made["summary"]["layers"][:2]],
    }
    return made


def trained(seed: int, rule: str) -> dict[str, Any]:
    """Return the record of a training, as model.pt keeps it."""
    rows = [{"epoch": epoch, "loss": 1 / epoch, "score": 0.5} for epoch in (1, 2, 3)]
    test = {law: {"accuracy": 0.5} for law in ("float", "integer")}
    asked = {"recipe": {"epochs": 3, "seed": seed}, "learning": {"rule": rule}}
    return {"rule": rule, "seed": seed, **asked, "epochs": 3, "seconds": 10.0,
            "validation": {"accuracy": 0.5, "samples": 40}, "test": test, "log": rows}  # fmt: skip


def many_layers(files: Files, count: int) -> Files:
    """Return the files with ``count`` more layers, all like the first."""
    made = copy.deepcopy(files)
    first = made["summary"]["layers"][0]
    costs = next(layer for layer in made["summary"]["energy"]["layers"] if layer["layer"] == first["name"])
    names = [f"{first['name']}.{index}" for index in range(count)]
    made["summary"]["layers"] += [first | {"name": name} for name in names]
    made["summary"]["energy"]["layers"] += [costs | {"layer": name} for name in names]
    return made


def many_cores(files: Files, count: int) -> Files:
    """Return the files with ``count`` cores, all like the first, on chips of 120, sixteen a row."""
    made = copy.deepcopy(files)
    first = made["mapping"]["cores"][0]
    made["mapping"]["cores"] = [first | {"core": core} for core in range(count)]
    chips = -(-count // CORES_A_CHIP)
    mesh = {"columns": 8, "rows": 15, "per_chip": CORES_A_CHIP, "chips": chips, "chip_columns": 16}
    flows = [[core, (7 * core) % min(count, 2000), 1.5] for core in range(min(count, 2000))]
    made["series"] |= {"mesh": mesh, "flows": flows}
    made["summary"]["cores"] = {"used": count, "limit": chips * CORES_A_CHIP}
    return made


def data_of(page: str) -> Any:
    """Return the data of a page, as its scripts see them."""
    found = re.search(r'id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return widened(json.loads(found[1]))

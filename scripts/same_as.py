"""Compare this checkout with another one: the same commands must give the same integers, messages and figures.

    python scripts/same_as.py FOLDER [--data MITBIH]        FOLDER: a checkout of the commit to compare with

Both checkouts run, with this Python, digits.pt, ecg.pt (on random input, or on recordings with --data), the NIR file
that the other one wrote of digits, a net of plain LIF layers in NIR, and a learning run. Compared are every array of
model.bimn, message by message, and every value of summary.json that is no duration, date or version; what differs is
printed, key by key. Exit code 0: all equal, 1: something differs.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import nir
import numpy as np

HERE = Path(__file__).resolve().parents[1]
VOLATILE = {
    "bim_neuro",
    "seconds",
    "command",
    "versions",
    "version",
    "date",
    "request",
    "schema_version",
    "peak_memory_mib",
}
"""Keys of summary.json with the time, speed or version of a run, which are not compared."""


def main() -> int:
    """Run every case in both checkouts and print what differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path)
    parser.add_argument("--data", type=Path, help="the recordings of MIT-BIH, for ecg.pt")
    asked = parser.parse_args()
    other = asked.other.resolve()
    differing = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, words in cases(Path(scratch), asked.data):
            before, after = Path(scratch, "before", name), Path(scratch, "after", name)
            for checkout, out in ((other, before), (HERE, after)):
                bim_compile(checkout, [*words, "-o", str(out)])
            found = list(differences(before, after))
            differing += len(found)
            arrays = artefact(after).values()
            size = f"{len(arrays)} arrays of {sum(array.size for array in arrays):,} numbers, and summary.json"
            print(f"{name}: {f'{len(found)} differ' if found else 'equal'} ({size})")
            for line in found[:40]:
                print(f"  {line}")
    return 1 if differing else 0


def cases(scratch: Path, data: Path | None) -> Iterator[tuple[str, list[str]]]:
    """Yield each case's name and its arguments for bim-compile."""
    digits, ecg = str(HERE / "examples" / "digits.pt"), str(HERE / "examples" / "ecg.pt")
    yield "digits", [digits, "--samples", "64"]
    if data is not None:
        yield "ecg", [ecg, "--samples", "8", "--data", str(data)]
    else:
        x = np.random.default_rng(0).normal(size=(8, 16, channels_of(ecg)))
        np.savez(scratch / "ecg.npz", x=x, layout="BTC")
        yield "ecg", [ecg, "--samples", "8", "--input", str(scratch / "ecg.npz")]
    yield "nir", [str(scratch / "before" / "digits" / "model.nir"), "--samples", "16"]
    yield "lif-net", lif_net(scratch)
    yield "learning", [digits, "--learn", "rtrl"]


def channels_of(model: str) -> int:
    """Return how many channels a model reads."""
    from bim_neuro.model.checkpoint import load_checkpoint

    return int(load_checkpoint(Path(model)).config.inputs)


def lif_net(scratch: Path) -> list[str]:
    """Write a chain of two dense LIF layers, as norse would, and spikes for it."""
    rng = np.random.default_rng(1)
    lif = {"r": np.ones(24), "v_leak": np.zeros(24), "v_threshold": np.ones(24)}
    nodes = {
        "input": nir.Input({"input": np.array([12])}),
        "w1": nir.Linear(rng.normal(0, 0.4, (24, 12))),
        "lif1": nir.LIF(tau=np.full(24, 5e-3), **lif),
        "w2": nir.Linear(rng.normal(0, 0.4, (24, 24))),
        "lif2": nir.LIF(tau=np.full(24, 5e-3), **lif),
        "output": nir.Output({"output": np.array([24])}),
    }
    names = list(nodes)
    nir.write(scratch / "lif.nir", nir.NIRGraph(dict(nodes), list(pairwise(names))))
    np.savez(scratch / "lif.npz", x=(rng.random((6, 40, 12)) < 0.2).astype(np.float32), layout="BTC")
    return [str(scratch / "lif.nir"), "--dt", "1e-3", "--input", str(scratch / "lif.npz")]


def bim_compile(checkout: Path, words: list[str]) -> None:
    """Run one bim-compile of a checkout."""
    code = "from bim_neuro.cli import compile_main; compile_main()"
    env = {**os.environ, "PYTHONPATH": str(checkout)}
    ended = subprocess.run([sys.executable, "-c", code, *words], cwd=checkout, env=env, capture_output=True, text=True)
    if ended.returncode not in (0, 3):
        raise SystemExit(f"{checkout}: bim-compile {' '.join(words)} ended with {ended.returncode}: {ended.stderr}")


def differences(before: Path, after: Path) -> Iterator[str]:
    """Yield the differences between two folders, one line each."""
    left, right = artefact(before), artefact(after)
    for name in sorted(left.keys() | right.keys()):
        if name not in left or name not in right:
            yield f"model.bimn: {name} is in one alone"
        elif left[name].dtype != right[name].dtype or not np.array_equal(left[name], right[name]):
            yield f"model.bimn: {name} differs"
    yield from unequal("", *(json.loads((folder / "summary.json").read_text()) for folder in (before, after)))


def artefact(folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of model.bimn: constants, sample and messages; its header is text and is not compared."""
    with np.load(folder / "model.bimn", allow_pickle=False) as content:
        return {name: content[name] for name in content.files if name != "header"}


def unequal(path: str, left: Any, right: Any) -> Iterator[str]:
    """Yield the keys whose values differ."""
    if isinstance(left, dict) and isinstance(right, dict):
        for key in sorted(left.keys() | right.keys()):
            if key in VOLATILE:
                continue
            if key not in left or key not in right:
                yield f"{path}/{key}: {'new' if key in right else 'gone'}"
            else:
                yield from unequal(f"{path}/{key}", left[key], right[key])
    elif isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        for index, pair in enumerate(zip(left, right, strict=True)):
            yield from unequal(f"{path}/{index}", *pair)
    elif left != right:
        yield f"{path}: {left!r:.60} -> {right!r:.60}"


if __name__ == "__main__":
    sys.exit(main())

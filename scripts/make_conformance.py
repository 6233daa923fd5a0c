"""Make docs/conformance: small programs, their input, and all their messages and states, to build a simulator by.

    python scripts/make_conformance.py [FOLDER]

The same code makes the same bytes: no date, and nothing is compressed.
"""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from conformance_circuits import CIRCUITS
from conformance_circuits import vectors as learnt
from conformance_graphs import GRAPHS, draw

from bim_neuro.graph import IntegerGraph
from bim_neuro.nodes import Encoder, arithmetic
from bim_neuro.pack import pack
from bim_neuro.simulation import simulate

FOLDER = Path(__file__).parent.parent / "docs" / "conformance"
SAMPLES, STEPS = 2, 10
Arrays = dict[str, Any]


def input_of(graph: IntegerGraph, seed: int) -> np.ndarray:
    """Return input of which half is silent, and whose other half goes to the ends of a message."""
    source = graph.nodes[graph.source]
    shape = (SAMPLES, STEPS, source.neurons)
    some = draw(seed)
    active = some.random(shape) < 0.5
    return np.where(active, some.integers(-127, 128, shape) if source.message_bits > 1 else 1, 0)


def vectors(rules: tuple[str, ...], graph: IntegerGraph, seed: int) -> Arrays:
    """Return a program, its input, and every message and state of it."""
    header, arrays = pack(graph)
    x = input_of(graph, seed)
    probes = simulate(graph, x, probe=True).probes
    said = {"rules": rules, "gap": graph.gap, "output": graph.output, "graph": header}
    held = {f"expected:{key}": value.astype(np.int32) for key, value in probes.items()}
    return {"header": np.array(json.dumps(said)), "x": x.astype(np.int32), **arrays, **held}


def functions() -> Arrays:
    """Return arguments and results of the functions N1 to N6."""
    word = np.concatenate([[0, 1, -1, 2**23 - 1, 2**23, -(2**23)], draw(70).integers(-(2**25), 2**25, 60)])
    factor = np.concatenate([[0, 1, 2**16 - 1, 2**16 - 1, 2**15, 7], draw(71).integers(0, 2**16, 60)])
    held = arithmetic.saturate(word)[0]
    p = np.concatenate([[0, 2**20 - 1, 2**20, 2**24 - 1], draw(72).integers(0, 2**22, 60)])
    z = np.concatenate([[0, 1, -1, 2**23 - 1, 1 - 2**23], draw(73).integers(-(2**19), 2**19, 60)])
    bias = draw(74).integers(-999, 999, len(word))
    return {
        "N1.word": word, "N1.result": held, "N2.word": held, "N2.factor": factor, "N2.shift": np.array(9),
        "N2.result": arithmetic.multiply_shift(held, factor, 9), "N4.p": p, "N4.result": arithmetic.exp2_minus(p),
        "N5.z": z, "N5.result": arithmetic.softplus(z)[0], "N6.sum": word, "N6.multiplier": factor,
        "N6.shift": np.array(11), "N6.bias": bias, "N6.result": arithmetic.rescale(word, factor, 11, bias)[0],
    }  # fmt: skip


def encoders() -> Arrays:
    """Return raw input and the messages that an encoder makes of it, rule N13."""
    raw = np.rint(draw(75).normal(size=(1, 12, 3)) * 64) / 32  # exact in binary
    gain, offset = np.array([64.0, 0.0, 20.0]), np.array([0.0, 0.5, -0.25])
    made = {kind: Encoder(kind, gain if kind == "graded" else gain / 8, offset) for kind in ("graded", "delta")}
    told = {f"N13.{kind}.{name}": getattr(made[kind], name) for kind in made for name in ("gain", "offset")}
    return {"N13.raw": raw, **told, **{f"N13.{kind}.result": made[kind].encode(raw) for kind in made}}


def write(path: Path, arrays: Arrays) -> None:
    """Write an .npz without dates and without compression."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
    path.write_bytes(memory.getvalue())


def main(folder: Path) -> None:
    """Write every file of the pack."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, (name, (rules, made)) in enumerate(GRAPHS.items(), 80):
        write(folder / f"{name}.npz", vectors(rules, made(), seed))
    for name, (rules, circuit) in CIRCUITS.items():
        write(folder / f"{name}.npz", learnt(rules, circuit()))
    write(folder / "functions.npz", functions())
    write(folder / "encoders.npz", encoders())


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)

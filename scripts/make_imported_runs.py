"""Make tests/frameworks_data/imported_runs.npz: what norse, snnTorch and SpikingJelly play of files that we wrote.

    python scripts/make_imported_runs.py            needs norse 1.1.0, snntorch 1.0.0, spikingjelly 2.0.0, nir 1.0.8
    python scripts/make_imported_runs.py --check    plays them again, and compares each with our float law

Each file is one of `tests/written_nets.py`, without the exact copy, read by the framework's own importer. The .npz
holds the spikes of its output layer, a hash of what was read, and the words in which importers refuse the digits model.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from written_nets import FRAMEWORKS, cases, digest, inputs, net  # noqa: E402

from bim_neuro.nir_bridge import exact, write_nir  # noqa: E402
from bim_neuro.reading import read_model  # noqa: E402
from bim_neuro.simulation import simulate_float  # noqa: E402

FILE = ROOT / "tests/frameworks_data/imported_runs.npz"


def written(graph: Any, importer: str | None, path: Path) -> Path:
    """Write a file without the group that other tools do not know."""
    write_nir(graph, path, importer=importer)
    with h5py.File(path, "r+") as file:
        del file[exact.GROUP]
    return path


def imported(framework: str, path: Path, dt: float) -> torch.nn.Module:
    """Return the module that a framework's own importer makes of a file."""
    if framework == "norse":
        import norse.torch

        return norse.torch.from_nir(nir.read(path), dt=dt)
    if framework == "snntorch":
        from snntorch.import_nir import import_from_nir

        return import_from_nir(nir.read(path))
    from spikingjelly.activation_based import nir_exchange

    return nir_exchange.import_from_nir(path, dt=dt)


def played(framework: str, path: Path, x: np.ndarray, dt: float) -> np.ndarray:
    """Return the spikes of the output, (samples, steps, neurons), of x (samples, steps, ...)."""
    module, state, out = imported(framework, path, dt), None, []
    with torch.no_grad():
        for row in torch.from_numpy(x).float().unbind(1):
            spikes, state = module(row, state)
            out.append(spikes.numpy())
    return np.stack(out, axis=1)


def played_case(name: str, importer: str | None, framework: str, folder: Path) -> np.ndarray:
    """Write a net for an importer, and let a framework play it."""
    graph = net(name, importer)
    path = written(graph, importer, folder / "net.nir")
    x = inputs(graph)
    x = x.reshape(*x.shape[:2], *nir.read(path).nodes["input"].output_type["output"])
    return played(framework, path, x, graph.dt)


def refused(framework: str, folder: Path) -> str:
    """Return what an importer says of the digits model's standard nodes."""
    graph = read_model(ROOT / "examples/digits.pt")
    path = written(graph, framework, folder / "digits.nir")
    try:
        out = played(framework, path, np.zeros((1, 3, graph.nodes["input"].neurons)), graph.dt)
    except Exception as error:  # noqa: BLE001 - whatever an importer raises is its answer
        return f"{framework} {version(framework)}: {type(error).__name__}: {str(error).splitlines()[0]}"
    return f"{framework} {version(framework)}: plays it, to {out.shape}"


def main() -> None:
    """Record, or compare with our float law."""
    warnings.simplefilter("ignore")
    arrays: dict[str, Any] = {}
    differing = 0
    with tempfile.TemporaryDirectory() as temporary, contextlib.redirect_stdout(io.StringIO()):
        folder = Path(temporary)
        for name, importer, framework in cases():
            graph, out = net(name, importer), played_case(name, importer, framework, folder)
            ours = simulate_float(graph, inputs(graph)).probes["out.message"]
            bins = np.count_nonzero(ours != out)
            differing += bins
            print(f"{name}, for {importer or 'all'}: {framework} {out.sum():.0f} spikes, {bins} bins", file=sys.stderr)
            key = f"{name}-{importer or 'all'}-{framework}"
            arrays[key] = out.astype(np.uint8)
            arrays[f"{key}-read"] = digest(graph, importer)
        said = {each: refused(each, folder) for each in FRAMEWORKS}
    print(json.dumps(said, indent=1))
    if "--check" in sys.argv:
        sys.exit(f"{differing} bins differ" if differing else 0)
    versions = {each: version(each) for each in (*FRAMEWORKS, "nir", "nirtorch", "torch")}
    np.savez_compressed(FILE, **arrays, meta=json.dumps({"versions": versions, "digits": said}))


if __name__ == "__main__":
    main()

"""NIR files of other tools, and breaking HDF5: links, storage, shapes, types."""

from __future__ import annotations

from pathlib import Path
from random import Random

import h5py
import nir
import numpy as np

from .values import TEXTS, Array, odd_array


def foreign(folder: Path) -> list[Path]:
    """Write graphs as other frameworks do: LIF, CubaLIF with a readout, nested, convolutions and a pool."""
    rng = np.random.default_rng(2)

    def affine(post: int, pre: int) -> nir.Affine:
        return nir.Affine(rng.normal(size=(post, pre)), np.zeros(post))

    def lif(size: int) -> nir.LIF:
        return nir.LIF(**{key: np.full(size, value) for key, value in _LIF.items()})

    cuba = nir.CubaLIF(
        **{key: np.full(4, value) for key, value in {**_LIF, "tau_syn": 5e-3, "tau_mem": 2e-2}.items() if key != "tau"}
    )
    readout = nir.LI(np.full(4, 0.02), np.ones(4), np.zeros(4))
    inner = nir.NIRGraph.from_list(affine(4, 5), lif(4))
    conv = nir.Conv2d((4, 4), rng.normal(size=(2, 1, 3, 3)), 1, 1, 1, 1, np.zeros(2))
    flat = nir.Flatten({"input": np.array([2, 4, 4])}, 0, -1)
    lines = nir.Conv2d((4, 4), rng.normal(size=(2, 1, 2, 1)), (1, 1), "valid", (1, 1), 1, np.zeros(2))
    pool = nir.SumPool2d(np.array([3, 2]), np.array([3, 2]), np.array([0, 0]))
    ends = {"input": nir.Input(np.array([5])), "output": nir.Output(np.array([4]))}
    graphs = {
        "lif": nir.NIRGraph.from_list(affine(6, 5), lif(6), affine(4, 6), lif(4)),
        "cuba": nir.NIRGraph.from_list(affine(4, 5), cuba, affine(4, 4), readout),
        "nested": nir.NIRGraph({**ends, "net": inner}, [("input", "net"), ("net", "output")], type_check=False),
        "conv": nir.NIRGraph.from_list(
            nir.Input(np.array([1, 4, 4])), conv, flat, affine(4, 32), lif(4), type_check=False,
        ),
        "maps": nir.NIRGraph.from_list(
            nir.Input(np.array([1, 4, 4])), lines, lif(24), pool, flat, affine(4, 4), lif(4), type_check=False,
        ),
    }  # fmt: skip
    files = []
    for name, graph in graphs.items():
        files.append(folder / f"{name}.nir")
        nir.write(files[-1], graph)
    return files


def arrays_below(group: h5py.Group) -> dict[str, Array]:
    """Return every dataset below a group by its path."""
    found: dict[str, Array] = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = np.asarray(item[()])

    group.visititems(note)
    return found


_LIF = {"tau": 2e-2, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0, "v_reset": 0.0}


def odd_item(rng: Random, file: h5py.File, folder: Path) -> None:
    """Change one thing below the root: a dataset's content or storage, a link, an attribute."""
    known: list[str] = []
    file.visit(known.append)
    name = rng.choice(known)
    item, action = file[name], rng.randrange(14)
    if action <= 4 and isinstance(item, h5py.Dataset):
        _content(rng, file, name)
    elif action <= 6:
        _storage(rng, file, name, folder)
    elif action == 7:
        del file[name]
    elif action == 8:
        file.move(
            name, f"{name.rsplit('/', 1)[0]}/{rng.choice([text for text in TEXTS if text and chr(0) not in text])}"
        )
    elif action == 9:
        target = rng.choice(known)
        file[f"{name.rsplit('/', 1)[0]}/again"] = file[target]
    elif action == 10:
        _links(rng, file, name)
    elif action == 11:
        group = file[name.rsplit("/", 1)[0]]
        for depth in range(rng.choice((3, 40))):
            group = group.create_group(f"deeper{depth % 3}")
    elif action == 12:
        _fan(file, name, rng.choice((4, 40)))
    else:
        item.attrs["odd"] = rng.choice((np.zeros(1000), "text", 1.5))


def _content(rng: Random, file: h5py.File, name: str) -> None:
    value = file[name][()]
    del file[name]
    if isinstance(value, bytes):
        kinds = ("LIF", "NIRGraph", "Input", "Output", "Conv2d", "Delay", "Scale", "Threshold", *TEXTS)
        file[name] = rng.choice([text for text in kinds if "\x00" not in text])
    else:
        file[name] = odd_array(rng, np.asarray(value))


def _storage(rng: Random, file: h5py.File, name: str, folder: Path) -> None:
    """Replace an item by one whose bytes lie elsewhere, or nowhere."""
    del file[name]
    kind = rng.randrange(6)
    if kind == 0:
        file.create_dataset(name, (10 ** rng.choice((3, 9, 12)),), "f8", chunks=(1000,), fillvalue=1.0)
    elif kind == 1:
        file.create_dataset(name, data=np.zeros(rng.choice((10**5, 10**7))), compression="gzip", chunks=True)
    elif kind == 2:
        file.create_dataset(name, (4,), "f8", external=[(str(folder / "secret"), 0, 32)])
    elif kind == 3:
        layout = h5py.VirtualLayout((4, 5), "f8")
        layout[:] = h5py.VirtualSource(str(folder / "secret.h5"), "x", (4, 5))
        file.create_virtual_dataset(name, layout)
    elif kind == 4:
        file.create_dataset(name, (3,), h5py.vlen_dtype(np.dtype("f8")))
    else:
        file[name] = h5py.Empty("f8")


def _links(rng: Random, file: h5py.File, name: str) -> None:
    parent = name.rsplit("/", 1)[0]
    del file[name]
    links = (
        h5py.SoftLink("/nowhere"),
        h5py.SoftLink(f"/{name}"),
        h5py.SoftLink("/node"),
        h5py.ExternalLink("secret.h5", "/x"),
    )
    if rng.random() < 0.3:
        file[name] = file[parent] if parent in file else file["/"]
    else:
        file[name] = rng.choice(links)


def _fan(file: h5py.File, name: str, levels: int) -> None:
    """Groups that hold the next one twice: 2^levels paths."""
    group = file[name.rsplit("/", 1)[0]]
    for _ in range(levels):
        inner = group.create_group("l")
        group["r"] = inner
        group = inner

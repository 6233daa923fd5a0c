"""The hostile corpus: files made by code, one a kind of harm, each with how it is given and what must be said of it."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import socket
import struct
import tarfile
import warnings
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from small_models import small_checkpoint, small_graphs, small_input

from bim_neuro.compilers.artefact import Artefact, expected_messages, save_artefact
from bim_neuro.graph import IntegerGraph
from bim_neuro.model.checkpoint import save_checkpoint
from bim_neuro.model.network import BIMNetwork
from bim_neuro.nir_bridge import exact, write_nir
from bim_neuro.nodes.arithmetic import Array

Build = Callable[[Path], object]
BOMB_BYTES = 2**29


class Hostile(NamedTuple):
    """A file: ``role`` says how it is given ('model', 'input', 'target', ...), ``words`` what the refusal must say.

    ``codes`` are the exit codes that are right; 0 where the harm is in what nobody asked for.
    """

    name: str
    role: str
    build: Build
    words: tuple[str, ...] = ()
    codes: tuple[int, ...] = (2,)


# ---- PyTorch files


class Code:
    """A pickle of this writes a file when it is loaded."""

    def __init__(self, sign: Path) -> None:
        self.sign = sign

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.sign,)


def sign_beside(path: Path) -> Path:
    """Where the code of a hostile file would leave its mark."""
    return path.with_name("it-ran")


class Writer(torch.nn.Module):
    """TorchScript: a program whose ``__setstate__`` writes a file when it is loaded."""

    def __init__(self, sign: str) -> None:
        super().__init__()
        self.sign = sign

    @torch.jit.export
    def __getstate__(self) -> tuple[str, bool]:
        return self.sign, self.training

    @torch.jit.export
    def __setstate__(self, state: tuple[str, bool]) -> None:
        self.sign = state[0]
        self.training = state[1]
        torch.save(torch.zeros(1), state[0])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def torchscript(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # newer torch calls TorchScript deprecated
        torch.jit.script(Writer(str(sign_beside(path)))).save(str(path))


def torchscript_by_another_name(path: Path) -> None:
    """The same archive with a pickle of ours in front: what torch looks at is not what a careless check sees."""
    script = path.with_name("script")
    torchscript(script)
    with zipfile.ZipFile(script) as old, zipfile.ZipFile(path, "w") as new:
        folder = old.namelist()[0].partition("/")[0]
        for name in old.namelist():
            new.writestr(name, old.read(name))
        new.writestr(f"{folder}x/data.pkl", pickle.dumps({"format": "bim-neuro"}, protocol=2))
    script.unlink()


def exported_program(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/archive_format", "pt2")
        archive.writestr("model/models/model.json", "{}")
        archive.writestr("model/data/weights/weight_0", b"")


def tar_form(path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        member = tarfile.TarInfo("pickle")
        content = pickle.dumps(Code(sign_beside(path)))
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))


def with_value(key: str, make: Callable[[], Any]) -> Build:
    """A sound model.pt but for one value."""

    def build(path: Path) -> None:
        content = sound_content(path)
        target = content
        *keys, last = key.split(".")
        for part in keys:
            target = target[part]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # some of these tensors are prototypes
            target[last] = make()
            torch.save(content, path)

    return build


def sound_content(path: Path) -> dict[str, Any]:
    save_checkpoint(small_checkpoint(), path)
    content = torch.load(path, weights_only=True)
    assert isinstance(content, dict)
    return content


def quantised() -> torch.Tensor:
    return torch.quantize_per_tensor(torch.zeros(4, 12), 0.1, 0, torch.qint8)


def nested_list(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def laughs() -> dict[str, Any]:
    """Ten lists a level, each of ten times the next: a few hundred bytes for 10^12 values."""
    value: Any = "ha"
    for _ in range(12):
        value = [value] * 10
    return {"laughs": value}


def with_code(path: Path) -> None:
    torch.save({"format": "bim-neuro", "state": Code(sign_beside(path))}, path)


def with_pickle(content: bytes, compression: int = zipfile.ZIP_STORED) -> Build:
    """An archive as torch writes it around a pickle of one's own."""

    def build(path: Path) -> None:
        with zipfile.ZipFile(path, "w", compression) as archive:
            archive.writestr("model/data.pkl", content)
            archive.writestr("model/version", "3\n")

    return build


def with_lists(millions: int) -> Build:
    """A small archive whose pickle makes that many million empty lists."""
    return with_pickle(b"\x80\x02" + b"]" * (millions * 2**20), zipfile.ZIP_DEFLATED)


def lying_storage(path: Path) -> None:
    """A tensor of 10^10 numbers whose storage has eight bytes."""
    torch.save({"format": "bim-neuro", "w": torch.zeros(2)}, path)
    members = read_members(path)
    name = next(name for name in members if name.endswith("data.pkl"))
    numel = b"\x8a\x05" + (10**10).to_bytes(5, "little")
    pickled = re.sub(rb"(cpuq.)K\x02", lambda found: found[1] + numel, members[name])
    assert pickled != members[name]
    write_members(path, members | {name: pickled})


def tensor_beyond_its_storage(path: Path) -> None:
    """Strides that lead out of the storage into the memory behind it."""
    content = sound_content(path)
    content["state"]["w_o"] = torch.zeros(1000)[:48].view(4, 12)
    torch.save(content, path)
    members = read_members(path)
    name = next(name for name in members if name.endswith("data.pkl"))
    stride = b"K\x0cK\x01\x86q"  # (12, 1)
    pickled = members[name].replace(stride, b"M\x00\x40K\x01\x86q")  # (16384, 1)
    assert pickled != members[name]
    write_members(path, members | {name: pickled})


def one_storage_often(path: Path) -> None:
    """A thousand tensors that are each the whole of one storage of a million numbers."""
    content = sound_content(path)
    whole = torch.zeros(10**6)
    content["training"] = {"log": [whole.view(1000, 1000) for _ in range(1000)]}
    torch.save(content, path)


def deflated_weights(path: Path) -> None:
    """A sound model of 100 MB in 100 kB: compiling it would take five times as much."""
    checkpoint = small_checkpoint()
    wide = replace(checkpoint.config, inputs=5, channels=3000, states=1, taps=1, blocks=2)
    state = {name: torch.zeros_like(value) for name, value in BIMNetwork(wide).state_dict().items()}
    save_checkpoint(replace(checkpoint, config=wide, state=state), path)
    write_members(path, read_members(path), zipfile.ZIP_DEFLATED)


def big_endian(path: Path) -> None:
    save_checkpoint(small_checkpoint(), path)
    members = read_members(path)
    name = next(name for name in members if name.endswith("byteorder"))
    write_members(path, members | {name: b"big"})


def read_members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_members(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


PYTORCH = (
    Hostile("torchscript.pt", "model", torchscript, ("TorchScript", "was not run")),
    Hostile("torchscript-and-ours.pt", "model", torchscript_by_another_name, ("TorchScript",)),
    Hostile("exported.pt", "model", exported_program, ("exported program",)),
    Hostile("tar.pt", "model", tar_form, ("a tar archive", "nothing in the file was executed")),
    Hostile(
        "old-form.pt",
        "model",
        lambda path: torch.save({"a": Code(sign_beside(path))}, path, _use_new_zipfile_serialization=False),
        ("PyTorch's old form",),
    ),
    Hostile(
        "code.pt", "model", lambda path: torch.save({"a": Code(sign_beside(path))}, path), ("not a plain PyTorch",)
    ),
    Hostile("expanded.pt", "model", with_value("state.w_o", lambda: torch.zeros(1).expand(10**9)), ("1,000,000,000",)),
    Hostile("beyond.pt", "model", tensor_beyond_its_storage, ("'state.w_o' has", "its storage holds 1,000")),
    Hostile("often.pt", "model", one_storage_often, ("'training.log.", "takes 4,000,000 bytes in addition to")),
    Hostile("lying-storage.pt", "model", lying_storage, ("40,000,000,000 bytes, the file holds 8",)),
    Hostile(
        "float8.pt",
        "model",
        with_value("state.w_o", lambda: torch.zeros(4, 12).to(torch.float8_e4m3fn)),
        ("'state.w_o'", "float8"),
    ),
    Hostile("meta.pt", "model", with_value("state.w_o", lambda: torch.zeros(4, 12, device="meta")), ("without data",)),
    Hostile(
        "nested-tensor.pt",
        "model",
        with_value("state.w_o", lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)])),
        ("'state.w_o' is a nested tensor",),
    ),
    Hostile(
        "sparse.pt", "model", with_value("state.w_o", lambda: torch.zeros(4, 12).to_sparse()), ("a sparse tensor",)
    ),
    Hostile("quantised.pt", "model", with_value("state.w_o", quantised), ("a quantised tensor",)),
    Hostile("boolean.pt", "model", with_value("state.w_o", lambda: torch.zeros(4, 12).bool()), ("torch.bool",)),
    Hostile("numpy-scalar.pt", "model", with_value("dt", lambda: np.float64(0.01)), ("not a plain PyTorch file",)),
    Hostile("deep.pt", "model", with_value("training", lambda: {"a": nested_list(400)}), ("nested more than 64 deep",)),
    Hostile("laughs.pt", "model", with_value("training", laughs), ("more than 1,000,000 values",)),
    Hostile("huge-number.pt", "model", with_value("dt", lambda: 10**400), ("more than 64 bits",)),
    Hostile("memo.pt", "model", with_pickle(b"\x80\x02}r\xff\xff\xff\x7f."), ("memo.pt",)),
    Hostile("long-pickle.pt", "model", with_lists(33), ("pickle",)),
    Hostile("lists.pt", "model", with_lists(6), ("lists.pt",)),
    Hostile("deflated.pt", "model", deflated_weights, ("compiling the weights of", "run.max_memory")),
    Hostile("big-endian.pt", "model", big_endian, ("byte order",)),
)


# ---- .npz archives


def with_header(header: bytes, data: bytes = b"") -> Build:
    """An archive whose array x has a header of one's own."""
    padded = header + b" " * (-(len(header) + 11) % 64) + b"\n"
    return lambda path: write_members(
        path, {"x.npy": b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded + data}
    )


def bomb(path: Path, name: str = "x", **others: Any) -> None:
    """An array of zeros, 512 MiB of them in half a MB; others beside it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, value in others.items():
            with archive.open(f"{key}.npy", "w") as member:
                np.lib.format.write_array(member, np.asarray(value))
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            shape = (BOMB_BYTES // 8 // 80, 16, 5)
            np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": shape})
            for _ in range(np.prod(shape) * 8 // 2**20 + 1):
                member.write(bytes(2**20))


def overlapping(path: Path) -> None:
    """A hundred members that are one: the directory names the same bytes again and again."""
    write_members(path, {"x.npy": npy(np.zeros((6, 8, 5)))})
    content = path.read_bytes()
    start = content.index(b"PK\x01\x02")
    end = content.index(b"PK\x05\x06")
    entry = content[start:end]
    entries = entry + b"".join(entry.replace(b"x.npy", f"{index:03d}.npy".encode()[2:]) for index in range(9))
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(entries), start, 0)
    path.write_bytes(content[:start] + entries + tail)


def npy(array: Any) -> bytes:
    memory = io.BytesIO()
    np.lib.format.write_array(memory, np.asarray(array))
    return memory.getvalue()


def twice(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", npy(np.zeros((6, 8, 5))))
            archive.writestr("x.npy", npy(np.ones((6, 8, 5))))


def encrypted(path: Path) -> None:
    write_members(path, {"x.npy": npy(np.zeros((6, 8, 5)))})
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(content))


def other_name(path: Path) -> None:
    """The directory calls the member x.npy, where it begins it says something else."""
    write_members(path, {"x.npy": npy(np.zeros((6, 8, 5)))})
    path.write_bytes(path.read_bytes().replace(b"x.npy", b"\x1b[\xff\x07y", 1))


def other_compression(path: Path) -> None:
    write_members(path, {"x.npy": npy(np.zeros((6, 8, 5)))}, zipfile.ZIP_LZMA)


def no_characters(path: Path) -> None:
    """A text of code points that Unicode lacks: Python itself cannot make it."""
    names = np.array(["aa", "bb"]).view(np.uint32)
    names[:] = 0x7FFFFFFF
    header = b"{'descr': '<U2', 'fortran_order': False, 'shape': (2,), }"
    with_header(header, names.tobytes())(path)


def event_objects(path: Path) -> Array:
    """Records of events of which one field is a Python object, which runs code where it is unpickled."""
    records = np.zeros(1, [("t", "i8"), ("x", "O")])
    records["x"][0] = Code(path)
    return records


def nir_data(change: Callable[[h5py.Group], object]) -> Build:
    """Two events of five lines as nir.write_data writes them, with one change of the signal."""

    def build(path: Path) -> None:
        with h5py.File(path, "w") as file:
            node = file.create_group("nodes/input")
            signal = node.create_group("observables/spikes")
            for group, kind in ((file, "NIRGraphData"), (node, "NIRNodeData"), (signal, "EventData")):
                group.attrs["__type__"] = kind
            signal["time"] = np.array([[0.0, 0.001]])
            signal.attrs["n_neurons"], signal.attrs["t_max"] = 5, 0.01
            change(signal)
            if "idx" not in signal:
                signal["idx"] = np.array([[0, 4]])

    return build


SHAPE = b"{'descr': '<f8', 'fortran_order': False, 'shape': (%s), }"

NPZ = (
    Hostile(
        "claim.npz", "input", with_header(SHAPE % b"1000000, 1000, 5", bytes(8)), ("'x' declares", "holds 8 bytes")
    ),
    Hostile("negative.npz", "input", with_header(SHAPE % b"-1, -8, 5", bytes(40)), ("shape (-1, -8, 5)",)),
    Hostile("axes.npz", "input", with_header(SHAPE % (b"1, " * 60), bytes(8)), ("'x' declares",)),
    Hostile("header-code.npz", "input", with_header(b"__import__('os').mkdir('it-ran')"), ("damaged header",)),
    Hostile("header-deep.npz", "input", with_header(b"(" * 9000), ("damaged header",)),
    Hostile("bomb.npz", "input", bomb, ("array 'x'", "takes 536,8", "run.max_memory")),
    Hostile("bomb-beside.npz", "input", lambda path: bomb(path, "z", x=small_input(6, 8), layout="BTC"), codes=(0,)),
    Hostile("overlap.npz", "input", overlapping, ("overlaps",)),
    Hostile("twice.npz", "input", twice, ("two members of one name",)),
    Hostile("encrypted.npz", "input", encrypted, ("is encrypted",)),
    Hostile("other-name.npz", "input", other_name, ("member 'x.npy' does not begin",)),
    Hostile("lzma.npz", "input", other_compression, ("compressed by method 14",)),
    Hostile("objects.npz", "input", lambda path: np.savez(path, x=np.array([Code(path)])), ("Python objects",)),
    Hostile("no-characters.npz", "input", no_characters, ("texts of no characters",)),
    Hostile("event-objects.npz", "input", lambda path: np.savez(path, events=event_objects(path)), ("Python objects",)),
    Hostile("event-claim.npz", "input", lambda path: np.savez(path, t=[0, 10**14], x=[0, 1]), ("run.max_memory",)),
    Hostile(
        "nir-data-link.nir",
        "input",
        nir_data(lambda s: s.__setitem__("idx", h5py.ExternalLink("x.h5", "secret"))),
        ("is a link to",),
    ),
    Hostile(
        "nir-data-wide.nir", "input", nir_data(lambda s: s.attrs.__setitem__("n_neurons", 2**45)), ("run.max_memory",)
    ),
    Hostile(
        "nir-data-attribute.nir",
        "input",
        nir_data(lambda s: s.attrs.__setitem__("t_max", np.ones(5000))),
        ("t_max of",),
    ),
    Hostile("bare.npz", "input", lambda path: path.write_bytes(npy(np.zeros(3))), ("one bare array",)),
    Hostile("compressed-text.npz", "input", lambda path: path.write_bytes(b"PK\x03\x04" * 1000), ("damaged",)),
)


# ---- .nir graphs


def nir(change: Callable[[h5py.File], object] = lambda file: None) -> Build:
    """A sound NIR graph, written by hand, with one change."""

    def build(path: Path) -> None:
        with h5py.File(path, "w") as file:
            write_graph(file.create_group("node"))
            change(file)

    return build


def write_graph(group: h5py.Group, **more: dict[str, Any]) -> None:
    """Write input (3), affine (4, 3), lif (4), output (4) as a chain."""
    nodes = {
        "input": {"type": "Input", "shape": np.array([3])},
        "affine": {"type": "Affine", "weight": np.ones((4, 3)), "bias": np.zeros(4)},
        "lif": {
            "type": "LIF",
            "tau": np.full(4, 0.02),
            "r": np.ones(4),
            "v_leak": np.zeros(4),
            "v_threshold": np.ones(4),
        },
        "output": {"type": "Output", "shape": np.array([4])},
        **more,
    }
    nodes["lif"]["v_threshold"] = np.ones(4)
    group["type"] = "NIRGraph"
    for name, fields in nodes.items():
        node = group.create_group(f"nodes/{name}")
        for key, value in fields.items():
            node[key] = value
    names = [name for name in nodes if name != "output"] + ["output"]
    group["edges"] = np.array(list(pairwise(names)), dtype="S")


def put(key: str, value: Any) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        if key in file:
            del file[key]
        file[key] = value

    return change


WEIGHT, BIAS = "node/nodes/affine/weight", "node/nodes/affine/bias"


def external_link(path: Path) -> None:
    """The bias is a dataset of another file."""
    other = path.with_name("secret.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.full(4, 7.0)
    nir(put(BIAS, h5py.ExternalLink(str(other), "/secret")))(path)


def external_storage(path: Path) -> None:
    """The numbers of the bias are the bytes of another file."""
    secret = path.with_name("secret")
    secret.write_bytes(bytes(32))

    def change(file: h5py.File) -> None:
        del file[BIAS]
        file["node/nodes/affine"].create_dataset("bias", (4,), "f8", external=[(str(secret), 0, 32)])

    nir(change)(path)


def virtual(path: Path) -> None:
    other = path.with_name("secret.h5")
    with h5py.File(other, "w") as file:
        file["secret"] = np.full(4, 7.0)

    def change(file: h5py.File) -> None:
        del file[BIAS]
        layout = h5py.VirtualLayout((4,), "f8")
        layout[:] = h5py.VirtualSource(str(other), "secret", (4,))
        file["node/nodes/affine"].create_virtual_dataset("bias", layout)

    nir(change)(path)


def fan_out(file: h5py.File) -> None:
    """Every graph holds the next one twice: 2^40 nodes of forty groups."""
    groups = [file.create_group(f"g{index}") for index in range(12)]
    for index, group in enumerate(groups):
        group["type"] = "NIRGraph"
        if index < 11:
            for name in ("a", "b", "c"):
                group[f"nodes/{name}"] = groups[index + 1]
    file["node/nodes/fan"] = groups[0]


def shared_child(file: h5py.File) -> None:
    write_graph(file["node"].create_group("nodes/inner"))
    file["node/nodes/twin"] = file["node/nodes/inner"]


def deep_graphs(file: h5py.File) -> None:
    group = file["node"]
    for _ in range(60):
        group = group.create_group("nodes/inner")
        group["type"] = "NIRGraph"


def unallocated(file: h5py.File) -> None:
    del file[WEIGHT]
    file["node/nodes/affine"].create_dataset("weight", (10**6, 10**6), "f8")


def unallocated_chunks(file: h5py.File) -> None:
    del file[WEIGHT]
    file["node/nodes/affine"].create_dataset("weight", (10**6, 10**6), "f8", chunks=(1000, 1000), compression="gzip")


def compressed(file: h5py.File) -> None:
    """512 MiB of zeros in half a MB."""
    del file[WEIGHT]
    data = file["node/nodes/affine"].create_dataset(
        "weight", (BOMB_BYTES // 2**20, 2**17), "f8", chunks=(1, 2**17), compression="gzip"
    )
    zeros = zlib.compress(bytes(2**20), 9)
    for row in range(len(data)):
        data.id.write_direct_chunk((row, 0), zeros)


def asked_by_nobody(file: h5py.File) -> None:
    """The same beside the graph, in the metadata of a node and in a field that no node has."""
    for name in ("node/metadata/notes", "node/nodes/affine/metadata/notes", "node/nodes/affine/note", "more"):
        file.create_dataset(name, (10**9,), "f8", chunks=(10**6,), compression="gzip")


def outer_product(file: h5py.File) -> None:
    """Two thin matrices whose product has 10^10 weights."""
    size = 10**5
    lif = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
    nodes = {
        "input": {"type": "Input", "shape": np.array([size])},
        "narrow": {"type": "Linear", "weight": np.zeros((3, size))},
        "wide": {"type": "Linear", "weight": np.zeros((size, 3))},
        "lif": lif,
    }
    replace_nodes(file, nodes)


def too_many_items(file: h5py.File) -> None:
    for index in range(20_001):
        file[f"node/nodes/n{index}"] = h5py.SoftLink("/node/nodes/lif")


def broken_heap(path: Path) -> None:
    """The HDF5 library walks this table of texts for ever."""
    nir()(path)
    content = bytearray(path.read_bytes())
    content[content.index(b"GCOL") + 16 + 9] = 4
    path.write_bytes(bytes(content))


def many_heaps(path: Path) -> None:
    """Beginnings of tables one in another: a guard that walks each of them is quadratic."""
    nir()(path)
    heap = b"GCOL\x01\x00\x00\x00" + (10**9).to_bytes(8, "little")
    path.write_bytes(path.read_bytes() + heap * 100_000)


def other_filter(file: h5py.File) -> None:
    """Compressed by a filter that HDF5 would load from a folder of libraries."""
    del file[WEIGHT]
    file["node/nodes/affine"].create_dataset(
        "weight", (4, 3), "f8", chunks=(4, 3), compression=32_015, allow_unknown_filter=True
    )


def no_utf8(file: h5py.File) -> None:
    group = file["node/nodes"].id
    h5py.h5g.create(group, b"n\xff\xfe")


def region(file: h5py.File) -> None:
    reference = file[WEIGHT].regionref[0:2, 0:1]
    del file[BIAS]
    file["node/nodes/affine"].create_dataset("bias", data=reference, dtype=h5py.special_dtype(ref=h5py.RegionReference))


def committed(file: h5py.File) -> None:
    """A type of its own in the place of a field; the graph does without it."""
    file["node/nodes/lif/v_reset"] = np.dtype("f8")


NIR = (
    Hostile("external-link.nir", "model", external_link, ("/bias' is a link", "secret")),
    Hostile("soft-link.nir", "model", nir(put(BIAS, h5py.SoftLink("/node/edges"))), ("is a link to '/node/edges'",)),
    Hostile("external-storage.nir", "model", external_storage, ("another file", "secret")),
    Hostile("virtual.nir", "model", virtual, ("virtual dataset",)),
    Hostile(
        "loop.nir", "model", nir(lambda file: put("node/nodes/again", file["node"])(file)), ("are the same object",)
    ),
    Hostile("fan-out.nir", "model", nir(fan_out), ("are the same object",)),
    Hostile("shared-child.nir", "model", nir(shared_child), ("are the same object",)),
    Hostile(
        "shared-array.nir", "model", nir(lambda file: put(BIAS, file["node/nodes/lif/r"])(file)), ("the same object",)
    ),
    Hostile("deep.nir", "model", nir(deep_graphs), ("nested more than",)),
    Hostile("unallocated.nir", "model", nir(unallocated), ("declares 8,000,000,000,000 bytes", "holds 0")),
    Hostile("unallocated-chunks.nir", "model", nir(unallocated_chunks), ("declares 8,000,000,000,000 bytes",)),
    Hostile("compressed.nir", "model", nir(compressed), ("/weight' takes 536,870,912 bytes", "run.max_memory")),
    Hostile("asked-by-nobody.nir", "model", nir(asked_by_nobody), codes=(0,)),
    Hostile(
        "input-1e8.nir", "model", nir(put("node/nodes/input/shape", [10**4, 10**4])), ("receives 100000000",), (1,)
    ),
    Hostile(
        "scalars-1e8.nir",
        "model",
        lambda path: scalars(path, 10**8),
        ("the input 'input' has 100,000,000 lines", "run.max_memory"),
    ),
    Hostile("outer-product.nir", "model", nir(outer_product), ("node 'wide' (Linear) takes", "run.max_memory")),
    Hostile("many-items.nir", "model", nir(too_many_items), ("more than 20,000 items",)),
    Hostile("heap.nir", "model", broken_heap, ("table of texts is broken",)),
    Hostile("heaps.nir", "model", many_heaps, codes=(0, 2)),
    Hostile("filter.nir", "model", nir(other_filter), ("filter 32015",)),
    Hostile("no-utf8.nir", "model", nir(no_utf8), ("no UTF-8",)),
    Hostile("region.nir", "model", nir(region), codes=(0, 2)),
    Hostile("committed-type.nir", "model", nir(committed), codes=(0,)),
    Hostile("infinite-delay.nir", "model", lambda path: delayed(path, 1e300), ("62 are allowed",), (1,)),
    Hostile("overflow.nir", "model", nir(put(WEIGHT, np.full((4, 3), 1e308))), codes=(0, 1, 2)),
    Hostile("complex.nir", "model", nir(put(WEIGHT, np.ones((4, 3), complex))), ("lacks weight",)),
    Hostile("edges-of-numbers.nir", "model", nir(put("node/edges", np.ones((2, 2)))), ("pairs of names",)),
)


def scalars(path: Path, lines: int) -> None:
    """A graph of single numbers: nothing but the input's shape says how wide it is."""
    lif = {"type": "LIF", "tau": 0.02, "r": 1.0, "v_leak": 0.0, "v_threshold": 1.0}
    nir(lambda file: replace_nodes(file, {"input": {"type": "Input", "shape": np.array([lines])}, "lif": lif}))(path)


def delayed(path: Path, seconds: float) -> None:
    delay = {"type": "Delay", "delay": np.full(4, seconds)}
    with h5py.File(path, "w") as file:
        write_graph(file.create_group("node"), wait=delay)


def replace_nodes(file: h5py.File, nodes: dict[str, dict[str, Any]]) -> None:
    del file["node"]
    group = file.create_group("node")
    group["type"] = "NIRGraph"
    nodes = {**nodes, "output": {"type": "Output"}}  # its shape is not said
    for name, fields in nodes.items():
        for key, value in fields.items():
            group[f"nodes/{name}/{key}"] = value
    names = list(nodes)
    group["edges"] = np.array(list(pairwise(names)), dtype="S")


# ---- the exact copy in a .nir of ours: sound checksum, wrong types


def exact_copy(*keys_and_value: Any) -> Build:
    """Our own file whose exact copy has another value at a path of keys in its header."""
    *keys, last, value = keys_and_value

    def build(path: Path) -> None:
        graph, _ = small_graphs()
        write_nir(graph, path)
        with h5py.File(path, "r+") as file:
            group = file[exact.GROUP]
            header = json.loads(group["header"][()])
            arrays = {name: np.asarray(item[()]) for name, item in datasets(group["arrays"]).items()}
            inner = header
            for key in keys:
                inner = inner[key]
            inner[last] = value
            text = json.dumps(header)
            del group["header"], group["sha256"]
            group["header"], group["sha256"] = text, exact._digest(text, arrays)

    return build


def datasets(group: h5py.Group) -> dict[str, h5py.Dataset]:
    found: dict[str, h5py.Dataset] = {}
    group.visititems(lambda name, item: found.update({name: item}) if isinstance(item, h5py.Dataset) else None)
    return found


def table(**items: Any) -> dict[str, Any]:
    return {"type": "dict", "items": items}


NODE = ("nodes", "items", "readout")
EXACT = (
    Hostile("copy-is-a-list.nir", "model", exact_copy("nodes", []), ("nodes",)),
    Hostile("copy-without-encoder.nir", "model", exact_copy("encoder", None), ("encoder is None",)),
    Hostile("copy-with-a-text-for-dt.nir", "model", exact_copy("dt", "soon"), ("dt is 'soon'",)),
    Hostile("copy-with-huge-dt.nir", "model", exact_copy("dt", 10**400), ("positive and finite",)),
    Hostile("copy-with-labels-of-numbers.nir", "model", exact_copy("labels", [1, 2, 3, 4]), ("labels",)),
    Hostile("copy-with-one-label.nir", "model", exact_copy("labels", ["a"]), ("1 labels for the 4 lines",)),
    Hostile("copy-with-a-node-of-text.nir", "model", exact_copy("nodes", "items", "readout", "x"), ("node 'readout'",)),
    Hostile("copy-with-a-class-of-text.nir", "model", exact_copy(*NODE, "type", "Popen"), ("damaged",)),
    Hostile("copy-with-a-decay-of-text.nir", "model", exact_copy(*NODE, "decay", "x"), ("'readout': decay is 'x'",)),
    Hostile("copy-with-a-decay-of-truth.nir", "model", exact_copy(*NODE, "decay", True), ("'readout': decay is True",)),
    Hostile("copy-with-a-huge-decay.nir", "model", exact_copy(*NODE, "decay", 10**400), ("it must be finite",)),
    Hostile("copy-with-a-bias-of-text.nir", "model", exact_copy(*NODE, "bias", "x"), ("'readout': bias is 'x'",)),
    Hostile("copy-with-an-edge-of-text.nir", "model", exact_copy("edges", 0, "x"), ("edge 0 is 'x'",)),
    Hostile("copy-with-an-edge-to-7.nir", "model", exact_copy("edges", 0, "target", 7), ("edge 0 is",)),
    Hostile("copy-with-a-delay-of-text.nir", "model", exact_copy("edges", 0, "delay", "x"), ("delay is 'x'",)),
    Hostile(
        "copy-with-plasticity-7.nir", "described", exact_copy("extra", table(plasticity=7)), ("a table is needed",)
    ),
    Hostile(
        "copy-with-a-rule-of-7.nir", "described", exact_copy("extra", table(plasticity=table(rule=7))), ("rule '7'",)
    ),
    Hostile(
        "copy-with-half-bits.nir",
        "described",
        exact_copy("extra", table(plasticity=table(weight_bits=2.5))),
        ("weight_bits is 2.5", "whole numbers"),
    ),
    Hostile(
        "copy-with-a-huge-rate.nir",
        "described",
        exact_copy("extra", table(plasticity=table(rate=10**400))),
        ("rate is 1000",),
    ),
    Hostile("copy-with-assumption-7.nir", "model", exact_copy("extra", table(assumptions=[7])), ("a list of texts",)),
    Hostile("copy-nested-deep.nir", "model", exact_copy("extra", table(a=nested_list(500))), ("nested too deep",)),
)


# ---- artefacts


Change = Callable[[dict[str, Any], dict[str, Any]], object]


def artefact(change: Change) -> Build:
    """A sound model.bimn with a change of its header and arrays."""

    def small() -> tuple[IntegerGraph, Array]:
        _, graph = small_graphs()
        return graph, graph.encoder.encode(small_input(1, 3))

    return artefact_of(small, change)


def artefact_of(made: Callable[[], tuple[IntegerGraph, Array]], change: Change) -> Build:
    """The artefact of a graph and its input, with a change of its header and arrays."""

    def build(path: Path) -> None:
        graph, x = made()
        save_artefact(Artefact(graph, "loihi2", x, expected_messages(graph, x)), path)
        with np.load(path) as archive:
            arrays = dict(archive)
        header = json.loads(str(arrays["header"]))
        change(header, arrays)
        with path.open("wb") as file:
            np.savez_compressed(file, **{**arrays, "header": np.array(json.dumps(header))})

    return build


def in_node(name: str, key: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    return lambda header, arrays: header["graph"]["nodes"]["items"][name].update({key: value})


BIMN = (
    Hostile(
        "asked-by-nobody.bimn",
        "artefact",
        artefact(lambda header, arrays: arrays.update(notes=np.zeros(10**7), more=np.zeros(10**7))),
        codes=(0,),
    ),
    Hostile(
        "steps.bimn",
        "artefact",
        artefact(lambda header, arrays: arrays.update(sample=np.zeros((1, 3 * 10**6, 5), np.int8))),
        ("in the self-test takes", "run.max_memory"),
    ),
    Hostile(
        "no-sample.bimn", "artefact", artefact(lambda header, arrays: arrays.pop("sample")), ("no array 'sample'",)
    ),
    Hostile("lif-1e9.bimn", "artefact", artefact(in_node("block1.lif", "size", 10**9)), ("lif-1e9.bimn",)),
    Hostile("shift.bimn", "artefact", artefact(in_node("block1.u", "shift", 10**6)), ("{'shift': 1000000}",)),
    Hostile("shift-of-text.bimn", "artefact", artefact(in_node("block1.u", "shift", "x")), ("shift is 'x'",)),
    Hostile(
        "header-of-numbers.bimn",
        "artefact",
        artefact(lambda header, arrays: header.update(graph=7)),
        ("header-of-numbers.bimn",),
    ),
)


# ---- hardware profiles

MINE = 'extends = "loihi2"\nname = "mine"\ntitle = "mine"\n'


def profile(text: str | bytes) -> Build:
    return lambda path: path.write_bytes(text if isinstance(text, bytes) else text.encode())


def number(key: str, value: str, unit: str) -> str:
    section, name = key.split(".")
    entry = f'value = {value}, low = {value}, high = {value}, unit = "{unit}", basis = "assumed", source = "x"'
    return f"{MINE}[{section}]\n{name} = {{ {entry} }}\n"


PROFILES = (
    Hostile("chips.toml", "target", profile(number("board.chips", "1e18", "chips")), ("'board.chips.value' is 1e+18",)),
    Hostile("cores.toml", "target", profile(number("capacity.cores", "1e18", "cores")), ("'capacity.cores.value'",)),
    Hostile("price.toml", "target", profile(number("energy.synop_pj", "inf", "pJ")), ("'energy.synop_pj.value'",)),
    Hostile("bits.toml", "target", profile(number("numeric.state_bits", "inf", "bits")), ("'numeric.state_bits",)),
    Hostile("nan.toml", "target", profile(number("timing.step_us", "nan", "us")), ("'timing.step_us.value' is nan",)),
    Hostile("deep.toml", "target", profile(f"a = {'[' * 100_000}"), ("not TOML",)),
    Hostile("deep-keys.toml", "target", profile(f"{'a.' * 5_000}a = 1"), ("deep-keys.toml",)),
    Hostile("large.toml", "target", profile(MINE + "#" * 2**21), ("2,097,",)),
    Hostile("latin.toml", "target", profile(b'name = "\xff"'), ("latin.toml",)),
    Hostile("huge-number.toml", "target", profile(f"board = 1{'0' * 5000}"), ("huge-number.toml",)),
    Hostile("date.toml", "target", profile(f"{MINE}[board]\nchips = 2020-01-01\n"), ("'board.chips' is '2020-01-01'",)),
)


# ---- recordings: a folder with a header that lies


def record(header: str, *, pipe: bool = False) -> Build:
    """A folder of one record; the header is the attacker's."""

    def build(path: Path) -> None:
        path.mkdir()
        (path / "101.hea").write_text(header)
        (path / "101.atr").write_bytes(bytes(1000))
        if pipe:
            os.mkfifo(path / "101.dat")
        else:
            (path / "101.dat").write_bytes(bytes(3000))

    return build


SIGNAL = "101.dat 212 200 11 1024 995 0 0 MLII"
RECORDS = (
    Hostile("passwd", "data", record("101 1 360 1000\n/etc/passwd 16 200 11 1024 0 0 0 MLII\n"), ("'/etc/passwd'",)),
    Hostile("up", "data", record("101 1 360 1000\n../101.dat 212 200 11 1024 0 0 0 MLII\n"), ("'../101.dat'",)),
    Hostile("web", "data", record("101 1 360 1000\nhttps://x/y.dat 212 200 0 0 0 0 0 MLII\n"), ("a plain name",)),
    Hostile("segments", "data", record("101/2 1 360 1000\n101_1 500\n101_2 500\n"), ("of several",)),
    Hostile("long", "data", record(f"101 1 360 {10**12}\n{SIGNAL}\n"), ("101",)),
    Hostile("signals", "data", record(f"101 {10**9} 360 1000\n{SIGNAL}\n"), ("101",)),
    Hostile("words", "data", record("101 one 360 many\nx y z\n"), ("101",)),
    Hostile("pipe", "data", record(f"101 1 360 1000\n{SIGNAL}\n", pipe=True), ("a pipe",)),
)


# ---- folders that bim-report is to read


def folder(summary: str) -> Build:
    def build(path: Path) -> None:
        path.mkdir()
        (path / "summary.json").write_text(summary)

    return build


def summary_is_a_pipe(path: Path) -> None:
    path.mkdir()
    os.mkfifo(path / "summary.json")


FOLDERS = (
    Hostile("deep-folder", "report", folder("[" * 10**6), ("summary.json",)),
    Hostile("numbers-folder", "report", folder("[1, 2]"), ("summary.json",)),
    Hostile("digits-folder", "report", folder('{"model": 1' + "0" * 5000 + "}"), ("summary.json",)),
    Hostile("pipe-folder", "report", summary_is_a_pipe, ("a pipe",)),
)


# ---- what is no file


def link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def socket_at(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the address of a socket has at most 108 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


SPECIAL: dict[str, tuple[Build, str]] = {
    "pipe": (os.mkfifo, "a pipe"),
    "device": (link_to_zero, "a device"),
    "loop": (link_to_itself, "back to itself"),
    "folder": (Path.mkdir, "a folder"),
    "socket": (socket_at, "a socket"),
}

ALL = (*PYTORCH, *NPZ, *NIR, *EXACT, *BIMN, *PROFILES, *RECORDS, *FOLDERS)

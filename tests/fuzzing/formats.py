"""The seven formats: sound files, their structural mutations, and the commands that read them."""

from __future__ import annotations

import copy
import io
import json
import os
import shutil
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np
import torch
from hostile_maps import sums
from made_records import write_archive, write_record
from small_models import small_checkpoint, small_graphs, small_input

from bim_neuro import cli
from bim_neuro.compilers.artefact import Artefact, expected_messages, save_artefact
from bim_neuro.model.checkpoint import save_checkpoint
from bim_neuro.model.export import export
from bim_neuro.nir_bridge import exact, write_nir
from bim_neuro.plasticity.request import Plasticity

from . import hdf5
from .containers import odd_bytes, odd_npy, odd_pickle, odd_zip, rezip, unzip
from .values import Array, odd_array, odd_tree, odd_value, places

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_NETX = Path(__file__).parent.parent / "netx_data"
PROFILES = Path(cli.__file__).parent / "hardware_profiles"
STRUCTURAL = 0.6
"""Share of the cases that change what a file says and keep its checksums right; the others break bytes."""


@dataclass(frozen=True)
class Command:
    """One call of a command: its entry point, its arguments, and what it may leave in the folder it runs in."""

    entry: str
    arguments: tuple[str, ...]
    leaves: tuple[str, ...] = ()
    also_when_refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class Format:
    """``sound`` writes sound files into a folder; ``structural`` breaks one; ``command`` reads what came out."""

    name: str
    readers: tuple[str, ...]
    sound: Callable[[Path], list[Path]]
    structural: Callable[[Random, Path], None]
    command: Callable[[Random, Path, Path], Command]


_NOT_WRITABLE = (
    *(ValueError, TypeError, KeyError, IndexError, RuntimeError, OSError, OverflowError, UnicodeError, RecursionError),
    *(AttributeError, NotImplementedError, MemoryError),
)


def break_file(
    rng: Random, file: Path, others: list[Path], structural: Callable[[Random, Path], None], restore: Callable[[], None]
) -> str:
    """Break a file (or one in a folder) in place; return which way."""
    if rng.random() < STRUCTURAL:
        for _ in range(5):
            try:
                structural(rng, file)
                return "structural"
            except _NOT_WRITABLE:  # noqa: PERF203  such a change cannot be written down: another one
                restore()
    victim = file if file.is_file() else rng.choice(sorted(path for path in file.rglob("*") if path.is_file()))
    other = rng.choice([path for path in others if path.is_file()] or [victim])
    victim.write_bytes(odd_bytes(rng, victim.read_bytes() or b"\x00", other.read_bytes() or b"\x00"))
    return "bytes"


# ---- .pt


def _sound_pt(folder: Path) -> list[Path]:
    files = []
    for index, shape in enumerate(({}, {"blocks": 2, "channels": 5}, {"taps": 1, "states": 1})):
        files.append(folder / f"m{index}.pt")
        save_checkpoint(small_checkpoint(index, **shape), files[-1])
    old = folder / "old.pt"
    torch.save(torch.load(files[0], weights_only=True), old, _use_new_zipfile_serialization=False)
    return [*files, old]


def odd_tensor(rng: Random, value: Any) -> Any:
    """Return another tensor: of another type, layout or storage; other values as everywhere."""
    if not isinstance(value, torch.Tensor):
        return odd_value(rng, value)
    kinds: tuple[Callable[[], Any], ...] = (
        lambda: value.to(
            rng.choice((torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.bool, torch.complex64))
        ),
        lambda: value.to(torch.float8_e4m3fn),
        lambda: torch.zeros(1).expand(rng.choice((10**4, 10**9, 2**33))),
        lambda: torch.zeros(1).as_strided(tuple(value.shape) or (1,), (0,) * max(value.dim(), 1)),
        lambda: torch.zeros(tuple(value.shape), device="meta"),
        lambda: value.to_sparse(),
        lambda: torch.nested.nested_tensor([value.ravel(), value.ravel()[:1]]),
        lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
        lambda: torch.nn.Parameter(value),
        lambda: torch.from_numpy(np.ascontiguousarray(odd_array(rng, value.numpy()))),
        lambda: torch.from_numpy(np.ascontiguousarray(odd_array(rng, value.numpy()))),
        lambda: odd_value(rng, value.numel()),
    )
    return rng.choice(kinds)()


def _structural_pt(rng: Random, file: Path) -> None:
    content = file.read_bytes()
    action = rng.random()
    if action < 0.6 or not content.startswith(b"PK"):
        whole = odd_tree(rng, torch.load(io.BytesIO(content), weights_only=True), odd_tensor)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.save(whole, file, _use_new_zipfile_serialization=rng.random() < 0.9)
    elif action < 0.8:
        members = [(n, odd_pickle(rng, c) if n.endswith("data.pkl") else c) for n, c in unzip(content)]
        file.write_bytes(rezip(members))
    else:
        file.write_bytes(odd_zip(rng, content))


def _read_pt(rng: Random, file: Path, sound: Path) -> Command:
    if rng.random() < 0.2:  # as what an interrupted training left
        shutil.copy(file, file.with_name("m.pt.resume"))
        data = sound / "own.npz"
        train = ("own", "--data", str(data), "-o", str(file.with_name("m.pt")), *_SHORT)
        return Command("train", train)
    return _compile(rng, file, sound / "x.npz")


_SHORT = ("--epochs", "1", "--channels", "3", "--states", "1", "--set", "train.taps=1", "--batch", "8")


_OURS = ("exact.nir", "plastic.nir", "deep.nir")


def _compile(rng: Random, file: Path, given: Path) -> Command:
    """Check, run or learn; ``file`` is a model of any kind."""
    model = str(file)
    way = rng.random()
    foreign = file.suffix in (".nir", ".net") and file.name not in _OURS
    dt = ("--dt", "1e-3") if foreign and rng.random() < 0.9 else ()
    if way < 0.55:
        return Command("compile", (model, "--check", *dt, *(("--json",) if rng.random() < 0.5 else ())))
    data = ("--input", str(given), "--samples", "3", "-o", "out")
    learn = ("--learn", rng.choice(("rtrl", "described")), "--set", "learn.samples=4") if way > 0.95 else ()
    return Command("compile", (model, *dt, *data, *learn), ("out",))


# ---- .nir


def _sound_nir(folder: Path) -> list[Path]:
    exact_copy, plastic, deep = folder / "exact.nir", folder / "plastic.nir", folder / "deep.nir"
    graph = small_graphs(0)[0]
    write_nir(graph, exact_copy)
    described = {"plasticity": Plasticity(rule="rtrl").as_dict(), "plastic_nodes": {}}
    write_nir(replace(graph, extra=described), plastic)
    write_nir(export(small_checkpoint(1, blocks=2, channels=5)), deep)
    return [exact_copy, plastic, deep, *hdf5.foreign(folder)]


def _structural_nir(rng: Random, file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        group = opened.get(exact.GROUP)
        if isinstance(group, h5py.Group) and rng.random() < 0.7:
            _exact_copy(rng, group)
        elif "metadata" in opened["node"] and rng.random() < 0.3:
            _metadata(rng, opened)
        else:
            hdf5.odd_item(rng, opened, file.parent)


def _exact_copy(rng: Random, group: h5py.Group) -> None:
    """Change the header or an array of our exact copy, and make its checksum right again."""
    header = json.loads(group["header"][()])
    arrays = hdf5.arrays_below(group["arrays"])
    if rng.random() < 0.75:
        header = odd_tree(rng, header)
    else:
        name = rng.choice(sorted(arrays))
        arrays[name] = odd_array(rng, arrays[name])
    text = json.dumps(header)
    for name in ("header", "sha256", "arrays"):
        del group[name]
    group["header"], group["sha256"] = text, exact._digest(text, arrays)
    for name, array in arrays.items():
        group[f"arrays/{name}"] = array


def _metadata(rng: Random, opened: h5py.File) -> None:
    texts = opened["node/metadata"]
    key = rng.choice(sorted(texts))
    content = odd_tree(rng, json.loads(texts[key][()]))
    del texts[key]
    texts[key] = json.dumps(content)
    if rng.random() < 0.6 and exact.GROUP in opened:
        del opened[exact.GROUP]  # else the exact copy is read and this text is not


def _read_nir(rng: Random, file: Path, sound: Path) -> Command:
    given = "x.npz" if file.name in _OURS else "events.npz" if file.name in ("conv.nir", "maps.nir") else "spikes.npz"
    return _compile(rng, file, sound / given)


# ---- .net


def _sound_net(folder: Path) -> list[Path]:
    """Networks of lava-dl: dense, recurrent, with maps, with delays and constants of their own."""
    names = ("slayer_dense", "slayer_recurrent", "slayer_conv", "delays", "wide_weights", "bias")
    return [Path(shutil.copy(_NETX / f"{name}.net", folder)) for name in names]


def _structural_net(rng: Random, file: Path) -> None:
    with h5py.File(file, "r+") as opened:
        layer = opened[f"layer/{rng.randrange(len(opened['layer']))}"]
        kinds = (b"dense", b"dense_rec", b"conv", b"flatten", b"input", b"pool", b"average", b"")
        if rng.random() < 0.15:
            del layer["type"]
            layer["type"] = np.array([rng.choice(kinds)])
        else:
            hdf5.odd_item(rng, opened, file.parent)


def _read_net(rng: Random, file: Path, sound: Path) -> Command:
    return _compile(rng, file, sound / ("map.npz" if file.name == "slayer_conv.net" else "lines.npz"))


# ---- .bimn


def _sound_bimn(folder: Path) -> list[Path]:
    files = []
    for index, shape in enumerate(({}, {"blocks": 2, "channels": 4}, {"taps": 1, "states": 1})):
        float_graph, graph = small_graphs(index, **shape)
        sample = float_graph.encoder.encode(small_input(2, 5, seed=index))
        files.append(folder / f"m{index}.bimn")
        save_artefact(Artefact(graph, "loihi2", sample, expected_messages(graph, sample)), files[-1])
    for name, sparse in (("conv", False), ("sparse", True)):
        graph = sums(sparse)
        sample = np.random.default_rng(3).integers(0, 2, (2, 4, graph.nodes[graph.source].neurons))
        files.append(folder / f"{name}.bimn")
        save_artefact(Artefact(graph, "loihi2", sample, expected_messages(graph, sample)), files[-1])
    return files


def _structural_bimn(rng: Random, file: Path) -> None:
    action = rng.random()
    if action < 0.8:
        with np.load(file) as archive:
            arrays = dict(archive.items())
        if rng.random() < 0.65:
            arrays["header"] = np.array(json.dumps(odd_tree(rng, json.loads(str(arrays["header"])))))
        else:
            arrays = _odd_arrays(rng, arrays)
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]
        _same_name(file)
    else:
        _odd_npz(rng, file)


def _odd_arrays(rng: Random, arrays: dict[str, Array]) -> dict[str, Array]:
    name = rng.choice(sorted(arrays))
    action = rng.random()
    if action < 0.8:
        arrays[name] = odd_array(rng, arrays[name])
    elif action < 0.9:
        del arrays[name]
    else:
        arrays[rng.choice(("x", "y", "extra", "[/other]", "\x1b[31m", "group", "x_test", "y_test", "split"))] = arrays[
            name
        ]
    return arrays


def _odd_npz(rng: Random, file: Path) -> None:
    """Change the archive, or an array's header, below numpy; checksums are right."""
    content = file.read_bytes()
    if rng.random() < 0.5:
        file.write_bytes(odd_zip(rng, content))
        return
    members = unzip(content)
    at = rng.randrange(len(members))
    members[at] = (members[at][0], odd_npy(rng, members[at][1]))
    file.write_bytes(rezip(members, compress=rng.random() < 0.5))


def _same_name(file: Path) -> None:
    """`np.savez` appends .npz to other names."""
    written = file.with_name(file.name + ".npz")
    if written.exists():
        written.replace(file)


def _read_bimn(rng: Random, file: Path, sound: Path) -> Command:
    if rng.random() < 0.1:
        return _compile(rng, file, sound / "x.npz")
    return Command("compile", (str(file), "--self-test", *(("--json",) if rng.random() < 0.3 else ())))


# ---- .npz

_TRAINED = ("m.pt", "m.pt.request.toml")
_NPZ_READERS = ("tasks/own.py", "tasks/arrays.py", "tasks/dataset.py", "sequences.py", "intake/*.py")


def sound_data(folder: Path) -> None:
    """Write what the other formats' commands need: input and data of one's own."""
    rng = np.random.default_rng(5)
    np.savez(folder / "x.npz", x=small_input(6, 5), y=np.arange(6) % 4)
    for name, lines in (("spikes", 5), ("events", 16), ("lines", 12), ("map", 96)):
        np.savez(folder / f"{name}.npz", x=(rng.random((6, 5, lines)) < 0.3).astype(np.float32), y=np.arange(6) % 4)
    y = np.arange(24) % 4
    x = rng.normal(size=(24, 5, 5)) + y[:, None, None]
    np.savez(folder / "own.npz", x=x, y=y)
    save_checkpoint(small_checkpoint(0), folder / "small.pt")


def _sound_npz(folder: Path) -> list[Path]:
    plain, rich = folder / "plain.npz", folder / "rich.npz"
    with np.load(folder.parent / "own.npz") as archive:
        x, y = archive["x"], archive["y"]
    np.savez(plain, x=x.astype(np.float32), y=y)
    names = np.array(["a", "b", "c", "d"])
    np.savez_compressed(rich, x=x, y=y, class_names=names, dt=np.array(2e-3), group=np.arange(24) // 2)
    parts = {"x_test": x[18:], "y_test": y[18:], "layout": np.array("BTC")}
    np.savez(folder / "halves.npz", x=x[:18], y=y[:18], **parts)
    np.savez(folder / "split.npz", x=x, y=y[:, None] * 1.0, split=np.array(["train", "validation", "test"])[y // 2])
    return [plain, rich, folder / "halves.npz", folder / "split.npz"]


def _structural_npz(rng: Random, file: Path) -> None:
    if rng.random() < 0.6:
        with np.load(file) as archive:
            arrays = _odd_arrays(rng, dict(archive.items()))
        np.savez(file, **arrays)  # type: ignore[arg-type]
        _same_name(file)
    else:
        _odd_npz(rng, file)


def _read_npz(rng: Random, file: Path, sound: Path) -> Command:
    if rng.random() < 0.4:
        return Command(
            "train", ("own", "--data", str(file), "-o", "m.pt", *_SHORT), _TRAINED, (*_TRAINED, "m.pt.resume")
        )
    data = ("--input", str(file), "--samples", "3", "-o", "out")
    return Command("compile", (str(sound / "small.pt"), *data), ("out",))


# ---- .toml


_TOML_READERS = ("hardware/read.py", "hardware/table.py", "cli/config.py", "jobs/settings.py", "intake/*.py")


def _sound_toml(folder: Path) -> list[Path]:
    files = [Path(shutil.copy(path, folder)) for path in sorted(PROFILES.glob("*.toml"))]
    child = folder / "my_chip.toml"
    child.write_text(_CHILD)
    for turn in range(4):  # a third of the cases are requests
        for name, text in _REQUESTS.items():
            files.append(folder / f"{turn}.{name}")
            files[-1].write_text(text.format(sound=folder.parent))
    return [*files, child]


_REQUESTS = {
    "run.request.toml": """[run]
model = "{sound}/small.pt"
input = "{sound}/x.npz"
target = "loihi2"
samples = "3"
steps = 4
strict = false
learn = "rtrl"
max_cores = 9
max_energy = 1000.0
max_memory = "2G"
[learn]
rate = 0.1
bits = 12
placement = "neurons"
synapses = "w_u,w_o"
""",
    "own.pt.request.toml": """[run]
task = "own"
data = "{sound}/own.npz"
seed = 3
learning_rate = 0.01
rule = "hybrid"
prune = 0.5
baseline = false
test = false
[train]
lambda = 0.5
patience = 2
""",
}
"""What is read by --config: of bim-compile and of bim-train."""


_CHILD = """extends = "loihi2"
name = "my_chip"
title = "mine"
[capacity]
neuron_words = { value = 100, low = 90, high = 110, unit = "words", basis = "assumed", source = "mine" }
"""


def toml(value: Any) -> str:
    """Write a value as TOML, tables inline."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(str(key))} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return json.dumps(value) if isinstance(value, str) else repr(value) if value is not None else '"None"'


def _odd_quantities(rng: Random, profile: dict[str, Any]) -> dict[str, Any]:
    """Change numbers of a profile so that the schema still holds: what is computed from them is then odd."""
    known = [node[key] for node, key in places(profile) if isinstance(node[key], dict) and "low" in node[key]]
    for quantity in rng.sample(known, min(len(known), rng.choice((1, 1, 3)))):
        number = rng.choice((0, 1, 2, 0.5, 3, 17, 1e-9, 1e6, 1e18, 1e300, 2**40, float("inf")))
        quantity.update(dict.fromkeys(("value", "low", "high"), number))
    return profile


def _structural_toml(rng: Random, file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    action = rng.random()
    if action < 0.8:
        changed = _odd_quantities(rng, tomllib.loads(text)) if action < 0.35 else odd_tree(rng, tomllib.loads(text))
        written = "\n".join(f"{json.dumps(str(key))} = {toml(value)}" for key, value in changed.items())
    else:
        lines = text.splitlines()
        at = rng.randrange(len(lines))
        added = (
            "[[capacity]]",
            "[[run]]",
            "[lern]",
            "extends = 'my.toml'",
            f"extends = '{file.name}'",
            "a = " + "[" * rng.choice((5, 3000)),
            "x." * 2000 + "y=1",
        )
        lines[at] = rng.choice((lines[at] * 2, "", *added))
        written = "\n".join(lines)
    file.write_text(written, encoding="utf-8", errors="surrogatepass")


def _read_toml(rng: Random, file: Path, sound: Path) -> Command:
    way = rng.random()
    if file.name.endswith("own.pt.request.toml"):
        return Command("train", ("--config", str(file), "-o", "m.pt", *_SHORT), _TRAINED, (*_TRAINED, "m.pt.resume"))
    if file.name.endswith("run.request.toml"):
        if way < 0.6:
            return Command("compile", ("--config", str(file), "--check", *(("--json",) if way < 0.2 else ())))
        few = ("--samples", "3", "--set", "learn.samples=2", "-o", "out")
        return Command("compile", ("--config", str(file), *few), ("out",), ("out.learned",))
    if way < 0.35:
        return Command("compile", ("--list", str(file), *(("--json",) if rng.random() < 0.5 else ())))
    if way < 0.75:
        return Command("compile", (str(sound / "small.pt"), "--target", str(file), "--check"))
    run = ("--input", str(sound / "x.npz"), "--samples", "2", "-o", "out")
    return Command("compile", (str(sound / "small.pt"), "--target", str(file), *run), ("out",))


# ---- records: WFDB, a prepared archive, an OUT folder, shards


def _sound_records(folder: Path) -> list[Path]:
    wfdb, prepared, finished, shards = (folder / name for name in ("wfdb", "prepared", "finished", "shards"))
    for path in (wfdb, prepared, finished, shards):
        path.mkdir()
    for name, symbols in (("101", "NLAVFNNNNNNNSNVN"), ("106", "NLAVFNNNNNNSVF")):
        write_record(wfdb, name, symbols)
    write_archive(prepared / "mitbih_beats.npz", 101, "NLAVFNNNNNNNAAVN")
    return [wfdb, prepared, finished, shards]


def finish_records(sound: Path) -> None:
    """Fill the folders that bim-compile writes: a finished one, and what an interrupted run leaves."""
    model, data = str(sound / "small.pt"), str(sound / "x.npz")
    _call("compile", model, "--input", data, "--samples", "3", "-o", str(sound / "records/finished/out"))
    from bim_neuro.jobs import shards, simulate

    kept, simulate.SHARD = simulate.SHARD, 2
    forget, shards.Shards.forget = shards.Shards.forget, lambda self: None  # type: ignore[method-assign]
    try:
        _call("compile", model, "--input", data, "--samples", "6", "-o", str(sound / "records/shards/out"))
    finally:
        simulate.SHARD, shards.Shards.forget = kept, forget  # type: ignore[method-assign]
    shutil.rmtree(sound / "records/shards/out")


def warm(sound: Path) -> None:
    """Run sound calls, so that a fork has every module and kernel they load."""
    model, data, own = (str(sound / name) for name in ("small.pt", "x.npz", "own.npz"))
    place = sound.parent / "warm"
    place.mkdir()
    artefact, graph, out, trained = (str(place / name) for name in ("out/model.bimn", "out/model.nir", "out", "m.pt"))
    _call("compile", model, "--input", data, "--samples", "2", "-o", out)
    _call("compile", model, "--input", data, "--samples", "2", "-o", out, "--learn", "rtrl", "--set", "learn.samples=2")
    tight = place / "tight.toml"
    narrow = _CHILD.replace("100", "17").replace("90", "17").replace("110", "17")
    tight.write_text(narrow)  # many cores: placement has kernels too
    _call("compile", model, "--target", str(tight), "--input", data, "--samples", "2", "-o", out)
    _call("compile", graph, "--check", "--json")
    _call("compile", artefact, "--self-test")
    _call("compile", "--list", "loihi2")
    _call("train", "own", "--data", own, "-o", trained, *_SHORT)
    _call("report", "compare", out, out)
    shutil.rmtree(place)


def _call(entry: str, *arguments: str) -> None:
    argv, sys.argv = sys.argv, [f"bim-{entry}", *arguments]
    out, sys.stdout = sys.stdout, io.StringIO()
    err, sys.stderr = sys.stderr, io.StringIO()
    try:
        getattr(cli, f"{entry}_main")()
    except SystemExit as end:
        if end.code:
            raise RuntimeError(f"a sound call ended with {end.code}: {arguments}") from None
    finally:
        sys.argv, sys.stdout, sys.stderr = argv, out, err


def _structural_records(rng: Random, folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    if rng.random() < 0.12:
        _special(rng, rng.choice(files))
        return
    if folder.name == "wfdb":
        _odd_header(rng, rng.choice([file for file in files if file.suffix == ".hea"]))
    elif folder.name == "finished":
        file = rng.choice([f for f in files if f.name in ("summary.json", "mapping.json", "series.json")])
        file.write_text(json.dumps(odd_tree(rng, json.loads(file.read_text()))))
    else:
        manifest = [file for file in files if file.name == "manifest.json"]
        if manifest and rng.random() < 0.3:
            manifest[0].write_text(json.dumps(odd_tree(rng, json.loads(manifest[0].read_text()))))
        else:
            _structural_npz(rng, rng.choice([file for file in files if file.suffix == ".npz"]))


def _odd_header(rng: Random, header: Path) -> None:
    """Change one word of a WFDB header, or a whole line."""
    lines = [line.split(" ") for line in header.read_text().splitlines()]
    line = rng.choice(lines)
    values = (
        "0",
        "-1",
        "1e30",
        "nan",
        "99999999999",
        "/dev/zero",
        "../101.dat",
        "[/other]",
        "\x1b[31m",
        "212x9",
        "16+99999999",
        "",
    )
    if rng.random() < 0.85:
        line[rng.randrange(len(line))] = rng.choice(values)
    else:
        lines.insert(rng.randrange(len(lines) + 1), copy.copy(line))
    header.write_text("\n".join(" ".join(words) for words in lines) + "\n")


def _special(rng: Random, file: Path) -> None:
    """Put something in a file's place that is none."""
    file.unlink()
    kind = rng.randrange(5)
    if kind == 0:
        os.mkfifo(file)
    elif kind == 1:
        file.symlink_to(file.name)
    elif kind == 2:
        file.mkdir()
    elif kind == 3:
        file.symlink_to("/dev/zero")


def _read_records(rng: Random, folder: Path, sound: Path) -> Command:
    if folder.name in ("wfdb", "prepared"):
        train = ("ecg", "--data", str(folder), "-o", "m.pt", *_SHORT)
        return Command("train", train, _TRAINED, (*_TRAINED, "m.pt.resume"))
    model, data = str(sound / "small.pt"), str(sound / "x.npz")
    if folder.name == "shards":
        out = str(folder / "out")
        return Command("compile", (model, "--input", data, "--samples", "6", "-o", out))
    out, way = str(folder / "out"), rng.random()
    if way < 0.4:
        return Command("report", (out, *(("--json",) if rng.random() < 0.3 else ("-o", "r.html"))), ("r.html",))
    if way < 0.75:
        return Command(
            "report",
            ("compare", out, str(sound / "records/finished/out"), "-o", "c.html"),
            ("c.html", "c.html.request.toml"),
        )
    return Command("compile", (model, "--input", data, "--samples", "2", "-o", out))


_FORMATS = (
    Format("nir", ("nir_bridge/*.py", "pack.py", "intake/*.py"), _sound_nir, _structural_nir, _read_nir),
    Format("net", ("netx/*.py", "intake/*.py"), _sound_net, _structural_net, _read_net),
    Format("pt", ("model/checkpoint.py", "intake/*.py"), _sound_pt, _structural_pt, _read_pt),
    Format("bimn", ("compilers/artefact.py", "pack.py", "intake/*.py"), _sound_bimn, _structural_bimn, _read_bimn),
    Format("npz", _NPZ_READERS, _sound_npz, _structural_npz, _read_npz),
    Format("toml", _TOML_READERS, _sound_toml, _structural_toml, _read_toml),
    Format(
        "records", ("tasks/mitbih.py", "engine/shards.py", "report/files.py", "intake/*.py"),
        _sound_records, _structural_records, _read_records,
    ),
)  # fmt: skip
FORMATS = {one.name: one for one in _FORMATS}

"""Play a program on Lava sample by sample, show the first, record all: what the script of a board kit does.

    play       one sample on a network of its own, which starts from rest
    differing  what it sent beside what the compiler's own simulation sent
    save       a recording that `bim-compile --expect` reads

On a board messages enter and leave through the adapters of Lava's embedded input and output, and only the output is
recorded; in the simulation on the CPU every message and every state is.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from lava.magma.core.process.ports.ports import OutPort
from lava.magma.core.process.process import AbstractProcess
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2HwCfg, Loihi2SimCfg
from lava.proc.io.sink import RingBuffer as Sink
from lava.utils.loihi import is_installed

from bim_neuro.compilers.to_lava.parts import payload_bits
from bim_neuro.compilers.to_lava.processes.process import MessageRecorder, StateRecorder

EMBEDDED = "lava.proc.embedded_io.spike"  # part of Lava's extension for Loihi
STATE_KEYS = {"v": "v__", "u": "syn__"}  # what a recording calls a state
SHOWN = 8
_SECONDS, _STEP_SECONDS = 120, 0.25  # a run that takes longer hangs: Lava says nothing when a model fails


class Population(NamedTuple):
    """A layer of the program: its name, its name in program.npz, and at which step a sample reaches it."""

    name: str
    key: str
    neurons: int
    depth: int
    states: tuple[str, ...]
    spikes: bool
    ours: str  # the process of bim-neuro that plays it; '' where Lava's own does


class Network(NamedTuple):
    """Connected processes by the name of their layer, the steps of a run, and how often samples could follow."""

    layers: dict[str, AbstractProcess]
    total: int
    period: int


Build = Callable[[Any, np.ndarray, bool], Network]
Played = dict[str, np.ndarray]


def enter(player: AbstractProcess, neurons: int, message_bits: int, board: bool) -> OutPort:
    """Return the port at which input arrives: the player's own, on a board that of the adapter behind it."""
    if not board:
        return player.s_out
    adapter = import_module(EMBEDDED).PyToNxAdapter(shape=(neurons,), num_message_bits=payload_bits(message_bits))
    player.s_out.connect(adapter.inp)
    return adapter.out


def leave(layer: Population, process: AbstractProcess, steps: int) -> Sink:
    """Return a sink that takes what a layer on a board sends."""
    bits = 0 if layer.spikes else 24
    adapter = import_module(EMBEDDED).NxToPyAdapter(shape=(layer.neurons,), num_message_bits=bits)
    sink = Sink(shape=(layer.neurons,), buffer=steps)
    process.s_out.connect(adapter.inp)
    adapter.out.connect(sink.a_in)
    return sink


def play(build: Build, layers: tuple[Population, ...], held: Any, x: np.ndarray, board: bool) -> Played:
    """Play one sample x (steps, lines); return messages, and off a board states, by layer: (steps, ...) each."""
    network = build(held, x, board)
    first = network.layers[layers[0].name]
    with tempfile.TemporaryDirectory() as folder, _at_most(network.total):
        sink = leave(layers[-1], network.layers[layers[-1].name], network.total) if board else None
        files = {} if board else _record(network, layers, Path(folder))
        config = Loihi2HwCfg() if board else Loihi2SimCfg(select_tag="fixed_pt")
        first.run(condition=RunSteps(num_steps=network.total), run_cfg=config)
        if sink is not None:
            rows = {(layers[-1], "message"): (sink.data.get().T.astype(np.int32) << 8) >> 8}  # 24 bits with sign
        else:
            rows = {key: np.load(file) for key, file in files.items()}
        first.stop()
    cut = {
        f"{layer.key}.{what}": row[layer.depth : layer.depth + network.period] for (layer, what), row in rows.items()
    }
    return {key: row.astype(np.int64) for key, row in cut.items()}


def _record(network: Network, layers: tuple[Population, ...], folder: Path) -> dict[tuple[Population, str], Path]:
    """Attach a recorder to every message and state; return the file of each."""
    files: dict[tuple[Population, str], Path] = {}
    for layer in layers:
        process = network.layers[layer.name]
        for what in ("message", *layer.states):
            file = files[layer, what] = folder / f"{layer.key}.{what}.npy"
            if what == "message":
                process.s_out.connect(MessageRecorder((layer.neurons,), file, network.total).a_in)
            else:
                StateRecorder(getattr(process, what), file, network.total)
    return files


@contextmanager
def _at_most(steps: int) -> Iterator[None]:
    """End this process and all of Lava's where a run fails, or takes too long for so many steps."""

    def end(*why: Any) -> None:
        traceback.print_exc()
        sys.stderr.write("Lava did not end: a process of it failed, or the machine is too busy\n")
        for child in multiprocessing.active_children():
            child.kill()
        os._exit(1)

    signal.signal(signal.SIGALRM, end)
    signal.alarm(_SECONDS + int(_STEP_SECONDS * steps))
    try:
        yield
    except BaseException:  # noqa: BLE001  Lava's own stop would hang after any error
        end()
    finally:
        signal.alarm(0)


def differing(layers: tuple[Population, ...], played: Played, held: Any, sample: int) -> tuple[int, int, str]:
    """Compare messages with those of the compiler's simulation: how many, how many differ, and the first place."""
    compared, wrong, first = 0, 0, ""
    for layer in layers:
        got = played.get(f"{layer.key}.message")
        if got is None:
            continue
        expected = held[f"{layer.key}.expected"][sample]
        places = np.argwhere(got != expected)
        compared, wrong = compared + expected.size, wrong + len(places)
        if len(places) and not first:
            step, neuron = places[0]
            values = f"{got[step, neuron]} sent, {expected[step, neuron]} expected"
            first = f"first in layer {layer.name!r}, step {step}, neuron {neuron}: {values}"
    return compared, wrong, first


def show(layers: tuple[Population, ...], played: Played, steps: int) -> Iterator[str]:
    """Yield a line a layer: how much it sent, when, and its states at the end of the sample."""
    for layer in layers:
        sent = played.get(f"{layer.key}.message")
        if sent is None:
            continue
        when = [str(step) for step in np.flatnonzero(sent[:steps].any(axis=1))]
        what = "spikes" if layer.spikes else "messages"
        line = f"  {layer.name!r}: {layer.neurons} neurons, {np.count_nonzero(sent[:steps])} {what}"
        line += f" at steps {' '.join(when[:SHOWN])}{' ...' if len(when) > SHOWN else ''}" if when else ""
        for state in layer.states:
            last = played[f"{layer.key}.{state}"][steps - 1].ravel() if f"{layer.key}.{state}" in played else []
            if len(last):
                line += f"; {state} {' '.join(map(str, last[:SHOWN]))}{' ...' if len(last) > SHOWN else ''}"
        yield line


def save(file: Path, layers: tuple[Population, ...], samples: list[Played], steps: int, board: bool) -> None:
    """Write integers (samples, steps, neurons): out of the last layer, spk__ or out__, v__ and syn__ of each."""
    arrays: dict[str, Any] = {}
    for layer in layers:
        for what in ("message", *layer.states):
            sent = "spk__" if layer.spikes else "out__"
            prefix = sent if what == "message" else STATE_KEYS.get(what)
            rows = [played[f"{layer.key}.{what}"][:steps] for played in samples if f"{layer.key}.{what}" in played]
            if prefix and rows:
                last = layer is layers[-1] and what == "message"
                arrays["out" if last else f"{prefix}{layer.name}"] = np.stack(rows)
    meta = {"kind": "integers", "layout": "BTC", "made_by": "Loihi 2" if board else "lava-nc on the CPU"}
    with file.open("wb") as written:
        np.savez_compressed(written, meta=np.array(json.dumps(meta)), **arrays)


def where(layers: tuple[Population, ...], simulate: bool) -> tuple[bool, str]:
    """Return whether a board plays the program, and a sentence that says so, with the reason where it does not."""
    if simulate:
        return False, "on the CPU simulation of Lava, as asked"
    if not is_installed():
        return False, "on the CPU simulation of Lava: its extension for Loihi is not installed here"
    ours = [f"{layer.name!r} ({layer.ours})" for layer in layers if layer.ours]
    if ours:
        return False, f"on the CPU simulation of Lava: no board has a model of {', '.join(ours)}"
    return True, "on a Loihi 2 board; messages of the output are recorded, states are not"


def main(build: Build, layers: tuple[Population, ...], folder: Path) -> int:
    """Play, show, record; return 1 where a message differs from the compiler's."""
    for said in ("Cannot import module", "Changing the sparsity"):  # of files beside a process; of Lava's own matrices
        warnings.filterwarnings("ignore", said)
    asked = _arguments()
    board, said = where(layers, asked.simulate)
    with np.load(folder / "program.npz") as archive:
        held = dict(archive)
    own = asked.input is not None
    x = _input(dict(np.load(asked.input)) if own else held, layers[0].neurons)[: asked.samples]
    sys.stdout.write(f"{len(x)} samples of {x.shape[1]} steps, {said}\n")
    samples: list[Played] = []
    counts = [0, 0]
    for index, sample in enumerate(x):
        samples.append(play(build, layers, held, sample, board))
        if index == 0:
            sys.stdout.write("sample 0\n" + "\n".join(show(layers, samples[0], len(sample))) + "\n")
        if not own:
            compared, wrong, first = differing(layers, samples[-1], held, index)
            counts = [counts[0] + compared, counts[1] + wrong]
            sys.stdout.write(f"sample {index} differs, {first}\n" if wrong else "")
    save(asked.output, layers, samples, x.shape[1], board)
    equal = f"{counts[0] - counts[1]} of {counts[0]} messages equal the compiler's; " if not own else ""
    sys.stdout.write(f"{equal}{asked.output} holds the recording\n")
    return int(counts[1] > 0)


def _input(arrays: dict[str, np.ndarray], lines: int) -> np.ndarray:
    """Return the input x of an .npz; end with a sentence where it is none."""
    x = arrays.get("x", np.zeros(0))
    if x.ndim != 3 or x.shape[2] != lines or x.dtype.kind not in "iu" or not x.size:
        sys.exit(f"x is {x.dtype} of shape {x.shape}, whole numbers (samples, steps, {lines}) are needed")
    return x


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Play this program on Lava, show sample 0, write a recording.")
    parser.add_argument("--simulate", action="store_true", help="on the CPU, also where a board is there")
    parser.add_argument("--samples", type=int, help="only the first so many")
    parser.add_argument("--input", type=Path, help="an .npz with x, whole numbers (samples, steps, lines)")
    parser.add_argument("-o", "--output", type=Path, default=Path("recording.npz"), help="recording.npz if not given")
    asked = parser.parse_args()
    if asked.samples is not None and asked.samples < 1:
        parser.error(f"--samples is {asked.samples}, at least 1 is needed")
    return asked

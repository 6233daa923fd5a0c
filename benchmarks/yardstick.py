"""The yardstick: a loop over the same events and the parts of larger graphs, in C with vector instructions.

`yardstick.c` is compiled on the spot for this processor: AVX-512 where it has it, else AVX2. One thread, layer after
layer through a chunk of steps as the engine goes, LIF with du = 4095 only; rows of int8 add up in registers of 16 bits,
nothing is counted. The parts, each alone: rows, products of graded messages, LIF, relay, readout, scan with its gates,
and the count of synaptic operations. Their integers are the engine's (tests/simulation/test_yardstick.py).
"""

from __future__ import annotations

import ctypes
import math
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from bim_neuro.nodes.arithmetic import Array

SOURCE = Path(__file__).with_name("yardstick.c")
COLUMNS, CHANNELS = 64, 16  # what rows and states are padded to
CHUNK, RING = 64, 128  # steps a layer plays before the next does; of those it remembers


def compile_c(*options: str, source: Path = SOURCE) -> Any:
    """Compile a source and load it; None where there is no C compiler, or a processor without these vectors."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or platform.machine() not in ("x86_64", "AMD64"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "yardstick.so"
        command = [
            compiler,
            "-O3",
            *(options or ["-march=native"]),
            "-shared",
            "-fPIC",
            str(source),
            "-o",
            str(library),
        ]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return None
        loaded = ctypes.CDLL(str(library))
    if source != SOURCE:
        return loaded
    for function in (loaded.run, loaded.parts, loaded.read_all, loaded.count_spikes, loaded.count_values):
        function.restype = ctypes.c_long
    return loaded


def pointer(array: Array) -> ctypes.c_void_p:
    """Return the address of an array's first element; the caller keeps it alive."""
    return ctypes.c_void_p(array.ctypes.data)


def wide(values: Any, multiple: int = CHANNELS, kind: type = np.int32) -> Array:
    """Return a contiguous copy on a cache line, its last axis filled up with zeros to a multiple."""
    values = np.asarray(values)
    length = -(-values.shape[-1] // multiple) * multiple
    shape = (*values.shape[:-1], length)
    room = np.zeros(math.prod(shape) * np.dtype(kind).itemsize + COLUMNS, np.uint8)
    start = -room.ctypes.data % COLUMNS
    copy: Array = room[start : start + room.size - COLUMNS].view(kind).reshape(shape)
    copy[..., : values.shape[-1]] = values
    return copy


def exp2_words() -> Array:
    """Return 2^-(i/64) in units of 2^-20, less 2^19 + 1, and the step down to the next, less 5678."""
    left = np.array([round(2.0 ** (20 - i / 64)) for i in range(65)])
    return wide((left[:64] - 2**19 - 1) | (-np.diff(left) - 5678) << 19, kind=np.uint32)


def softplus_words() -> Array:
    """Return ln(1 + x) / x at x = i/32 in units of 2^-15, and the step down to the next, 32 words and room."""
    left = np.array([2**15] + [round(math.log1p(i / 32) / (i / 32) * 2**15) for i in range(1, 33)])
    return wide(np.append(left[:32] | -np.diff(left) << 16, np.zeros(32, np.int64)))


def pairs_of(rows: Array) -> Array:
    """Interleave every two rows of weights [pre, post], an odd one with zeros."""
    pre, post = rows.shape
    even = np.zeros((pre + pre % 2, post), np.int8)
    even[:pre] = rows
    return wide(even.reshape(-1, 2, post).transpose(0, 2, 1).reshape(1, -1)[0], COLUMNS, np.int8)


class ScanShape(ctypes.Structure):
    """States, channels, and the shifts of a scan."""

    _fields_ = [(name, ctypes.c_int) for name in ("states", "channels", "u", "dt", "alpha", "du", "b", "c", "d")]


class _Edge(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("w", "nonzero")),
        *((name, ctypes.c_int) for name in ("pre", "post", "source")),
    ]


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in ("n", "dv", "threshold", "first", "last")),
        *((name, ctypes.c_void_p) for name in ("v", "spikes", "counts")),
    ]


class LifLoop:
    """A network of LIF layers ready for the C loop: ``run()`` returns the spikes of all layers."""

    def __init__(self, library: Any, layers: list[tuple[int, int, int]], edges: list[tuple[int, int, Array]]) -> None:
        """``layers``: (neurons, dv, threshold), the input first; ``edges``: (source, target, weight (post, pre))."""
        self.library, self.keep = library, []
        ordered = sorted(edges, key=lambda edge: edge[1])
        self.chunk = 1 if any(source >= target for source, target, _ in edges) else CHUNK
        self.edges = (_Edge * max(len(edges), 1))()
        self.layers = (_Layer * len(layers))()
        widths = [-(-neurons // COLUMNS) * COLUMNS for neurons, _, _ in layers]
        self.sums = wide(np.zeros(max(widths)))
        for place, (source, _, weight) in enumerate(ordered):
            rows, nonzero = wide(weight.T, COLUMNS, np.int8), np.count_nonzero(weight, axis=0).astype(np.int32)
            counted = None if (nonzero == len(weight)).all() else self._hold(nonzero)
            self.edges[place] = _Edge(self._hold(rows), counted, *rows.shape, source)
        self.states, self.counts = [], []
        for place, ((_, dv, threshold), width) in enumerate(zip(layers, widths, strict=True)):
            into = [e for e, edge in enumerate(ordered) if edge[1] == place]
            first, last = (into[0], into[-1] + 1) if into else (0, 0)
            self.states.append(wide(np.zeros(width)))
            self.counts.append(np.zeros(RING, np.int32))
            rows = self.states[-1], np.zeros(RING * (width + CHANNELS), np.int32), self.counts[-1]
            self.layers[place] = _Layer(width, dv, threshold, first, last, *(self._hold(row) for row in rows))

    def run(self, x: Array) -> int:
        """Play x, uint8 (steps, neurons filled up), from rest."""
        for array in (*self.states, *self.counts):
            array[:] = 0
        return int(self.library.run(*self._net(), len(x), self.chunk, pointer(x), pointer(self.sums)))

    def part(self, last: int, steps: int, turns: int, what: int) -> int:
        """Play parts of the steps before ``last`` again, as often as asked: gather 1, fire 2, count 4."""
        where = (last - steps, steps, self.chunk, turns, what)
        return int(self.library.parts(*self._net(), *where, pointer(self.sums)))

    def _net(self) -> tuple[int, Any, Any]:
        return len(self.layers), self.layers, self.edges

    def _hold(self, array: Array) -> int:
        self.keep.append(array)
        return int(array.ctypes.data)

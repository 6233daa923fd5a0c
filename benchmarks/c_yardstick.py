"""The C yardstick: the smallest loop over the same events, compiled on the spot with -O3 -march=native.

One thread, step by step, LIF with du = 4095 only: int8 rows [pre, post], four rows a pass into int16, the exact 32-bit
LIF, spikes found eight flags at a time. It counts nothing. The other functions are the parts of larger graphs, each
alone: a scan (rule N9), relays, readouts, dense synapses, and the count of synaptic operations.
"""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

SOURCE = r"""
#include <stdint.h>
#include <string.h>

typedef struct { const int8_t *w; int pre, post, source; } Edge;
typedef struct { int n, dv, threshold, first, last; int32_t *v; int *spikes; int count; } Layer;

static int compact(const uint8_t *flags, int n, int *out) {
    int count = 0, j = 0;
    for (; j + 8 <= n; j += 8) {
        uint64_t word;
        memcpy(&word, flags + j, 8);
        while (word) { out[count++] = j + (__builtin_ctzll(word) >> 3); word &= word - 1; }
    }
    for (; j < n; j++) if (flags[j]) out[count++] = j;
    return count;
}

static void add_rows(const int8_t *restrict w, const int *s, int count, int n, int16_t *restrict block,
                     int32_t *restrict sum) {
    for (int done = 0; done < count; ) {
        int last = count < done + 252 ? count : done + 252, k = done;
        memset(block, 0, n * sizeof *block);
        for (; k + 4 <= last; k += 4) {
            const int8_t *a = w + (long)s[k] * n, *b = w + (long)s[k + 1] * n;
            const int8_t *c = w + (long)s[k + 2] * n, *d = w + (long)s[k + 3] * n;
            for (int j = 0; j < n; j++) block[j] += a[j] + b[j] + c[j] + d[j];
        }
        for (; k < last; k++) {
            const int8_t *a = w + (long)s[k] * n;
            for (int j = 0; j < n; j++) block[j] += a[j];
        }
        for (int j = 0; j < n; j++) sum[j] += block[j];
        done = last;
    }
}

static void lif(int n, int factor, int threshold, const int32_t *restrict sum, int32_t *restrict v,
                uint8_t *restrict flags) {
    for (int j = 0; j < n; j++) {
        int32_t a = v[j] < 0 ? -v[j] : v[j];
        int32_t d = (a >> 12) * factor + (((a & 4095) * factor) >> 12);
        int32_t u = sum[j] << 6;
        u = u > (1 << 23) ? u - (1 << 24) : u <= -(1 << 23) ? u + (1 << 24) : u;
        int32_t x = (v[j] < 0 ? -d : d) + u;
        x = x > 8388607 ? 8388607 : x < -8388607 ? -8388607 : x;
        flags[j] = x > threshold;
        v[j] = x > threshold ? 0 : x;
    }
}

/* Layer 0 is the input: x (steps, n) of 0 and 1. Every synapse takes one step. Returns the spikes of all layers. */
long run(int layers, Layer *layer, Edge *edge, int steps, const uint8_t *x, int16_t *block, int32_t *sum,
         uint8_t *flags) {
    long spikes = 0;
    for (int t = 0; t < steps; t++) {
        for (int l = layers - 1; l > 0; l--) {  /* backwards: spikes[] still holds what the step before sent */
            Layer *to = layer + l;
            memset(sum, 0, to->n * sizeof *sum);
            for (int e = to->first; e < to->last; e++) {
                Layer *from = layer + edge[e].source;
                add_rows(edge[e].w, from->spikes, from->count, to->n, block, sum);
            }
            lif(to->n, 4096 - to->dv, to->threshold << 6, sum, to->v, flags);
            to->count = compact(flags, to->n, to->spikes);
            spikes += to->count;
        }
        layer[0].count = compact(x + (long)t * layer[0].n, layer[0].n, layer[0].spikes);
    }
    return spikes;
}

static inline int64_t shifted(int64_t p, int s) { return (p + ((p >> 63) & ((1LL << s) - 1))) >> s; }

/* steps of h <- decay h + du B, y = sum C h over states x channels; the gates are given. */
void scan(int steps, int states, int channels, const int64_t *restrict alpha, int as, const int64_t *restrict delta,
          const int64_t *restrict du, const int64_t *b, int bs, const int64_t *c, int cs, const int32_t *restrict left,
          const int32_t *restrict step, int64_t *restrict h, int64_t *restrict y) {
    for (int t = 0; t < steps; t++)
        for (int n = 0; n < states; n++)
            for (int d = 0; d < channels; d++) {
                int64_t i = n * channels + d, p = (delta[d] * alpha[i]) >> as;
                p = p > (1 << 24) - 1 ? (1 << 24) - 1 : p;
                int32_t q = (int32_t)p, at = (q >> 14) & 63;
                int32_t m = (left[at] + ((step[at] * (q & 16383)) >> 14)) >> (q >> 20) >> 4;
                m = m > 65535 ? 65535 : m;
                int64_t x = shifted(h[i] * m, 16) + shifted(du[d] * b[n], bs);
                x = x > 8388607 ? 8388607 : x < -8388607 ? -8388607 : x;
                h[i] = x;
                y[d] += shifted(x * c[n], cs);
            }
}

/* steps of a dense synapse: graded messages m (all of them), or the rows of those who fired */
void products(int steps, const int8_t *restrict w, const int32_t *restrict m, int pre, int n, int32_t *restrict sum) {
    for (int t = 0; t < steps; t++)
        for (int k = 0; k + 4 <= pre; k += 4) {
            const int8_t *a = w + (long)k * n, *b = a + n, *c = b + n, *d = c + n;
            for (int j = 0; j < n; j++) sum[j] += m[k] * a[j] + m[k + 1] * b[j] + m[k + 2] * c[j] + m[k + 3] * d[j];
        }
}

void rows(int steps, const int8_t *w, const int *s, int count, int n, int16_t *block, int32_t *sum) {
    for (int t = 0; t < steps; t++) add_rows(w, s, count, n, block, sum);
}

/* steps of a layer of LIF, and of the list of those who fired */
void lifs(int steps, int n, int factor, int threshold, const int32_t *sum, int32_t *v, uint8_t *flags, int *out) {
    for (int t = 0; t < steps; t++) {
        lif(n, factor, threshold, sum, v, flags);
        compact(flags, n, out);
    }
}

static inline int64_t clipped(int64_t x, int64_t limit) { return x > limit ? limit : x < -limit ? -limit : x; }

/* steps of a relay (rule N8), or of a readout (rule N10) where v is given */
void relays(int steps, int n, const int64_t *restrict sum, const int64_t *restrict factor,
            const int64_t *restrict bias, int shift, int32_t *restrict out) {
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < n; j++)
            out[j] = clipped(shifted(clipped(sum[j], 8388607) * factor[j], shift) + bias[j], 32767);
}

void readouts(int steps, int n, const int64_t *restrict sum, const int64_t *restrict factor,
              const int64_t *restrict bias, int shift, int64_t decay, int64_t *restrict v, int32_t *restrict out) {
    for (int t = 0; t < steps; t++)
        for (int j = 0; j < n; j++) {
            int64_t x = shifted(clipped(sum[j], 8388607) * factor[j], shift) + bias[j];
            out[j] = v[j] = clipped(shifted(v[j] * decay, 16) + x, 8388607);
        }
}

/* steps of the count of synapses that are not zero: of `count` neurons that fired, or of those of n whose m is not 0 */
long count_spikes(int steps, const int32_t *s, int count, const int32_t *nonzero) {
    long total = 0;
    for (int t = 0; t < steps; t++)
        for (int k = 0; k < count; k++) total += nonzero[s[k]];
    return total;
}

long count_values(int steps, const int32_t *restrict m, int n, const int32_t *restrict nonzero) {
    long total = 0;
    for (int t = 0; t < steps; t++) {
        int32_t one = 0;
        for (int j = 0; j < n; j++) one += m[j] ? nonzero[j] : 0;
        total += one;
    }
    return total;
}

/* steps of messages added one to one */
void values(int steps, const int32_t *restrict m, int n, int64_t *restrict sum) {
    for (int t = 0; t < steps; t++) {
        for (int j = 0; j < n; j++) sum[j] += m[j];
        __asm__ volatile("" ::: "memory");
    }
}

/* read n bytes, to measure memory bandwidth */
long read_all(const int64_t *x, long n) {
    long s = 0;
    for (long i = 0; i < n; i++) s += x[i];
    return s;
}
"""


class _Edge(ctypes.Structure):
    _fields_ = [("w", ctypes.c_void_p), ("pre", ctypes.c_int), ("post", ctypes.c_int), ("source", ctypes.c_int)]


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_int) for name in ("n", "dv", "threshold", "first", "last")),
        ("v", ctypes.c_void_p),
        ("spikes", ctypes.c_void_p),
        ("count", ctypes.c_int),
    ]


def compile_c() -> Any:
    """Compile the source and load it; None where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder) / "yardstick.c", Path(folder) / "yardstick.so"
        source.write_text(SOURCE)
        command = [compiler, "-O3", "-march=native", "-shared", "-fPIC", str(source), "-o", str(library)]
        subprocess.run(command, check=True, capture_output=True)
        loaded = ctypes.CDLL(str(library))
    for function in (loaded.run, loaded.read_all, loaded.count_spikes, loaded.count_values):
        function.restype = ctypes.c_long
    return loaded


def pointer(array: np.ndarray) -> ctypes.c_void_p:
    """Return the address of an array's first element; the caller keeps it alive."""
    return ctypes.c_void_p(array.ctypes.data)


class LifLoop:
    """A network of LIF layers ready for the C loop: ``run()`` returns the spikes of all layers."""

    def __init__(
        self, library: Any, layers: list[tuple[int, int, int]], edges: list[tuple[int, int, np.ndarray]]
    ) -> None:
        """``layers``: (neurons, dv, threshold), the input first; ``edges``: (source, target, weight (post, pre))."""
        self.library, self.keep = library, []
        ordered = sorted(edges, key=lambda edge: edge[1])
        self.edges = (_Edge * max(len(edges), 1))()
        self.layers = (_Layer * len(layers))()
        widest = max(neurons for neurons, _, _ in layers)
        self.scratch = [np.zeros(widest, kind) for kind in (np.int16, np.int32, np.uint8)]
        for place, (source, _, weight) in enumerate(ordered):
            rows = self._hold(np.ascontiguousarray(weight.T.astype(np.int8)))
            self.edges[place] = _Edge(rows, *weight.T.shape, source)
        self.states = []
        for place, (neurons, dv, threshold) in enumerate(layers):
            into = [e for e, edge in enumerate(ordered) if edge[1] == place]
            state = np.zeros(neurons, np.int32)
            self.states.append(state)
            first, last = (into[0], into[-1] + 1) if into else (0, 0)
            self.layers[place] = _Layer(
                neurons, dv, threshold, first, last, self._hold(state), self._hold(np.zeros(neurons, np.int32)), 0
            )

    def run(self, x: np.ndarray) -> int:
        """Play x, uint8 (steps, neurons), from rest."""
        for place, state in enumerate(self.states):
            state[:] = 0
            self.layers[place].count = 0
        block, sums, flags = map(pointer, self.scratch)
        return int(self.library.run(len(self.layers), self.layers, self.edges, len(x), pointer(x), block, sums, flags))

    def _hold(self, array: np.ndarray) -> int:
        self.keep.append(array)
        return array.ctypes.data

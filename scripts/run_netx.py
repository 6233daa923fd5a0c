"""Run a .net file in lava.lib.dl.netx: NET X.npz OUT.npz [BITS]; needs lava-dl 0.6, which installs on Python 3.10.

X.npz holds x (samples, steps, channels), BITS is how many a message of it has, 0 for spikes. OUT.npz is a recording for
`bim-compile NET --expect OUT.npz`: x, and spk__LAYER (samples, steps, neurons) by the names that bim-neuro gives the
layers: dense0, conv1, ... Neurons of a map count by channel, row, column.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np


def run(net: Path, x: Any, message_bits: int = 0) -> dict[str, Any]:
    """Return {'dense0': (samples, steps, neurons), ...}: what every layer sends from the step on that x reaches it."""
    spikes = [_sample(net, sample, message_bits) for sample in x]
    return {name: np.stack([sample[name] for sample in spikes]) for name in spikes[0]}


def recording(x: Any, sent: dict[str, Any]) -> dict[str, Any]:
    """Return the arrays of an .npz that --expect holds against a program's integers."""
    meta = json.dumps({"kind": "integers", "layout": "BTC"})
    return {"x": x, "meta": np.array(meta), **{f"spk__{name}": spikes for name, spikes in sent.items()}}


def _sample(path: Path, x: Any, message_bits: int) -> dict[str, Any]:
    from lava.lib.dl.netx.hdf5 import Network
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    with h5py.File(path) as file:
        kinds = [_text(file[f"layer/{index}/type"][()]) for index in range(len(file["layer"]))]
    names = [f"{kind}{index}" for index, kind in enumerate(kinds) if kind not in ("input", "flatten")]
    net = Network(net_config=str(path), input_message_bits=message_bits)
    total = len(x) + len(names)
    lines = np.zeros((*net.inp.shape, total), np.int32)
    columns = net.inp.shape[::-1]
    lines[..., : len(x)] = x.reshape(len(x), *columns).transpose(range(len(columns), -1, -1))
    source = Source(data=lines)
    source.s_out.connect(net.inp)
    sinks = []
    for layer in net.layers:
        sinks.append(Sink(shape=layer.out.shape, buffer=total))
        layer.out.connect(sinks[-1].a_in)
    try:
        source.run(condition=RunSteps(total), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
        kept = [sink.data.get() for sink in sinks]
    finally:
        source.stop()
    return {
        name: data.transpose(range(data.ndim - 1, -1, -1)).reshape(total, -1)[depth : depth + len(x)].astype(np.int8)
        for depth, (name, data) in enumerate(zip(names, kept), 1)  # noqa: B905  Python 3.10 and older know no strict
    }


def _text(value: Any) -> str:
    value = value[0] if getattr(value, "shape", ()) else value
    return value.decode()


if __name__ == "__main__":
    net, given, out = map(Path, sys.argv[1:4])
    with np.load(given) as file:
        x = file["x"]
    np.savez_compressed(out, **recording(x, run(net, x, int(sys.argv[4]) if len(sys.argv) > 4 else 0)))

"""The hostile corpus of convolutions, pools and sparse synapses: fields that are no map, and maps too large to hold."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from hostile_files import Build, Hostile, artefact_of

from bim_neuro.compilers.align import align
from bim_neuro.graph import Edge, IntegerGraph
from bim_neuro.nodes import Conv, Encoder, IntegerReadout, Source

GRID = (2, 8, 8)
SOUND: dict[str, dict[str, Any]] = {
    "Conv2d": {
        "input_shape": np.array(GRID[1:]),
        "weight": np.ones((4, 2, 3, 3)),
        **dict.fromkeys(("stride", "dilation"), np.ones(2, int)),
        "padding": np.zeros(2, int),
        "groups": 1,
        "bias": np.zeros(4),
    },
    "Conv1d": {
        "input_shape": 100_000,
        "weight": np.ones((1, 1, 3)),
        **dict.fromkeys(("stride", "dilation", "groups"), 1),
        "padding": 0,
        "bias": np.zeros(1),
    },
    "SumPool2d": {**dict.fromkeys(("kernel_size", "stride"), np.full(2, 2)), "padding": np.zeros(2, int)},
}
_CHANNELS_APART = np.eye(2)[..., None, None] * np.ones((3, 3))
LIF = {"type": "LIF", "tau": np.full(1, 0.02), "r": np.ones(1), "v_leak": np.zeros(1), "v_threshold": np.ones(1)}


def layer(kind: str, shape: tuple[int, ...] = GRID, *, times: int = 1, **fields: Any) -> Build:
    """An input, the same layer so many times, and neurons: nothing but the layer is wrong."""

    def build(path: Path) -> None:
        layers = {f"map{at or ''}": {"type": kind, **SOUND[kind], **fields} for at in range(times)}
        nodes = {
            "input": {"type": "Input", "shape": np.array(shape)},
            **layers,
            "lif": LIF,
            "output": {"type": "Output"},
        }
        with h5py.File(path, "w") as file:
            file["node/type"] = "NIRGraph"
            for name, content in nodes.items():
                for key, value in content.items():
                    file[f"node/nodes/{name}/{key}"] = value
            file["node/edges"] = np.array(list(pairwise(nodes)), dtype="S")

    return build


def finding(name: str, build: Build, *words: str) -> Hostile:
    """A file that can be read: the answer is a finding that names the node."""
    return Hostile(f"{name}.nir", "model", build, ("'map'", *words), (1,))


NIR = (
    finding("conv-stride-0", layer("Conv2d", stride=0), "has stride 0, it needs a whole number from 1"),
    finding("conv-stride-1-0", layer("Conv2d", stride=np.array([1, 0])), "has stride 0,"),
    finding("conv-stride-half", layer("Conv2d", stride=1.5), "has stride 1.5,"),
    finding("conv-stride-minus", layer("Conv2d", stride=-1), "has stride -1,"),
    finding("conv-stride-2e31", layer("Conv2d", stride=2**31), "has stride 2.14748e+09,"),
    finding("conv-strides-3", layer("Conv2d", stride=np.ones(3)), "has 3 values of stride, 1 or 2 may be"),
    Hostile(
        "conv-stride-complex.nir", "model", layer("Conv2d", stride=2 + 0j), ("'map.stride' is an array of complex",)
    ),
    Hostile("conv-stride-text.nir", "model", layer("Conv2d", stride="two"), ("'map.stride' is the text 'two'",)),
    finding("conv-groups", layer("Conv2d", groups=3), "4 output channels in 3 groups"),
    finding("conv-kernel", layer("Conv2d", weight=np.ones((4, 2, 9, 9))), "larger than its padded input of 8 x 8"),
    finding("conv-dilation", layer("Conv2d", dilation=2**31 - 1), "larger than its padded input of 8 x 8"),
    finding("conv-padding-minus", layer("Conv2d", padding=-1), "has padding -1, it needs a whole number from 0"),
    finding("conv-padding-2e31", layer("Conv2d", padding=2**31 - 1), "neurons, 2,147,483,647 are allowed"),
    Hostile(
        "conv-padding-1e4.nir", "model", layer("Conv2d", padding=10**4), ("'map' (Conv2d) takes", "run.max_memory")
    ),
    finding("conv-padding-word", layer("Conv2d", padding="reflect" * 1000), "padding 'reflectreflectreflec'"),
    finding("conv-same-stride", layer("Conv2d", padding="same", stride=2), "padding 'same' and a stride"),
    finding("conv-mixed", layer("Conv2d", bias=np.zeros(3)), "3 biases for 4 output channels"),
    finding("conv-axes", layer("Conv2d", weight=np.ones((4, 2, 3, 3, 1))), "weights of 5 axes, it needs 4"),
    finding("conv-shape-minus", layer("Conv2d", (128,), input_shape=np.array([-8, -8])), "receives 128, it needs"),
    finding("conv-1e9-places", layer("Conv2d", (2, 10**5, 10**5)), "neurons, 2,147,483,647 are allowed"),
    finding(
        "conv-1e10-pairs",
        layer("Conv1d", (1, 10**5), weight=np.ones((1, 1, 10**5)), padding="same"),
        "7,500,000,000 pairs",
    ),
    Hostile(
        "conv-1e6-channels.nir",
        "model",
        layer("Conv2d", weight=np.ones((10**6, 2, 1, 1)), bias=np.zeros(1)),
        ("'map' (Conv2d) takes", "run.max_memory"),
    ),
    Hostile(
        "conv-60-times.nir",
        "model",
        layer("Conv2d", (2, 128, 128), times=60, weight=_CHANNELS_APART, bias=np.zeros(2)),
        codes=(0,),
    ),
    finding("pool-0", layer("SumPool2d", kernel_size=np.array([2, 0])), "has kernel_size 0,"),
    finding(
        "pool-1e9",
        layer("SumPool2d", **dict.fromkeys(("kernel_size", "stride", "padding"), np.full(2, 10**9))),
        "1,000,000,000,000,000,000 taps, 1,048,576 are allowed",
    ),
    Hostile("pool-without-stride.nir", "model", layer("SumPool2d", stride=h5py.Empty("f8")), ("lacks stride",)),
    Hostile(
        "input-of-minus.nir", "model", layer("Conv2d", (-2, -8, 8)), ("the input 'input' has shape [-2, -8, 8]",), (1,)
    ),
)


def sums(sparse: bool) -> IntegerGraph:
    """A conv, or the same map weight by weight, into a readout."""
    conv = Conv(np.ones((3, 2, 3, 3), np.int8), GRID, padding=(1, 1, 1, 1))
    each = conv.unrolled()
    synapse = replace(each, weight=each.weight.astype(np.int8)) if sparse else conv
    readout = IntegerReadout(0, np.ones(conv.post, int), 0, np.zeros(conv.post, int))
    encoder = Encoder("spikes", np.ones(conv.pre), np.zeros(conv.pre))
    nodes = {"input": Source(conv.pre, graded=False), "sums": readout}
    return align(IntegerGraph(nodes, (Edge("input", "sums", "a", synapse),), 1e-3, encoder))


def map_with(name: str, *words: str, sparse: bool = False, **fields: Any) -> Hostile:
    """A program whose one synapse has other fields."""

    def change(header: dict[str, Any], arrays: dict[str, Any]) -> None:
        synapse = header["graph"]["edges"][0]["synapse"]
        for key, value in fields.items():
            if isinstance(value, np.ndarray):
                arrays[f"graph:{synapse[key]['array']}"] = value
            else:
                synapse[key] = value

    x = np.zeros((1, 3, int(np.prod(GRID))), np.int64)
    return Hostile(f"{name}.bimn", "artefact", artefact_of(lambda: (sums(sparse), x), change), words)


_WIDE = {"grid": [1, 1, 8], "padding": [0, 0, 10**7, 10**7], "weight": np.zeros((1, 1, 1, 2 * 10**7), np.int8)}
BIMN = (
    map_with("conv-stride-0", "no place of a", stride=[0, 1]),
    map_with("conv-stride-half", "not 2 whole numbers", stride=[0.5, 1]),
    map_with("conv-groups", "5 groups do not divide", groups=5),
    map_with("conv-groups-text", "groups is 'x'", groups="x"),
    map_with("conv-grid", "groups do not divide", grid=[2**31 - 1, 8, 8]),
    map_with("conv-padding", "is a map of (128,", padding=[2**31 - 1] * 4),
    map_with("conv-padding-minus", "no place of a", padding=[-9, -9, 0, 0]),
    map_with("conv-axes", "weight has the shape", weight=np.ones((3, 18), np.int8)),
    map_with("conv-taps", "a kernel of 20,000,000 taps, 1,048,576 are allowed", **_WIDE),
    map_with("conv-other-grid", "is a map of (98, 147) neurons", grid=[2, 7, 7]),
    map_with("sparse-column", "columns do not rise", sparse=True, column=np.full(2904, 5, np.int32)),
    map_with("sparse-start", "start does not rise", sparse=True, start=np.array([0, 9, 3])),
    map_with("sparse-pre", "is a map of", sparse=True, pre=10**12),
    map_with("sparse-few", "weights at", sparse=True, weight=np.ones(3, np.int8)),
    map_with("sparse-pre-text", "pre is 'x'", sparse=True, pre="x"),
)
MAPS = (*NIR, *BIMN)
OFTEN = (
    *(
        "conv-stride-half.nir",
        "conv-stride-complex.nir",
        "conv-padding-1e4.nir",
        "pool-1e9.nir",
        "conv-1e6-channels.nir",
    ),
    *("conv-padding.bimn", "conv-taps.bimn", "sparse-column.bimn"),
)
"""Those of the quick suite: one of each kind of refusal."""

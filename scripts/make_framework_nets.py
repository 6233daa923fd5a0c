"""Record networks of four frameworks: each framework's own graph.nir, its input, and the spikes it computes itself.

    python scripts/make_framework_nets.py [NAME ...]      needs norse, snntorch, sinabs, spikingjelly and scikit-learn

Writes tests/frameworks_data/NAME/{graph.nir,io.npz}. In io.npz: x (steps, samples, ...), out, spk__NODE of hidden
layers, labels y of the digits nets, and as JSON what a reader has to know (`meta`): the dialect, dt, the framework.
Nets on digits are trained for a few seconds on scikit-learn's 8 x 8 images, shown as random spikes; labels and
accuracies are of the last 200 images, which training has not seen.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import nir
import norse.torch as nt
import numpy as np
import sinabs.activation as sa
import sinabs.layers as sl
import sinabs.nir
import snntorch as snn
import torch
from sklearn.datasets import load_digits
from snntorch.export_nir import export_to_nir
from spikingjelly.activation_based import functional, layer, neuron
from spikingjelly.activation_based.nir_exchange import export_to_nir as export_of_spikingjelly
from torch import nn

FOLDER = Path(__file__).resolve().parent.parent / "tests" / "frameworks_data"
TEST, STEPS, EPOCHS, BATCH = 200, 8, 6, 64
SNN_DT, NORSE_DT, SJ_DT, SINABS_DT = 1e-4, 1e-3, 1e-4, 1.0
_SNN = (snn.Leaky, snn.Synaptic, snn.RLeaky, snn.RSynaptic)
SHOWN = 60
"""Samples of which hidden layers are kept."""
Net = nn.Sequential
Run = Callable[[Net, torch.Tensor], dict[str, torch.Tensor]]


# ------------------------------------------------------------------------------------------------ running


def _run_norse(net: Net, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Step through time; what each layer with a state sends, by its name."""
    states: dict[str, Any] = {}
    seen: dict[str, list[torch.Tensor]] = {}
    for frame in x:
        value = frame
        for name, part in net.named_children():
            if isinstance(part, nn.Linear | nn.Conv2d | nn.Flatten):
                value = part(value)
            else:
                value, states[name] = part(value, states.get(name))
                seen.setdefault(name, []).append(value)
    return {name: torch.stack(values) for name, values in seen.items()}


def _run_snntorch(net: Net, x: torch.Tensor) -> dict[str, torch.Tensor]:
    for part in net:
        if isinstance(part, _SNN):
            part.reset_mem()
    return _stepwise(net, x, _SNN)


def _run_spikingjelly(net: Net, x: torch.Tensor) -> dict[str, torch.Tensor]:
    functional.reset_net(net)
    return _stepwise(net, x, (neuron.BaseNode,), prefix="_")


def _run_sinabs(net: Net, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Layers of sinabs take (samples * steps, ...)."""
    steps, samples = x.shape[:2]
    value, seen = x.transpose(0, 1).reshape(samples * steps, *x.shape[2:]), {}
    for part in net:
        if isinstance(part, sl.StatefulLayer):
            part.reset_states()
            part.batch_size, part.num_timesteps = samples, -1
    for name, part in net.named_children():
        value = part(value)
        if isinstance(part, sl.StatefulLayer):
            seen[name] = value.reshape(samples, steps, *value.shape[1:]).transpose(0, 1)
    return seen


def _stepwise(net: Net, x: torch.Tensor, kinds: tuple[type, ...], prefix: str = "") -> dict[str, torch.Tensor]:
    seen: dict[str, list[torch.Tensor]] = {}
    for frame in x:
        value = frame
        for name, part in net.named_children():
            value = part(value)
            if isinstance(part, kinds):
                node = f"{name}.lif" if isinstance(part, snn.RLeaky | snn.RSynaptic) else prefix + name
                seen.setdefault(node, []).append(value)
    return {name: torch.stack(values) for name, values in seen.items()}


# ------------------------------------------------------------------------------------------------ input


def _digits(rng: np.random.Generator) -> tuple[torch.Tensor, np.ndarray]:
    """Images as spikes (steps, images, 1, 8, 8), and their labels."""
    found = load_digits()
    shown = rng.random((STEPS, *found.images.shape)) < found.images / 16
    return torch.tensor(shown[:, :, None].astype(np.float32)), found.target


def _noise(rng: np.random.Generator, lines: tuple[int, ...], steps: int = 80, samples: int = 3) -> torch.Tensor:
    return torch.tensor((rng.random((steps, samples, *lines)) < 0.25).astype(np.float32))


def _train(net: Net, run: Run, x: torch.Tensor, y: np.ndarray, rate: float = 5e-3) -> None:
    """Sums of the last layer's messages are the logits."""
    labels, count = torch.tensor(y), len(y) - TEST
    optimiser = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=rate)
    for _ in range(EPOCHS):
        for part in torch.randperm(count).split(BATCH):
            optimiser.zero_grad()
            last = list(run(net, x[:, part]).values())[-1]
            nn.functional.cross_entropy(last.sum(0).reshape(len(part), -1), labels[part]).backward()
            optimiser.step()


# ------------------------------------------------------------------------------------------------ saving


def _save(
    name: str, graph: nir.NIRGraph, seen: Mapping[str, torch.Tensor], x: torch.Tensor, y: np.ndarray | None,
    **meta: Any,
) -> None:  # fmt: skip
    folder = FOLDER / name
    folder.mkdir(parents=True, exist_ok=True)
    nir.write(folder / "graph.nir", graph, compression=None)
    *hidden, last = seen
    arrays = {f"spk__{key}": _small(seen[key][:, :SHOWN]) for key in hidden} | {
        "out": _small(seen[last]),
        "x": _small(x),
    }
    if y is not None:
        arrays["y"] = y.astype(np.uint8)
        right = seen[last].sum(0).reshape(len(y), -1).argmax(1).numpy() == y
        meta["accuracy"] = float(right.mean())
    np.savez_compressed(folder / "io.npz", meta=json.dumps(meta), **arrays)
    fired = {key: float((value != 0).float().mean()) for key, value in seen.items()}
    print(f"{name}: {fired} {meta.get('accuracy', '')}")


def _small(values: torch.Tensor) -> np.ndarray:
    """Whole numbers as bytes."""
    array = values.detach().numpy()
    return array.astype(np.uint8) if (array == array.astype(np.uint8)).all() else array


def _record(
    name: str, net: Net, run: Run, graph: Callable[[], nir.NIRGraph], x: torch.Tensor, y: np.ndarray | None = None,
    **meta: Any,
) -> None:  # fmt: skip
    if y is not None:
        _train(net, run, x, y)
        x, y = x[:, -TEST:], y[-TEST:]
    with torch.no_grad():
        seen = {key: value.clone() for key, value in run(net, x).items()}
        _save(name, graph(), seen, x, y, **meta)


def _scaled(net: Net, factor: float) -> Net:
    """Multiply the weights, so that random networks fire."""
    for part in net:
        if isinstance(part, nn.Linear | nn.Conv2d):
            part.weight.data *= factor
    return net


# ------------------------------------------------------------------------------------------------ norse


def _norse_graph(net: Net, x: torch.Tensor) -> nir.NIRGraph:
    """dt = 1 makes norse write seconds."""
    graph = nt.to_nir(net, x[0, 0], dt=1.0)
    graph.infer_types()
    return graph


def _norse_lif(*shape: int, tau: tuple[float, float] = (0.005, 0.02)) -> nt.LIFBoxCell:
    parameters = nt.LIFBoxParameters(
        tau_mem_inv=1 / torch.empty(shape).uniform_(*tau), v_th=torch.empty(shape).uniform_(0.3, 0.6),
        v_leak=torch.empty(shape).uniform_(-0.1, 0.1),
    )  # fmt: skip
    return nt.LIFBoxCell(parameters, dt=NORSE_DT)


def _norse_li(*shape: int) -> nt.LIBoxCell:
    leak = torch.zeros(shape)
    return nt.LIBoxCell(nt.LIBoxParameters(tau_mem_inv=torch.full(shape, 100.0), v_leak=leak), dt=NORSE_DT)


def _norse_cuba(n: int) -> nt.LIFCell:
    parameters = nt.LIFParameters(
        tau_syn_inv=1 / torch.empty(n).uniform_(0.003, 0.008), tau_mem_inv=1 / torch.empty(n).uniform_(0.006, 0.015),
        v_th=torch.empty(n).uniform_(0.4, 0.7), v_leak=torch.zeros(n), v_reset=torch.zeros(n),
    )  # fmt: skip
    return nt.LIFCell(parameters, dt=NORSE_DT)


def _make_norse_per_neuron(rng: np.random.Generator) -> None:
    net = _scaled(nt.SequentialState(nn.Linear(10, 20), _norse_lif(20), nn.Linear(20, 6), _norse_lif(6)), 8)
    x = _noise(rng, (10,))
    _record(
        "norse_per_neuron", net, _run_norse, lambda: _norse_graph(net, x), x, dialect={"name": "norse"}, dt=NORSE_DT
    )


def _make_norse_cuba(rng: np.random.Generator) -> None:
    net = _scaled(nt.SequentialState(nn.Linear(10, 20), _norse_cuba(20), nn.Linear(20, 5), _norse_li(5)), 1.5)
    x = _noise(rng, (10,))
    _record("norse_cuba_li", net, _run_norse, lambda: _norse_graph(net, x), x, dialect={"name": "norse"}, dt=NORSE_DT)


def _make_norse_cubali(rng: np.random.Generator) -> None:
    """norse 1.1.0 does not export its LICell: the node is written here, as a CubaLI with its numbers."""
    ones, hidden = torch.ones(4), _norse_lif(16)
    taus = {"tau_syn_inv": 200 * ones, "tau_mem_inv": 100 * ones, "v_leak": 0 * ones}
    net = _scaled(nt.SequentialState(nn.Linear(8, 16), hidden, nn.Linear(16, 4), nt.LICell(nt.LIParameters(**taus))), 8)
    x = _noise(rng, (8,))

    def graph() -> nir.NIRGraph:
        inner = _norse_graph(nt.SequentialState(*list(net.children())[:3]), x)
        n = np.ones(4, np.float32)
        readout = nir.CubaLI(tau_syn=n / 200, tau_mem=n / 100, r=n, v_leak=0 * n, w_in=n)
        nodes = {**inner.nodes, "3": readout}
        ends = [name for name, node in nodes.items() if isinstance(node, nir.Output)]
        edges = [(a, "3" if b in ends else b) for a, b in inner.edges] + [("3", end) for end in ends]
        return nir.NIRGraph(nodes, edges, type_check=False)

    _record("norse_cubali", net, _run_norse, graph, x, dialect={"name": "norse"}, dt=NORSE_DT)


def _make_norse_recurrent(rng: np.random.Generator) -> None:
    """A LIF that reads itself by a Linear with a bias, which norse's own recurrent modules begin at the second step."""
    cell, back = _norse_lif(16), nn.Linear(16, 16)
    back.weight.data *= 4
    back.bias.data += 0.5
    first, last, readout = nn.Linear(8, 16), nn.Linear(16, 4), _norse_lif(4)
    for part in (first, last):
        part.weight.data *= 8

    def run(net: Net, x: torch.Tensor) -> dict[str, torch.Tensor]:
        state, other, sent, seen = None, None, None, {"lif": [], "out_lif": []}
        for frame in x:
            sent, state = cell(first(frame) + (0 if sent is None else back(sent)), state)
            spikes, other = readout(last(sent), other)
            seen["lif"].append(sent)
            seen["out_lif"].append(spikes)
        return {name: torch.stack(values) for name, values in seen.items()}

    def affine(part: nn.Linear) -> nir.Affine:
        return nir.Affine(part.weight.detach().numpy(), part.bias.detach().numpy())

    def lif(part: nt.LIFBoxCell) -> nir.LIF:
        tau, leak, threshold = (a.numpy() for a in (1 / part.p.tau_mem_inv, part.p.v_leak, part.p.v_th))
        return nir.LIF(tau=tau, r=np.ones_like(tau), v_leak=leak, v_threshold=threshold)

    ends = {"input": nir.Input(np.array([8])), "output": nir.Output(np.array([4]))}
    parts = {"w": affine(first), "lif": lif(cell), "back": affine(back), "v": affine(last), "out_lif": lif(readout)}
    edges = [("input", "w"), ("w", "lif"), ("lif", "back"), ("back", "lif"), ("lif", "v"), ("v", "out_lif"),
             ("out_lif", "output")]  # fmt: skip
    net, x = nn.Sequential(first), _noise(rng, (8,), 50)
    graph = nir.NIRGraph({**ends, **parts}, edges, type_check=False)
    _record("norse_recurrent", net, run, lambda: graph, x, dialect={"name": "norse"}, dt=NORSE_DT)


def _make_norse_conv(rng: np.random.Generator) -> None:
    def lif(*shape: int) -> nt.LIFBoxCell:
        ones = torch.ones(shape)
        threshold = nt.LIFBoxParameters(tau_mem_inv=250 * ones, v_th=0.5 * ones, v_leak=0 * ones, alpha=10.0)
        return nt.LIFBoxCell(threshold, dt=NORSE_DT)

    net = nt.SequentialState(
        nn.Conv2d(1, 8, 3, stride=2, padding=1), lif(8, 4, 4), nn.Conv2d(8, 10, 4), _norse_li(10, 1, 1)
    )
    x, y = _digits(rng)
    meta = {"dialect": {"name": "norse"}, "dt": NORSE_DT}
    _record("norse_conv_digits", _scaled(net, 4), _run_norse, lambda: _norse_graph(net, x), x, y, **meta)


def _make_norse_imported(rng: np.random.Generator) -> None:
    """Graphs that norse itself imports: loops by two ways, by a chain of weights, and with an input at the weights."""
    n, wires = (
        12,
        "input 0, 0 a, a a1, a1 a, a a2, a2 a, a 1, 1 b, b b1, b1 b2, b2 b, b 2, 2 c, c c1, c1 c, 2 c1, c output",
    )

    def affine(rows: int, columns: int, scale: float) -> nir.Affine:
        return nir.Affine(*(f4(rng.normal(size=size) * scale) for size in ((rows, columns), rows)))

    def f4(values: np.ndarray) -> np.ndarray:
        return values.astype(np.float32)

    def numbers(low: float, high: float) -> np.ndarray:
        return f4(rng.uniform(low, high, n))

    one = np.ones(n, np.float32)
    nodes = {name: affine(n, n, 0.3) for name in ("a1", "a2", "b1", "b2", "c1")} | {
        name: affine(n, n, 1) for name in "12"
    }
    for name in "ac":
        nodes[name] = nir.LIF(numbers(0.004, 0.02), one, numbers(-0.1, 0.1), numbers(0.2, 0.5))
    nodes["b"] = nir.CubaLIF(numbers(0.003, 0.01), numbers(0.004, 0.02), one, 0 * one, numbers(0.2, 0.5))
    nodes |= {"0": affine(n, 8, 1), "input": nir.Input(np.array([8])), "output": nir.Output(np.array([n]))}
    graph = nir.NIRGraph(nodes, [tuple(wire.split()) for wire in wires.split(", ")], type_check=False)
    net, state, seen, x = nt.from_nir(graph, dt=NORSE_DT), None, {name: [] for name in "abc"}, _noise(rng, (8,), 50)
    with torch.no_grad():
        for frame in x:
            _, state = net(frame, state)
            for name, sent in seen.items():
                sent.append(state.cache[name])
    spikes = {name: torch.stack(sent) for name, sent in seen.items()}
    switches = {"name": "norse", "rec_input": "late", "synapse": "scaled"}
    _save("norse_imported", graph, spikes, x, None, dialect=switches, dt=NORSE_DT)


# ------------------------------------------------------------------------------------------------ snnTorch


def _snn_graph(net: Net, x: torch.Tensor) -> nir.NIRGraph:
    return export_to_nir(net, x[0, :1], ignore_dims=[0])


def _between(n: int, low: float, high: float) -> torch.Tensor:
    return torch.empty(n).uniform_(low, high)


def _snn_mlp(make: Callable[[int], nn.Module], factor: float) -> Net:
    return _scaled(nn.Sequential(nn.Linear(10, 20), make(20), nn.Linear(20, 6), make(6)), factor)


def _make_snntorch_synaptic(rng: np.random.Generator) -> None:
    for reset, switches in (("subtract", {}), ("zero", {"reset": "zero"})):

        def synaptic(n: int, reset: str = reset) -> snn.Synaptic:
            alpha, beta, threshold = _between(n, 0.3, 0.8), _between(n, 0.5, 0.9), _between(n, 0.8, 1.5)
            return snn.Synaptic(alpha, beta, threshold, init_hidden=True, reset_mechanism=reset)

        net, x = _snn_mlp(synaptic, 1.2), _noise(rng, (10,))
        meta = {"dialect": {"name": "snntorch", **switches}, "dt": SNN_DT}
        _record(f"snntorch_synaptic_{reset}", net, _run_snntorch, lambda net=net, x=x: _snn_graph(net, x), x, **meta)


def _make_snntorch_delayed_zero(rng: np.random.Generator) -> None:
    def leaky(n: int) -> snn.Leaky:
        return snn.Leaky(
            _between(n, 0.6, 0.95), threshold=_between(n, 0.8, 1.3), init_hidden=True, reset_mechanism="zero"
        )

    net, x = _snn_mlp(leaky, 2.5), _noise(rng, (10,))
    meta = {"dialect": {"name": "snntorch", "reset": "zero"}, "dt": SNN_DT}
    _record("snntorch_delayed_zero", net, _run_snntorch, lambda: _snn_graph(net, x), x, **meta)


def _make_snntorch_no_leak(rng: np.random.Generator) -> None:
    """beta = 1 and 0: an infinite and the shortest time constant."""

    def leaky(n: int) -> snn.Leaky:
        return snn.Leaky(torch.tensor([0.0, 1.0] * (n // 2)), threshold=torch.ones(n), init_hidden=True)

    net, x = _snn_mlp(leaky, 2.0), _noise(rng, (10,))
    meta = {"dialect": {"name": "snntorch"}, "dt": SNN_DT}
    _record("snntorch_no_leak", net, _run_snntorch, lambda: _snn_graph(net, x), x, **meta)


def _make_snntorch_recurrent(rng: np.random.Generator) -> None:
    """Recurrent layers with a bias, all to all and one to one; the delayed subtraction is snnTorch's default."""
    n, decays = 16, {"alpha": torch.full((16,), 0.4), "beta": torch.full((16,), 0.8)}
    own = {"threshold": _between(n, 0.8, 1.3), "init_hidden": True}
    layers = {
        "rleaky": snn.RLeaky(_between(n, 0.6, 0.9), linear_features=n, **own),
        "one_to_one": snn.RLeaky(_between(n, 0.6, 0.9), V=_between(n, -1, 1), all_to_all=False, **own),
        "rsynaptic": snn.RSynaptic(**decays, linear_features=n, **own),
        "rleaky_zero": snn.RLeaky(_between(n, 0.6, 0.9), linear_features=n, reset_mechanism="zero", **own),
    }
    for name, hidden in layers.items():
        zero = {"reset": "zero"} if name.endswith("_zero") else {}
        last = snn.Leaky(
            torch.full((5,), 0.8), threshold=torch.ones(5), init_hidden=True,
            reset_mechanism=zero.get("reset", "subtract"),
        )  # fmt: skip
        net, x = _scaled(nn.Sequential(nn.Linear(8, n), hidden, nn.Linear(n, 5), last), 2), _noise(rng, (8,), 50)
        meta = {"dialect": {"name": "snntorch", **zero}, "dt": SNN_DT}
        _record(f"snntorch_{name}", net, _run_snntorch, lambda net=net, x=x: _snn_graph(net, x), x, **meta)


def _make_snntorch_recurrent_conv(rng: np.random.Generator) -> None:
    """A map that reads itself by a convolution; snnTorch's export counts its channels as neurons: drawn here."""
    grid, kind = (3, 5, 5), {"init_hidden": True}
    hidden = snn.RLeaky(0.8, conv2d_channels=3, kernel_size=3, threshold=_between(75, 0.8, 1.3).reshape(grid), **kind)
    first, fc, last = (
        nn.Conv2d(2, 3, 3),
        nn.Linear(75, 4),
        snn.Leaky(torch.full((4,), 0.8), threshold=torch.ones(4), **kind),
    )
    net, x = _scaled(nn.Sequential(first, hidden, nn.Flatten(), fc, last), 2), _noise(rng, (2, 7, 7), 30)
    hidden.recurrent.weight.data *= 2
    fc.weight.data *= 2

    def graph() -> nir.NIRGraph:
        ones, threshold = np.ones(grid, np.float32), hidden.threshold.detach().numpy()
        tau = ones * np.float32(SNN_DT / (1 - 0.8))
        lif = nir.LIF(tau=tau, r=tau / np.float32(SNN_DT), v_leak=0 * ones, v_threshold=threshold, v_reset=0 * ones)
        tail = _snn_graph(nn.Sequential(fc, last), torch.zeros(1, 1, 75))
        nodes = {"0": _conv2d(first, (7, 7)), "1.lif": lif, "1.w_rec": _conv2d(hidden.recurrent, (5, 5)),
                 "2": nir.Flatten({"input": np.array(grid)}, start_dim=0), "3": tail.nodes["0"], "4": tail.nodes["1"],
                 "input": nir.Input(np.array([2, 7, 7])), "output": nir.Output(np.array([4]))}  # fmt: skip
        wires = "input 0, 0 1.lif, 1.lif 1.w_rec, 1.w_rec 1.lif, 1.lif 2, 2 3, 3 4, 4 output"
        return nir.NIRGraph(nodes, [tuple(wire.split()) for wire in wires.split(", ")])

    _record("snntorch_rleaky_conv", net, _run_snntorch, graph, x, dialect={"name": "snntorch"}, dt=SNN_DT)


def _conv2d(conv: nn.Conv2d, grid: tuple[int, int]) -> nir.Conv2d:
    """Without groups."""
    weight, bias = (part.detach().numpy() for part in (conv.weight, conv.bias))
    return nir.Conv2d(grid, weight, conv.stride, conv.padding, conv.dilation, conv.groups, bias)


def _make_snntorch_conv(rng: np.random.Generator) -> None:
    def leaky(*shape: int) -> snn.Leaky:
        return snn.Leaky(torch.full(shape, 0.8), threshold=torch.ones(shape), init_hidden=True)

    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), leaky(8, 8, 8), nn.AvgPool2d(2), nn.Flatten(), nn.Linear(128, 10), leaky(10)
    )
    x, y = _digits(rng)
    meta = {"dialect": {"name": "snntorch"}, "dt": SNN_DT}
    _record("snntorch_conv_digits", _scaled(net, 2), _run_snntorch, lambda: _snn_graph(net, x), x, y, **meta)


# ------------------------------------------------------------------------------------------------ sinabs


def _sinabs_graph(net: Net, x: torch.Tensor) -> nir.NIRGraph:
    for part in net:
        if isinstance(part, sl.StatefulLayer):
            part.reset_states()
            part.batch_size = 1
    net(x[0, :1])
    graph = sinabs.nir.to_nir(net, x[0, :1])
    graph.infer_types()
    return graph


def _make_sinabs_conv(rng: np.random.Generator) -> None:
    """Several spikes a step, a voltage that falls no lower than minus the threshold."""

    def iaf() -> sl.IAFSqueeze:
        return sl.IAFSqueeze(batch_size=BATCH, min_v_mem=-1.0)

    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), iaf(), sl.SumPool2d(2), nn.Flatten(), nn.Linear(128, 10, bias=False), iaf()
    )
    x, y = _digits(rng)
    meta = {"dialect": {"name": "sinabs", "floor": "threshold"}, "dt": SINABS_DT}
    _record("sinabs_conv_digits", net, _run_sinabs, lambda: _sinabs_graph(net, x), x, y, **meta)


def _make_sinabs_single(rng: np.random.Generator) -> None:
    """One spike, a reset to 0, and a leaky integrator as the readout."""

    def lif(n: int) -> sl.LIFSqueeze:
        parts = {"spike_fn": sa.SingleSpike, "reset_fn": sa.MembraneReset(), "spike_threshold": _between(n, 0.5, 1)}
        return sl.LIFSqueeze(tau_mem=_between(n, 4, 20), batch_size=3, **parts)

    readout = sl.ExpLeakSqueeze(tau_mem=torch.full((6,), 8.0), batch_size=3)
    net, x = _scaled(nn.Sequential(nn.Linear(10, 20), lif(20), nn.Linear(20, 6), readout), 20), _noise(rng, (10,))
    meta = {"dialect": {"name": "sinabs", "counts": "one", "reset": "zero"}, "dt": SINABS_DT}
    _record("sinabs_single_li", net, _run_sinabs, lambda: _sinabs_graph(net, x), x, **meta)


# ------------------------------------------------------------------------------------------------ SpikingJelly


def _sj_graph(net: Net, x: torch.Tensor) -> nir.NIRGraph:
    functional.reset_net(net)
    return export_of_spikingjelly(net, x[0], dt=SJ_DT)


def _make_spikingjelly(rng: np.random.Generator) -> None:
    nodes = {
        "v_reset": lambda: neuron.LIFNode(tau=4.0, v_threshold=0.5, v_reset=-0.3, decay_input=False),
        "cuba": lambda: neuron.CUBALIFNode(c_decay=0.5, v_decay=0.75, v_threshold=0.5),
        "if": lambda: neuron.IFNode(v_threshold=0.75),
    }
    for name, make in nodes.items():
        net = _scaled(nn.Sequential(layer.Linear(10, 20), make(), layer.Linear(20, 6), make()), 1.5)
        x = _noise(rng, (10,))
        meta = {"dialect": {"name": "spikingjelly"}, "dt": SJ_DT}
        _record(f"spikingjelly_{name}", net, _run_spikingjelly, lambda net=net, x=x: _sj_graph(net, x), x, **meta)


def _make_spikingjelly_conv(rng: np.random.Generator) -> None:
    net = nn.Sequential(
        layer.Conv2d(1, 8, 3, padding=1), neuron.LIFNode(tau=2.0, v_threshold=0.5), layer.AvgPool2d(2), layer.Flatten(),
        layer.Linear(128, 10), neuron.LIFNode(tau=2.0, v_threshold=0.5),
    )  # fmt: skip
    x, y = _digits(rng)
    meta = {"dialect": {"name": "spikingjelly"}, "dt": SJ_DT}
    _record(
        "spikingjelly_conv_digits", _scaled(net, 3), _run_spikingjelly, lambda: _sj_graph(net, x[:, :1]), x, y, **meta
    )


_MAKE = "_make_"


def main(wanted: list[str]) -> None:
    """Record all networks, or those named."""
    for name, make in {name: thing for name, thing in globals().items() if name.startswith(_MAKE)}.items():
        if not wanted or name.removeprefix(_MAKE) in wanted:
            torch.manual_seed(1)
            make(np.random.default_rng(1))


if __name__ == "__main__":
    main(sys.argv[1:])

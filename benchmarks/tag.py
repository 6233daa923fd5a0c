"""Tag fidelity: what the engine's tag holds against the exact trace, and its update against the full gradient.

A random BIM block of one state and one tap on spikes (15 %), a readout that reads the mean squared error of every step:

    scan level     e_t = Abar_t e_{t-1} + delta_t B_t x_t           what the tag shall hold
    scan update    sum_t (W_o^T err_t) psi_t C_t e_t                leaves out membrane (and readout's memory)
    full gradient  autograd through the whole sequence

The engine learns with all weights' updates rounded to words; the update is the words' change, averaged over sequences.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from bim_neuro.compilers.calibrate import calibrate
from bim_neuro.compilers.plasticity.channel import PlasticChannel, plastic_channel
from bim_neuro.compilers.plasticity.rule_compiler import compile_rule
from bim_neuro.hardware import load_profile
from bim_neuro.model.block import BIMBlock
from bim_neuro.model.checkpoint import Checkpoint
from bim_neuro.model.export import export
from bim_neuro.model.network import BIMNetwork, NetworkConfig
from bim_neuro.model.selective_scan import convolved, fire
from bim_neuro.nodes import Encoder
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learning_engine.circuit import Circuit, run_circuit
from bim_neuro.plasticity.learning_engine.compiled import FastSynapses
from bim_neuro.plasticity.learning_engine.law import TAG_BOUNDS
from bim_neuro.plasticity.learning_engine.rule import SIGN_OFFSET
from bim_neuro.plasticity.request import Plasticity

STEPS, LINES, CHANNELS, CLASSES, SEQUENCES, RATE = 240, 20, 32, 4, 16, 0.15
RATES = (0.02, 0.05)
SIGNAL_BITS = 12  # of the signal that arrives at port e
SIGNAL_QUANTILE = 0.98  # of |signal C psi| at which y3 ends in the channel with the coarsest tag; beyond it saturates


@dataclass(frozen=True)
class Setting:
    """The float network, its input (sequences, steps, lines) and targets (sequences, steps, classes), its channel."""

    network: BIMNetwork
    x: Array
    target: Array
    channel: PlasticChannel
    signal_unit: float


def setting(seed: int = 0, leak: float | None = None, sequences: int = SEQUENCES) -> Setting:
    """Build it; ``leak`` is the soma's beta, by default what an untrained block has."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    config = NetworkConfig(LINES, CLASSES, channels=CHANNELS, states=1, taps=1)
    network = BIMNetwork(config).double()
    with torch.no_grad():
        network.readout_logit.fill_(-20.0)  # no memory, so that only the membrane is left out
        if leak is not None:
            network.blocks[0].decay_logit.fill_(float(np.log(leak / (1 - leak))))  # type: ignore[union-attr, operator]
    x = (rng.random((sequences, STEPS, LINES)) < RATE).astype(np.float64)
    phase = rng.uniform(0, 2 * np.pi, (sequences, 1, CLASSES))
    target = np.sin(np.arange(STEPS)[None, :, None] * 2 * np.pi / 60 + phase)
    encoder = Encoder("spikes", np.ones(LINES), np.zeros(LINES))
    checkpoint = Checkpoint(config, 1e-3, "own", tuple("abcd"), encoder, dict(network.state_dict()), {})
    checkpoint = replace(checkpoint, ranges=calibrate(export(checkpoint), x))
    whole, signal = x.astype(np.int64), signals(network, x, target)
    unit = float(np.abs(signal).max()) / 2**SIGNAL_BITS
    largest = float(np.quantile(np.abs(signal * exact(network, x).seen), SIGNAL_QUANTILE))
    channel = plastic_channel(export(checkpoint), whole[:4], signal_unit=unit, largest_signal=largest, seed=seed)
    block = network.blocks[0]
    assert isinstance(block, BIMBlock)
    with torch.no_grad():  # the gradient is that of the weights the chip begins with
        block.w_u.copy_(torch.from_numpy(channel.words * channel.units.weight) / block.conv[:, :1])
    return Setting(network, whole, target, channel, unit)


def signals(network: BIMNetwork, x: Array, target: Array) -> Array:
    """Return -W_o^T dL/dr_t of every step, (sequences, steps, channels); L is half the squared error."""
    inputs = torch.from_numpy(x.astype(np.float64)).transpose(0, 1)
    with torch.no_grad():
        r = _readings(network, inputs)
        wrong = torch.from_numpy(target).transpose(0, 1) - r
        return np.asarray((wrong @ network.w_o).transpose(0, 1).numpy())


def _readings(network: BIMNetwork, x: torch.Tensor) -> torch.Tensor:
    drive = network.spikes(x)[-1] @ network.w_o.T + network.b_o
    r, readings = torch.zeros_like(drive[0]), []
    for drive_t in drive.unbind(0):
        r = network.readout_decay * r + drive_t
        readings.append(r)
    return torch.stack(readings)


def full_gradient(s: Setting) -> Array:
    """Return -dL/dw_u summed over steps and sequences, (D, M), by autograd: membrane, reset and readout included."""
    s.network.zero_grad()
    r = _readings(s.network, torch.from_numpy(s.x.astype(np.float64)).transpose(0, 1))
    (0.5 * (torch.from_numpy(s.target).transpose(0, 1) - r) ** 2).sum().backward()
    block = s.network.blocks[0]
    assert isinstance(block, BIMBlock)
    assert block.w_u.grad is not None
    return np.asarray(-block.w_u.grad.numpy() / block.conv.detach().numpy()[:, :1])  # by the folded weight


@dataclass(frozen=True)
class Exact:
    """Float: decay and gate delta B, what a trace is read by (psi C), and spikes, each (sequences, steps, D)."""

    decay: Array
    gate: Array
    seen: Array
    spikes: Array

    def traces(self, x: Array, late: int = 0) -> Array:
        """Return the scan-level trace (sequences, steps, D, M); ``late``: decay and gate of so many steps before."""
        trace = np.zeros((len(x), self.gate.shape[2], x.shape[2]))
        traces = np.zeros((*self.gate.shape, x.shape[2]))
        for t in range(x.shape[1]):
            use = max(t - late, 0)
            trace = self.decay[:, use, :, None] * trace + self.gate[:, use, :, None] * x[:, t, None, :]
            traces[:, t] = trace
        return traces


@torch.no_grad()
def exact(network: BIMNetwork, x: Array) -> Exact:
    """Run the float block on x (sequences, steps, M)."""
    block = network.blocks[0]
    assert isinstance(block, BIMBlock)
    inputs = torch.from_numpy(x.astype(np.float64)).transpose(0, 1)
    drive = block.project(inputs)
    delta, b, c = torch.nn.functional.softplus(drive.rate), drive.b, drive.c
    u, _ = convolved(drive.w, block.scan_weights, block.initial(len(x)).taps)
    du = delta * u
    decay = torch.exp(-delta * torch.exp(block.a_log[:, 0]))
    h, v = torch.zeros_like(du[0]), torch.zeros_like(du[0])
    s, psis, spikes = torch.zeros_like(v), [], []
    for t in range(len(x[0])):
        h = decay[t] * h + du[t] * b[t]
        v, s = fire(h * c[t] + block.d_skip * u[t], v, s, block.scan_weights, block.soma_law)
        psis.append(1 / (1 + block.surrogate_slope * (v - block.threshold).abs()) ** 2)
        spikes.append(s)
    rows = (decay, delta * b, torch.stack(psis) * c, torch.stack(spikes))
    return Exact(*(row.transpose(0, 1).numpy() for row in rows))


def circuit(s: Setting, sequence: int, signal: Array, rate: float, epoch: int = 1) -> tuple[Circuit, float]:
    """Return the circuit of one sequence with this signal (steps, D) on port e, and the rate it got."""
    compiled = compile_rule(Plasticity(rule="rtrl", rate=rate, epoch=epoch), load_profile("loihi2"), s.channel.units)
    # The state of step t stands at the chip's step t + 1.
    ahead = np.concatenate([np.zeros((1, CHANNELS)), signal[:-1]])
    streams = s.channel.streams(s.x[sequence]) | {"e": np.rint(ahead / s.signal_unit).astype(np.int64)}
    made = Circuit(s.x[sequence], compiled.rule, s.channel.words, s.channel.neuron, streams, seed=sequence)
    return made, compiled.rates[0].got / compiled.rates[0].wanted * rate


def tag_fidelity(s: Setting, sequence: int = 0, mode: str = "synapse") -> tuple[dict[str, float], tuple[Array, Array]]:
    """Correlate the tag of every step and synapse with the exact trace, until a tag saturates."""
    x = s.x[sequence : sequence + 1]
    wanted = exact(s.network, x).traces(x)[0]
    made, _ = circuit(s, sequence, np.zeros((STEPS, CHANNELS)), RATES[0])
    tags = run_circuit(made, mode, FastSynapses)["tags"]
    held = tags * s.channel.tag_unit[:, None]
    full = np.abs(tags) >= TAG_BOUNDS[1]
    until = np.where(full.any(axis=0), full.argmax(axis=0), STEPS)
    before = np.arange(STEPS)[:, None, None] < until
    channels = [_correlation(wanted[:, d], held[:, d], before[:, d]) for d in range(CHANNELS)]
    error = (held - wanted) / s.channel.tag_unit[:, None]
    return {
        "correlation": _correlation(wanted, held, before), "worst_channel": min(channels),
        "median_channel": float(np.median(channels)), "rms_error_lsb": float(np.sqrt((error[before] ** 2).mean())),
        "mean_error_lsb": float(error[before].mean()), "largest_tag": int(np.abs(tags).max()),
        "saturated_synapses": int(full.any(axis=0).sum()), "synapses": int(full[0].size),
    }, (wanted, held)  # fmt: skip


def _correlation(wanted: Array, held: Array, where: Array) -> float:
    return float(np.corrcoef(wanted[where], held[where])[0, 1])


@dataclass(frozen=True)
class Update:
    """What the engine did, averaged over sequences: the change of the words, and tag times y3 before it was rounded."""

    words: Array
    products: Array
    agreement: float  # spikes both fired, of those that this or the float network fired


def engine_update(s: Setting, wanted: Exact, signal: Array, mode: str, rate: float) -> Update:
    """Run every sequence from the same weights; updates (D, M) in real units over the rate."""
    words, products, agree = np.zeros((CHANNELS, LINES)), np.zeros((CHANNELS, LINES)), []
    for sequence in range(len(s.x)):
        made, got = circuit(s, sequence, signal[sequence], rate)
        ran = run_circuit(made, mode, FastSynapses)
        words += (ran["weights"][-1] - s.channel.words) * s.channel.units.weight / got
        y3 = ran["y3"][1:] - SIGN_OFFSET
        products += np.einsum("td,tdm->dm", y3, ran["tags"][:-1]) * s.channel.units.signal * s.channel.units.tag
        fired, also = ran["spikes"][1:] != 0, wanted.spikes[sequence, :-1] != 0
        agree.append((fired & also).sum() / max(1, (fired | also).sum()))
    return Update(words, products, float(np.mean(agree)))


def scan_update(wanted: Exact, signal: Array, traces: Array) -> Array:
    """Return the float update of the scan level, summed over steps and sequences, (D, M)."""
    return np.asarray(np.einsum("qtd,qtdm->dm", signal * wanted.seen, traces))


def cosine(left: Array, right: Array) -> float:
    """The cosine of two updates."""
    return float((left * right).sum() / np.sqrt((left**2).sum() * (right**2).sum()))


def update_fidelity(s: Setting) -> dict[str, float]:
    """The cosine of each update to the full gradient; and the engine's to the scan level's, and its spikes'."""
    full, signal, float_run = full_gradient(s), signals(s.network, s.x, s.target), exact(s.network, s.x)
    lagged = np.concatenate([np.zeros_like(signal[:, :2]), signal[:, :-2]], axis=1)
    traces, late = float_run.traces(s.x), float_run.traces(s.x, late=1)
    scan = scan_update(float_run, signal, traces)
    y_late, e_late = scan_update(float_run, signal, late), scan_update(float_run, lagged, traces)
    slow = engine_update(s, float_run, signal, "synapse", RATES[0])
    rows = {
        "scan level, float": scan,
        "scan level, y1 and y2 a step late": y_late,
        "scan level, signal two steps late": e_late,
        "engine, tag times y3": slow.products,
    }
    cosines = {name: cosine(update, full) for name, update in rows.items()}
    for mode in ("synapse", "lava"):
        for rate in RATES:
            update = slow if (mode, rate) == ("synapse", RATES[0]) else engine_update(s, float_run, signal, mode, rate)
            cosines[f"engine, words, {mode}, rate {rate}"] = cosine(update.words, full)
    cosines["engine, tag times y3, to scan level"] = cosine(slow.products, scan)
    return cosines | {"spikes equal": slow.agreement}


def measure_tag(seeds: int = 3) -> tuple[dict[str, Any], tuple[Array, Array]]:
    """Return the tag's fidelity in both random modes and the cosines for three leaks of the soma, mean of ``seeds``."""
    first = setting()
    modes = {mode: tag_fidelity(first, mode=mode) for mode in ("synapse", "lava")}
    rows: dict[str, dict[str, float]] = {}
    for leak in (0.01, 0.5, 0.8):
        each = [update_fidelity(setting(seed, leak)) for seed in range(seeds)]
        rows[f"beta {leak}"] = {name: float(np.mean([row[name] for row in each])) for name in each[0]}
    return {"tag": {mode: numbers for mode, (numbers, _) in modes.items()}, "cosine": rows}, modes["synapse"][1]

"""On-chip learning measured: what the learning engine does, and what a block learns by its trace process.

    python -m benchmarks.onchip window -o out/onchip   weight change against t_post - t_pre, 20 seeds, both random modes
    python -m benchmarks.onchip tags -o out/onchip     tag against the exact trace, and the update against the gradient
    python -m benchmarks.onchip speed -o out/onchip    steps a second: Lava's LearningDense, the numpy law, the kernels
    python -m benchmarks.onchip traces -o out/onchip   trace words of 6 to 16 bits, three roundings, against exact ones
    python -m benchmarks.onchip cue -o out/onchip      the delayed cue learnt from random weights
    python -m benchmarks.onchip adapt -o out/onchip    digits.pt learns shifted digits
    python -m benchmarks.onchip reckon -o out/onchip   ReckOn's cues from random weights, $BIM_RECKON_CUE
    python -m benchmarks.onchip drift -o out/onchip    digits that drift, and shifts that a readout cannot undo
    python -m benchmarks.onchip sequence -o out/onchip four tasks one after another: what is kept

Each writes its numbers, and all but `speed` a figure. `--json` prints the numbers too.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from benchmarks.chip_adapt import adapt
from benchmarks.chip_cue import cue
from benchmarks.chip_drift import drift
from benchmarks.chip_reckon import reckon
from benchmarks.chip_sequence import sequence
from benchmarks.chip_traces import traces
from benchmarks.tag import measure_tag
from bim_neuro.compilers.plasticity.rule_compiler import compile_rule
from bim_neuro.compilers.to_lava.compat import lava_available
from bim_neuro.compilers.to_lava.plasticity.run import learn_on_lava
from bim_neuro.hardware import load_profile
from bim_neuro.nodes import IntegerLIF
from bim_neuro.nodes.arithmetic import Array
from bim_neuro.plasticity.learning_engine.circuit import Circuit
from bim_neuro.plasticity.learning_engine.compiled import FastSynapses
from bim_neuro.plasticity.learning_engine.grammar import read
from bim_neuro.plasticity.learning_engine.law import PlasticSynapses
from bim_neuro.plasticity.learning_engine.neurons import PlainLIF
from bim_neuro.plasticity.learning_engine.randoms import randoms
from bim_neuro.plasticity.learning_engine.rule import LearningRule
from bim_neuro.plasticity.request import Plasticity

LAGS = np.arange(-40, 41)
PAIRS = 4  # pairs of a line in one run, far apart
GAP = 150  # steps between pairs: e^-15 of a trace of tau 10 is left


def stdp_window(request: Plasticity, seed: int, mode: str) -> Array:
    """Return the mean change of a weight by one pair at every lag of LAGS, in plastic words; one line a lag.

    All lines end on one postsynaptic neuron. The pairs fall on other steps in every seed, as Lava's rounding of weights
    has one seed for ever.
    """
    rule = compile_rule(request, load_profile("loihi2")).rule
    engine = FastSynapses(rule, np.zeros((1, len(LAGS)), np.int64), randoms(mode, seed))
    start = 50 + int(np.random.default_rng(seed).integers(0, 100))
    for step in range(start + PAIRS * GAP):
        phase = step - start
        pair = np.clip(round(phase / GAP), 0, PAIRS - 1)
        offset = phase - pair * GAP
        engine.step(offset == -LAGS, np.array([offset == 0]))
    return np.asarray(engine.weights[0] / PAIRS)


def fit_window(lags: Array, change: Array) -> dict[str, float]:
    """Fit A exp(-|lag| / tau) to one side by least squares; return both and R^2."""
    taus = np.geomspace(1, 100, 2000)
    shapes = np.exp(-np.abs(lags)[None] / taus[:, None])
    amplitudes = shapes @ change / (shapes**2).sum(axis=1)
    left = ((change - amplitudes[:, None] * shapes) ** 2).sum(axis=1)
    best = int(left.argmin())
    r2 = 1 - left[best] / ((change - change.mean()) ** 2).sum()
    return {"amplitude": float(amplitudes[best]), "tau": float(taus[best]), "r2": float(r2)}


REQUESTS = {
    "symmetric": Plasticity(rule="stdp", stdp_rate=16.0, tau_plus=10.0, tau_minus=10.0),
    "asymmetric": Plasticity(rule="stdp", stdp_rate=16.0, a_plus=2.0, tau_plus=8.0, tau_minus=20.0),
    "small": Plasticity(rule="stdp", stdp_rate=2.0, tau_plus=10.0, tau_minus=10.0),
}


def window(seeds: int = 20) -> tuple[dict[str, Any], Figure]:
    """The mean window of ``seeds`` runs beside the window asked for."""
    numbers: dict[str, Any] = {"lags": LAGS.tolist(), "seeds": seeds}
    figure, axes = plt.subplots(1, len(REQUESTS), figsize=(12, 3.6), layout="constrained")
    for axis, (name, request) in zip(axes, REQUESTS.items(), strict=True):
        numbers[name] = {"wanted": _asked(request)}
        for mode in ("synapse", "lava"):
            runs = np.stack([stdp_window(request, seed, mode) for seed in range(seeds)])
            mean = runs.mean(axis=0)
            causal, other = LAGS > 0, LAGS < 0
            numbers[name][mode] = {
                "plus": fit_window(LAGS[causal], mean[causal]), "minus": fit_window(LAGS[other], mean[other]),
                "at_0": float(mean[LAGS == 0][0]), "sd_of_a_run": float(runs.std(axis=0).mean()), "mean": mean.tolist(),
            }  # fmt: skip
            axis.plot(LAGS, mean, ".", markersize=4, label=f"engine, {mode}")
        axis.plot(LAGS, _ideal(request), "k-", linewidth=0.8, label="asked for")
        axis.set(title=name, xlabel="t_post - t_pre (steps)", ylabel="weight change a pair (words)")
    axes[0].legend(loc="lower right", fontsize=7)
    return numbers, figure


def _asked(request: Plasticity) -> dict[str, dict[str, float]]:
    rate = request.stdp_rate
    return {
        "plus": {"amplitude": rate * request.a_plus, "tau": request.tau_plus},
        "minus": {"amplitude": -rate * request.a_minus, "tau": request.tau_minus},
    }


def _ideal(request: Plasticity) -> Array:
    sides = _asked(request).values()
    plus, minus = (side["amplitude"] * np.exp(-np.abs(LAGS) / side["tau"]) for side in sides)
    return np.where(LAGS > 0, plus, np.where(LAGS < 0, minus, plus + minus))


def tags() -> tuple[dict[str, Any], Figure]:
    """Tag against trace, and update against gradient (benchmarks/tag.py)."""
    numbers, (exact, held) = measure_tag()
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    place = np.unravel_index(np.abs(exact).sum(axis=0).argmax(), exact.shape[1:])
    axes[0].plot(exact[:, place[0], place[1]], "k-", label="exact, float")
    axes[0].plot(held[:, place[0], place[1]], ".", markersize=3, label="tag")
    axes[0].set(xlabel="step", ylabel="scan-level trace of one synapse")
    axes[0].legend()
    axes[1].plot(exact[::5].ravel(), held[::5].ravel(), ",")
    title = f"r = {numbers['tag']['synapse']['correlation']:.4f}"
    axes[1].set(xlabel="exact trace", ylabel="tag, in the trace's unit", title=title)
    return numbers, figure


def speed(size: int = 200, steps: int = 400, rounds: int = 3) -> tuple[dict[str, Any], None]:
    """Steps a second of ``size`` x ``size`` plastic synapses, 5 % spikes; the rivals take turns."""
    rates: dict[str, list[float]] = {}
    for turn in range(rounds):
        for name, rule in _RULES.items():
            rng = np.random.default_rng(turn)
            pre, post = rng.random((2, steps, size)) < 0.05
            y = rng.integers(40, 90, (steps, 3, size))
            words = 2 * rng.integers(-30, 31, (size, size))
            for engine, few in ((FastSynapses, steps), (PlasticSynapses, steps // 8)):
                for mode in ("synapse", "lava"):
                    synapses = engine(rule, words, randoms(mode, 1))
                    synapses.step(pre[0], post[0], y[0])
                    began = time.perf_counter()
                    for t in range(1, few):
                        synapses.step(pre[t], post[t], y[t])
                    label = f"{name} {engine.__name__} {mode}"
                    rates.setdefault(label, []).append((few - 1) / (time.perf_counter() - began))
        if lava_available()[0]:
            rates.setdefault("stdp Lava", []).append(_lava_rate(size, turn))
    return {"size": size, "steps_a_second": {name: max(values) for name, values in rates.items()}}, None


_RULES = {
    "stdp": compile_rule(REQUESTS["symmetric"], load_profile("loihi2")).rule,
    "rtrl": LearningRule(read("4*2^-6*u0*(y3-64)*t"), read("4*2^-4*x0*(y1-64) - 4*2^-4*u0*y2*t"), external=True),
}


def _lava_rate(size: int, seed: int) -> float:
    """Two runs of different length on Lava; their difference leaves out the start, but not the recorders."""
    rng = np.random.default_rng(seed)
    lif = PlainLIF(IntegerLIF(size, 4095, 400, 400, np.zeros(size, np.int64)))
    words = 2 * rng.integers(-30, 31, (size, size))
    seconds = []
    for steps in (50, 450):
        x = (rng.random((steps, size)) < 0.05).astype(np.int64)
        began = time.perf_counter()
        learn_on_lava(Circuit(x, _RULES["stdp"], words, lif, seed=1), record=False)
        seconds.append(time.perf_counter() - began)
    return 400 / (seconds[1] - seconds[0])


MEASUREMENTS: dict[str, Callable[[], tuple[dict[str, Any], Figure | None]]] = {
    "window": window, "tags": tags, "speed": speed, "traces": traces, "cue": cue, "adapt": adapt,
    "reckon": reckon, "drift": drift, "sequence": sequence,
}  # fmt: skip


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description="The learning engine measured.")
    parser.add_argument("what", choices=list(MEASUREMENTS), nargs="?", help="leave out for all")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/onchip"), help="folder for NAME.json, NAME.png")
    parser.add_argument("--json", action="store_true", help="print the numbers")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for name in [options.what] if options.what else MEASUREMENTS:
        numbers, figure = MEASUREMENTS[name]()
        text = json.dumps(numbers, indent=2)
        (options.output / f"{name}.json").write_text(text + "\n")
        if figure:
            figure.savefig(options.output / f"{name}.png", dpi=120)
            plt.close(figure)
        print(text if options.json else f"{name}: {options.output / name}.json")


if __name__ == "__main__":
    main()

"""The rival: the same network in JAX, jitted, as someone who needs it fast writes it in 40 lines.

    python rival_jax.py DATA.npz GRADIENT.npz 1 8.remat       in an environment with jax==0.10.2; speaks `protocol.py`

Of the variants that are named the fastest plays: steps unrolled in `lax.scan`; with ``.remat`` its body is computed
again in the backward instead of kept. The projections are products over all steps, outside the scan. DATA holds
x (T, batch, M), y (batch,) and the weights by the names of our network; GRADIENT gets d loss / d weight by those names.
"""

from __future__ import annotations

import os
import sys
import time
from functools import partial
from typing import Any

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp
from protocol import Peak, serve

Weights = dict[str, jax.Array]
SLOPE = 2.0
ROUNDS = 3


@jax.custom_jvp
def spike(x: jax.Array) -> jax.Array:
    """H(x), with the derivative 1 / (1 + slope |x|)^2."""
    return (x > 0).astype(x.dtype)


@spike.defjvp
def _spike_jvp(primals: Any, tangents: Any) -> Any:
    (x,), (dx,) = primals, tangents
    return spike(x), dx / (1 + SLOPE * jnp.abs(x)) ** 2


def block(x: jax.Array, p: Weights, unroll: int, remat: bool) -> jax.Array:
    """Spikes (T, batch, D) of x (T, batch, M): taps, selective scan, hard-reset LIF."""
    w = x @ p["w_u"].T
    padded, taps = jnp.pad(w, ((p["conv"].shape[1] - 1, 0), (0, 0), (0, 0))), p["conv"].shape[1]
    u = p["b_u"] + sum(p["conv"][:, k] * padded[taps - 1 - k : taps - 1 - k + len(x)] for k in range(taps))
    delta = jax.nn.softplus(x @ p["w_dt"].T + p["b_dt"])
    b, c = x @ p["w_b"].T + p["b_b"], x @ p["w_c"].T + p["b_c"]
    a, beta, th = -jnp.exp(p["a_log"]), jax.nn.sigmoid(p["decay_logit"]), jnp.exp(p["log_threshold"])

    def step(state: Any, now: Any) -> Any:
        (h, v, s), (delta_t, driven_t, b_t, c_t, skip_t) = state, now
        h = jnp.exp(delta_t[..., None] * a) * h + driven_t[..., None] * b_t[:, None, :]
        v = beta * v * (1 - s) + (h * c_t[:, None, :]).sum(-1) + skip_t
        s = spike(v - th)
        return (h, v, s), s

    zero = jnp.zeros(u.shape[1:], x.dtype)
    start = (jnp.zeros((*zero.shape, a.shape[1]), x.dtype), zero, zero)
    body = jax.checkpoint(step) if remat else step
    return lax.scan(body, start, (delta, delta * u, b, c, p["d_skip"] * u), unroll=unroll)[1]


def loss(p: Weights, x: jax.Array, y: jax.Array, *, blocks: int, unroll: int, remat: bool) -> jax.Array:
    """Cross entropy of the mean readout."""
    for index in range(blocks):
        prefix = f"blocks.{index}."
        x = block(x, {n.removeprefix(prefix): v for n, v in p.items() if n.startswith(prefix)}, unroll, remat)
    gamma = jax.nn.sigmoid(p["readout_logit"])
    weight = (1 - gamma ** jnp.arange(len(x), 0, -1)) / (1 - gamma)
    logits = (jnp.einsum("t,tbd->bd", weight, x) @ p["w_o"].T + weight.sum() * p["b_o"]) / len(x)
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1).mean()


def main() -> None:
    """Compile every variant, write the gradient of the fastest, then play it as often as asked."""
    data, gradient, *variants = sys.argv[1:]
    arrays = dict(np.load(data))
    x, y = jnp.asarray(arrays.pop("x")), jnp.asarray(arrays.pop("y"))
    weights = {name: jnp.asarray(value) for name, value in arrays.items()}
    count = sum(name.endswith(".a_log") for name in weights)

    def compiled(variant: str) -> Any:
        unroll, _, remat = variant.partition(".")
        whole = partial(loss, blocks=count, unroll=int(unroll), remat=remat == "remat")
        return jax.jit(jax.value_and_grad(whole)).lower(weights, x, y).compile()

    def seconds(call: Any) -> float:
        start = time.perf_counter()
        jax.block_until_ready(call(weights, x, y))
        return time.perf_counter() - start

    calls = {variant: compiled(variant) for variant in variants}
    peaks = dict.fromkeys(calls, 0)
    times: dict[str, list[float]] = {variant: [] for variant in calls}
    for _ in range(ROUNDS):
        for variant, call in calls.items():
            peak = Peak()
            times[variant].append(seconds(call))
            peaks[variant] = max(peaks[variant], peak.rise())
    best = min(times, key=lambda variant: min(times[variant]))
    value, grads = jax.block_until_ready(calls[best](weights, x, y))
    serve(
        lambda: jax.block_until_ready(calls[best](weights, x, y)),
        peak_bytes=peaks[best],
        loss=float(value),
        variant=f"unroll {best}",
        variants_ms={variant: 1e3 * min(each) for variant, each in times.items()},
        gradient=(gradient, {name: np.asarray(part) for name, part in grads.items()}),
    )


if __name__ == "__main__":
    main()

r"""S4D: a diagonal state-space layer with fixed decays between two linear maps, from a plain PyTorch state dict.

    u[t] = W_in x[t] + b_in                                                         D channels
    h[t] = a h[t-1] + u[t]         a = exp(dt A), A = -exp(log_A_real) + i A_imag    D x N states
    y[t] = relu(Re sum_n 2 C (a - 1) / A h[t] + D u[t])                             zero-order hold, B = 1
    o[t] = W_out y[t] + b_out                                                       answer: the largest sum over time

The layer's keys are those of S4D's own code (Gu et al. 2022, arXiv 2206.11893): ``log_dt`` (D,), ``log_A_real`` and
``A_imag`` (D, N), ``C`` (D, N, 2) or complex, ``D`` (D,), behind any prefix, as ``layer.kernel.``. Without ``A_imag``
states are real, C is (D, N) and its factor is 1. Two linear layers stand around it, ``encoder`` and ``decoder`` or
others whose shapes tell them apart; without the first the channels read the input lines. What an S4D does not have, a
norm or the gated output of the original, is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..choices import ACTIVATIONS
from ..errors import InputError
from ..nodes.arithmetic import Array
from .state_dict import MARK, holding

_KERNEL = ("log_dt", MARK, "C")
_HINT = "its keys are log_dt, log_A_real, A_imag (for complex pairs), C, D, encoder.weight, decoder.weight and biases"
_EXPONENT_MOST = 80.0  # of a rate or a step; e^80 is far beyond any


class S4D(NamedTuple):
    """The weights, ready: ``a`` and ``c`` (D, N), complex or real; the activation of y."""

    w_in: Array
    b_in: Array
    a: Array
    c: Array
    skip: Array
    w_out: Array
    b_out: Array
    activation: str = ACTIVATIONS[0]


def is_s4d(content: Any) -> bool:
    """Whether a dict holds, perhaps under the name of a training loop, what only a diagonal state-space layer has."""
    return holding(content, MARK) is not None


def read_s4d(content: Mapping[Any, Any], activation: str = ACTIVATIONS[0]) -> S4D:
    """Return the weights of a state dict; what is missing, left over or of another shape is refused by name."""
    found = holding(content, MARK)
    if found is None:
        raise InputError(f"the state dict has no '{MARK}'", _HINT)
    state = {str(name): _array(str(name), value) for name, value in found.items()}
    kernels = [name.removesuffix(MARK) for name in state if name.endswith(MARK)]
    if len(kernels) > 1:
        said = ", ".join(f"'{name}'" for name in kernels)
        raise InputError(f"{len(kernels)} state-space layers, {said}: one is read", "compile them one by one")
    kernel, above = kernels[0], _above(kernels[0])
    taken = {name: _take(state, f"{kernel}{name}") for name in _KERNEL}
    skip = _take(state, next((name for name in (f"{kernel}D", f"{above}D") if name in state), f"{above}D"))
    imaginary = state.pop(f"{kernel}A_imag", None)
    a, c = _discrete(kernel, taken, imaginary)
    channels = len(a)
    _expect(f"{above}D", skip, (channels,))
    inner, outer = _linear_layers(state, channels)
    w_in, b_in = inner or (np.eye(channels), np.zeros(channels))
    return S4D(w_in, b_in, a, c, skip, *outer, activation)


def _above(kernel: str) -> str:
    """Return the prefix of the module that holds the kernel: 'layer.' of 'layer.kernel.'."""
    parts = kernel.split(".")
    return ".".join([*parts[:-2], ""]) if len(parts) > 1 else ""


def _array(name: str, value: Any) -> Array:
    """Return a tensor as float64 or complex128, all of it finite."""
    plain = value.detach().cpu().numpy() if hasattr(value, "detach") else value
    if not isinstance(plain, np.ndarray) or plain.dtype.kind not in "fciub":
        raise InputError(f"'{name:.80}' is no tensor of numbers, an S4D holds nothing else", _HINT)
    made = plain.astype(np.complex128 if plain.dtype.kind == "c" else np.float64)
    if bad := int(np.count_nonzero(~np.isfinite(made))):
        raise InputError(f"{bad} of {made.size} values of '{name:.80}' are not finite", "retrain the model")
    return made


def _take(state: dict[str, Array], name: str) -> Array:
    if name not in state:
        raise InputError(f"the state dict has no '{name:.80}', as an S4D does", _HINT)
    return state.pop(name)


def _expect(name: str, value: Array, shape: tuple[int, ...]) -> None:
    if value.shape != shape or np.iscomplexobj(value):
        kind = "complex " if np.iscomplexobj(value) else ""
        raise InputError(f"'{name:.80}' is {kind}{value.shape}, the other weights want {shape}", _HINT)


def _discrete(kernel: str, taken: dict[str, Array], imaginary: Array | None) -> tuple[Array, Array]:
    """Return decays and output weights of the zero-order hold, (D, N), complex or real."""
    log_rate, log_dt = taken[MARK], taken["log_dt"]
    if log_rate.ndim != 2 or not log_rate.size:
        raise InputError(f"'{kernel}{MARK}' is {log_rate.shape}, (channels, states) are needed", _HINT)
    _expect(f"{kernel}log_dt", log_dt, log_rate.shape[:1])
    for name, value in ((MARK, log_rate), ("log_dt", log_dt)):
        if (np.abs(value) > _EXPONENT_MOST).any():
            far = value.flat[np.abs(value).argmax()]
            raise InputError(f"'{kernel}{name}' holds {far:g}, the logarithm of a rate lies within 80", _HINT)
    rate, c = -np.exp(log_rate), taken["C"]
    if imaginary is not None:
        _expect(f"{kernel}A_imag", imaginary, log_rate.shape)
        rate = rate + 1j * imaginary
        if not np.iscomplexobj(c):
            _expect(f"{kernel}C", c, (*log_rate.shape, 2))
            c = c[..., 0] + 1j * c[..., 1]
        c = 2 * c
    if c.shape != rate.shape or (np.iscomplexobj(c) and imaginary is None):
        raise InputError(f"'{kernel}C' is {taken['C'].shape}, the other weights want {log_rate.shape} states", _HINT)
    a = np.exp(np.exp(log_dt)[:, None] * rate)
    return a, c * (a - 1) / rate


def _linear_layers(state: dict[str, Array], channels: int) -> tuple[tuple[Array, Array] | None, tuple[Array, Array]]:
    """Return weight and bias of the layer before the channels, if there is one, and of that behind them."""
    weights = [name for name in state if name.endswith("weight") and state[name].ndim == 2]
    known = {*weights, *(name.removesuffix("weight") + "bias" for name in weights)}
    if others := [name for name in state if name not in known]:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise InputError(f"an S4D between two linear layers has no '{others[0]:.80}'{more}", _HINT)
    after = [name for name in weights if state[name].shape[1] == channels]
    before = [name for name in weights if state[name].shape[0] == channels]
    orders = list(_orders(weights, before, after))
    if len(orders) != 1:
        shapes = ", ".join(f"'{name:.60}' {state[name].shape}" for name in weights) or "none"
        many = "tell not which is first" if orders else f"do not stand around {channels} channels"
        raise InputError(f"the linear layers {many}: {shapes}", "call them encoder and decoder; " + _HINT)
    first, last = orders[0]
    return (_linear(state, first) if first else None), _linear(state, last)


def _orders(weights: list[str], before: list[str], after: list[str]) -> Iterator[tuple[str | None, str]]:
    """Yield which layer may be the first, if any, and which the last; their names decide where shapes do not."""
    if len(weights) == 1:
        yield from ((None, name) for name in after)
        return
    pairs = [(one, other) for one in before for other in after if one != other and len(weights) == 2]
    named = [(one, other) for one, other in pairs if "encoder" in one and "decoder" in other]
    yield from named or pairs


def _linear(state: dict[str, Array], name: str) -> tuple[Array, Array]:
    weight, bias = state[name], state.get(name.removesuffix("weight") + "bias", np.zeros(len(state[name])))
    for part, value in (("weight", weight), ("bias", bias)):
        _expect(name.removesuffix("weight") + part, value, weight.shape if part == "weight" else weight.shape[:1])
    return weight, bias

"""What a live module says of its neurons and its NIR does not: switches of the dialect, layer by layer.

What no switch says is refused with the layer, what it has and what is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..errors import InputError

Switches = dict[str, str]
"""Values of switches that differ from the framework's preset."""


def switches_of(framework: str, layers: Mapping[str, Any]) -> Switches:
    """Return the switches of a module's layers, {name: layer}; those of single layers under 'layers'."""
    each = {
        f"{name}.lif" if hasattr(layer, "recurrent") else name: found  # as snnTorch's export names it
        for name, layer in layers.items()
        if (found := _OF[framework](name, layer)) is not None
    }
    names = dict.fromkeys(switch for found in each.values() for switch in found)
    shared: Switches = {}
    single: list[str] = []
    for switch in names:
        values = {found.get(switch) for found in each.values()}
        if len(values) == 1:
            shared[switch] = str(values.pop())
        else:
            single += [f"{name}.{switch}={found[switch]}" for name, found in each.items() if switch in found]
    return shared | ({"layers": ",".join(single)} if single else {})


def _norse(name: str, layer: Any) -> Switches | None:
    if not hasattr(layer, "p"):
        return None
    if any(float(value) for value in _values(getattr(layer.p, "v_reset", None))):
        _refuse(name, layer, "v_reset other than 0, which norse's export drops", "a v_reset of 0")
    method = getattr(getattr(layer.p, "reset_method", None), "__name__", "reset_value")
    if method == "reset_subtract":
        return {"reset": "subtract"}
    if method != "reset_value":
        _refuse(name, layer, f"reset_method {method}", "reset_value and reset_subtract")
    return {}


def _snntorch(name: str, layer: Any) -> Switches | None:
    if not hasattr(layer, "reset_mechanism"):
        return None
    reset, delayed = layer.reset_mechanism, getattr(layer, "reset_delay", True)
    if reset == "none":
        _refuse(name, layer, "reset_mechanism 'none'", "'subtract' and 'zero'")
    if reset == "subtract" and not delayed:
        message = "reset_delay=False beside 'subtract', which looks at the voltage of the step before again"
        _refuse(name, layer, message, "reset_delay=True, or 'zero'")
    for option, plain in (("inhibition", False), ("state_quant", False), ("graded_spikes_factor", 1.0)):
        value = getattr(layer, option, plain)
        if callable(value) or float(value) != plain:
            _refuse(name, layer, f"{option}, which snnTorch's export drops", f"{option}={plain}")
    return ({"reset": "zero"} if reset == "zero" else {}) | ({} if delayed else {"reset_when": "same"})


def _spikingjelly(name: str, layer: Any) -> Switches | None:
    return {} if hasattr(layer, "v_threshold") else None  # its export refuses what NIR does not hold


def _sinabs(name: str, layer: Any) -> Switches | None:
    if not hasattr(layer, "norm_input"):
        return None
    if getattr(layer, "tau_syn", None) is not None:
        _refuse(name, layer, "a tau_syn, which sinabs' export drops", "tau_syn=None")
    spikes, kind = getattr(layer, "spike_fn", None), type(layer).__name__
    if spikes is None:
        return {"li_input": "scaled"} if layer.norm_input else {}
    found = {} if kind.startswith("IAF") or layer.norm_input else {"input": "whole"}
    if getattr(spikes, "__name__", type(spikes).__name__) == "SingleSpike":
        found["counts"] = "one"
    if type(layer.reset_fn).__name__ == "MembraneReset":
        found["reset"] = "zero"
    if layer.min_v_mem is not None:
        lowest, thresholds = [float(v) for v in _values(layer.min_v_mem)], _values(layer.spike_threshold)
        if any(low != -float(threshold) for low, threshold in zip(lowest * len(thresholds), thresholds, strict=False)):
            _refuse(name, layer, f"min_v_mem {lowest[0]:g}", "none, and minus the threshold")
        found["floor"] = "threshold"
    return found


_OF = {"norse": _norse, "snntorch": _snntorch, "spikingjelly": _spikingjelly, "sinabs": _sinabs}


def _values(value: Any) -> list[Any]:
    """Return the numbers of a tensor, or a number."""
    if value is None:
        return []
    return list(value.detach().flatten().tolist()) if hasattr(value, "detach") else [value]


def _refuse(name: str, layer: Any, has: str, allowed: str) -> None:
    raise InputError(f"layer '{name}' ({type(layer).__name__}) has {has}", f"allowed: {allowed}")


def neurons_in(layers: Mapping[str, Any], framework: str) -> Iterator[tuple[str, Any]]:
    """Yield the layers that hold neurons."""
    for name, layer in layers.items():
        if _OF[framework](name, layer) is not None:
            yield name, layer

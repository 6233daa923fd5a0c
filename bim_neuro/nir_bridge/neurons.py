r"""Neurons of NIR become Lava's LIF or a readout where these fit, else a `Cuba`, with its numbers a neuron.

    LIF       v[t] = d v[t-1] + (1 - d) (v_leak + r i[t])                     d from tau (see `discretise`)
    IF        v[t] = v[t-1] + dt r i[t]
    CubaLIF   c[t] = e c[t-1] + (1 - e) w_in i[t],  then LIF on c[t]          e from tau_syn, d from tau_mem
    LI, I, CubaLI  the same without spikes; the message is v - v_leak, which starts at 0

A LIF on the chip has one decay, one threshold, no resistance, and resets to 0 in the step of the spike: r, w_in and
the factors (1 - d) fold into the rows of the weights, v_leak into the bias, unequal positive thresholds into the rows
too (v / v_threshold compared with 1), and a v_reset at which the neuron starts moves the variable: v - v_reset resets
to 0. A convolution is never scaled neuron by neuron for it; a `Cuba` keeps gain and threshold beside the neuron.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..graph import Edge
from ..nodes import LIF, Cuba, Readout, SomaWire
from ..nodes.arithmetic import Array
from .discretise import NeuronLaw
from .linear import LinearForm
from .maps import keeps
from .wiring import Wiring


@dataclass(frozen=True)
class _Lif:
    """A layer that a LIF holds: one decay, threshold and current decay; ``gain`` and ``leak`` (neurons,)."""

    decay: float
    current_decay: float
    v_threshold: float
    gain: Array
    leak: Array


def add_neuron(wiring: Wiring, name: str, form: LinearForm, law: NeuronLaw, late: Array) -> None:
    """Add a layer that reads ``form``, and ``late`` (neurons,) in every step but the first."""
    lif = _as_lif(law) if law.spikes else None
    if wiring.mixes(form, beside=bool(late.any() or (law.current_decay.any() and form.bias.any()))):
        _add_cuba(wiring, name, form, law, wide=True)
        wiring.constant(name, "a", late, delay=1)
        wiring.assumptions.append(f"the weights into '{name}' have 16 bits, as it adds real values and spikes")
    elif not law.spikes and not law.current_decay.any() and _uniform(law) and _keeps(form, law.gain):
        _add_readout(wiring, name, form, law)
    elif lif is None or not _keeps(form, lif.gain):
        _add_cuba(wiring, name, form, law)
        wiring.constant(name, "a", late, delay=1)
    elif wiring.voltages(form):
        relay = _add_relayed(wiring, name, form, lif)
        wiring.constant(relay, "a", lif.gain * late, delay=1)
    else:
        _add_lif(wiring, name, form, lif)
        wiring.constant(name, "i", lif.gain * late, delay=1)


def _as_lif(law: NeuronLaw) -> _Lif | None:
    """Return the layer as a LIF, or None where only a `Cuba` holds it."""
    plain = (law.reset, law.reset_when, law.compare, law.counts, law.lag) == ("value", "same", ">", "one", False)
    if not plain or np.isfinite(law.v_floor).any() or not _uniform(law) or (law.v_start != law.v_reset).any():
        return None
    threshold, decay = law.v_threshold - law.v_reset, law.decay[0]
    leak = law.leak - (1 - law.decay) * law.v_reset if law.v_reset.any() else law.leak
    if np.ptp(threshold) == 0:
        return _Lif(float(decay), float(law.current_decay[0]), float(threshold[0]), law.gain, leak)
    if threshold.min() <= 0:
        return None
    return _Lif(float(decay), float(law.current_decay[0]), 1.0, law.gain / threshold, leak / threshold)


def _uniform(law: NeuronLaw) -> bool:
    return not np.ptp(law.decay) and not np.ptp(law.current_decay)


def _keeps(form: LinearForm, gain: Array) -> bool:
    return all(keeps(synapse, gain) for synapse in form.synapses().values())


def _add_readout(wiring: Wiring, name: str, form: LinearForm, law: NeuronLaw) -> None:
    wiring.nodes[name] = Readout(float(law.decay[0]), law.gain * form.bias)
    wiring.connect(form.scaled(law.gain), name)


def _add_cuba(wiring: Wiring, name: str, form: LinearForm, law: NeuronLaw, *, wide: bool = False) -> None:
    """Add a neuron with its own numbers; a constant that its current would filter comes from a neuron of its own."""
    wiring.nodes[name] = cuba_of(law, form.bias, wide=wide)
    if law.current_decay.any():
        wiring.constant(name, "a", form.bias)
    wiring.connect(form.unbiased(), name)


def cuba_of(law: NeuronLaw, constant: Array, *, wide: bool = False) -> Cuba:
    """Return a neuron with its own numbers; a ``constant`` of its input is in its bias where no current filters it."""
    filtered = bool(law.current_decay.any())
    return Cuba(
        law.decay, law.current_decay, law.gain, law.leak if filtered else law.leak + law.gain * constant,
        law.v_threshold, law.v_reset, law.v_start, law.v_floor,
        law.reset, law.reset_when, law.compare, law.counts, law.lag, wide=wide,
    )  # fmt: skip


def add_unfolded(wiring: Wiring, name: str, form: LinearForm, law: NeuronLaw, late: Array) -> None:
    """Add a layer as `add_neuron` does, with nothing of its law in its weights: another law is another node."""
    _add_cuba(wiring, name, form, law)
    wiring.constant(name, "a", late, delay=1)


def _add_lif(wiring: Wiring, name: str, form: LinearForm, lif: _Lif) -> None:
    current: Array = lif.gain * form.bias
    if lif.current_decay:
        wiring.constant(name, "i", current)
        current = np.zeros(form.width)
    wiring.nodes[name] = LIF(form.width, lif.decay, lif.v_threshold, current + lif.leak, lif.current_decay)
    wiring.connect(form.scaled(lif.gain), name, "i")


def _add_relayed(wiring: Wiring, name: str, form: LinearForm, lif: _Lif) -> str:
    """Add a LIF that reads voltages: a relay beside its soma adds them up, and whatever is constant; return it."""
    current, leak = lif.gain * form.bias, lif.leak
    if not lif.current_decay:
        current, leak = current + leak, np.zeros(form.width)
    relay = wiring.relay(f"{name}.input", current)
    wiring.nodes[name] = LIF(form.width, lif.decay, lif.v_threshold, leak, lif.current_decay)
    wiring.connect(form.scaled(lif.gain), relay)
    wiring.edges.append(Edge(relay, name, "i", SomaWire()))
    return relay

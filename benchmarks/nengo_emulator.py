"""A network of LIF layers on nengo-loihi's emulator: a program of its own, run by a Python that has nengo-loihi.

    python3.11 -m venv nengo && nengo/bin/pip install nengo-loihi==1.1.0 nengo==3.2.0 "numpy<1.24"
    nengo/bin/python benchmarks/nengo_emulator.py network.npz

The file holds x (steps, lines) of 0 and 1, for layer k its threshold and leak, for edge e its weight (post, pre)
and ends; layer 0 is the input. Prints steps a second of processor time and spikes a step of every layer. nengo-loihi
chooses weights and thresholds of its own for the chip, so the spikes are about as many, not the same.
"""

import sys
import time

import numpy as np
from nengo_loihi.block import Axon, LoihiBlock, Synapse
from nengo_loihi.builder import Model
from nengo_loihi.builder.discretize import discretize_model
from nengo_loihi.emulator import EmulatorInterface
from nengo_loihi.inputs import SpikeInput

UNCOUNTED = 2  # steps before the clock starts


def build(network: dict) -> Model:
    """Return the network as blocks of compartments joined by axons, in the emulator's integers."""
    source = SpikeInput(network["x"].shape[1])
    for t, line in enumerate(network["x"]):
        source.add_spikes(t + 1, np.flatnonzero(line))
    layers = [source]
    for threshold, leak, neurons in network["layers"]:
        block = LoihiBlock(int(neurons))
        block.compartment.configure_lif(
            tau_rc=-0.001 / np.log1p(-leak), tau_ref=0.0, vth=threshold * leak, min_voltage=-64 * threshold * leak
        )
        layers.append(block)
    for place, (before, after) in enumerate(network["ends"]):
        weight = network[f"weight{place}"]
        synapse, axon = Synapse(weight.shape[1]), Axon(weight.shape[1])
        synapse.set_weights(weight.T.astype(np.float32))
        layers[after].add_synapse(synapse)
        axon.target = synapse
        axon.set_compartment_axon_map(np.arange(weight.shape[1]))
        layers[before].add_axon(axon)
    model = Model()
    model.add_input(source)
    for block in layers[1:]:
        model.add_block(block)
    discretize_model(model)
    return model


def main() -> None:
    """Run the file's network once and print its speed."""
    network = dict(np.load(sys.argv[1]))
    steps, ends = len(network["x"]), np.cumsum(network["layers"][:, 2]).astype(int)
    with EmulatorInterface(build(network)) as emulator:
        emulator.run_steps(UNCOUNTED)
        start = time.process_time()
        emulator.run_steps(steps - UNCOUNTED)
        seconds = time.process_time() - start
        spikes = np.split(emulator.compartment.spike_count, ends[:-1])
    print("steps_a_second", (steps - UNCOUNTED) / seconds)
    print("spikes_a_step", *(round(float(layer.sum()) / steps, 3) for layer in spikes))


if __name__ == "__main__":
    main()

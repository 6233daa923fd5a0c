"""The stock lowering: a block of the model as neurons and synapses that Lava ships. `lower` is the way in."""

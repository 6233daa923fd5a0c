"""Loihi's learning engine in integers: rules as sums of products, tags, traces, and Lava's noise."""

"""On-chip learning: what is plastic and by which rule, the learning engine's integers, and the trace process."""

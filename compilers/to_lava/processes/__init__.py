"""The Lava processes that are ours. Lava executes every file beside them, so this folder holds nothing else."""

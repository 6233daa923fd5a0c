"""Our own Lava processes. Lava executes every file of their folder, so it holds nothing else."""

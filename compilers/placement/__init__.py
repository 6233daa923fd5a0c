"""Placement: what a core holds, which neurons stand on which core, and how far their messages go."""

"""Sweeps: many requests to bim-compile, and to bim-train before it, as trials in one folder.

Each trial is a job in a folder named by a hash of all that its result depends on; see docs/decisions/0008-sweeps.md.
"""

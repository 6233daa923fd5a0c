"""Benchmarks: figures measured in one run, each a command that writes its numbers."""

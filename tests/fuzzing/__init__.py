"""Fuzzing: sound files of every format, broken at random, read by the real commands in forked workers under limits."""

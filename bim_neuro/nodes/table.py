"""Table: vectors of signed 8-bit values, one a token, that the host looks up and sends."""

from __future__ import annotations

import numpy as np

from ..errors import InputError
from .arithmetic import Array

MOST_ROWS = 2**20
TABLE_BITS = 7  # a value is worth x * 2^-7
TABLE_MAX = 127


def no_table() -> Array:
    """Return the table of an encoder that has none, (0, 0)."""
    return np.zeros((0, 0), np.int8)


def table_of(values: Array) -> Array:
    """Return clip(round(values * 2^7), -127, 127), int8 (tokens, lines), of real values; a half goes to the even."""
    scaled = np.rint(np.asarray(values, np.float64) * 2.0**TABLE_BITS)
    return np.clip(scaled, -TABLE_MAX, TABLE_MAX).astype(np.int8)


def check_tokens(raw: Array, tokens: int) -> Array:
    """Return raw (samples, steps, 1) as int64; InputError names the first that is no token from 0 to ``tokens`` - 1."""
    wrong = np.argwhere(~((raw >= 0) & (raw < tokens) & (raw == np.rint(raw))))
    if len(wrong):
        sample, step, channel = wrong[0]
        message = f"input holds {raw[sample, step, channel]:g} at sample {sample}, step {step}"
        raise InputError(f"{message}, the model knows the tokens 0 to {tokens - 1}", "pad with one of them too")
    return raw.astype(np.int64)


def on_lines(raw: Array, tokens: int) -> Array:
    """Return a spike on the line of each token, int64 (samples, steps, tokens)."""
    spikes = np.zeros((*raw.shape[:2], tokens), np.int64)
    np.put_along_axis(spikes, check_tokens(raw, tokens), 1, 2)
    return spikes


def table_fault(table: Array) -> str:
    """Say what is wrong with a table that came from a file; nothing if it is one."""
    if table.dtype != np.int8 or table.ndim != 2 or not table.size:
        return f"its table is {table.dtype} {table.shape}, int8 (tokens, lines) is needed"
    if len(table) > MOST_ROWS:
        return f"its table has {len(table):,} rows, at most {MOST_ROWS:,} are taken"
    return "its table holds -128, values go from -127 to 127" if (table == -TABLE_MAX - 1).any() else ""

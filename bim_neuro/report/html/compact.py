"""The data of a page, shorter: lists of like objects as columns, numbers of six digits, of which a page shows three.

    [{"a": 1, "b": 2}, {"a": 3, "b": 4}]   ->   {"=": {"a": [1, 3], "b": [2, 4]}}

Keys that begin with "=" get one more. `widened` undoes it, as base.js does where the page is opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MARK = "="
_DIGITS = 6


def compact(data: Any) -> Any:
    """Return data with columns in place of lists of objects that have the same keys; counts stay whole.

    >>> compact([{"rate": 0.123456789, "of": 1234567}, {"rate": 2.0, "of": 1}])
    {'=': {'rate': [0.123457, 2], 'of': [1234567, 1]}}
    """
    if isinstance(data, float):
        return _short(data)
    if isinstance(data, Mapping):
        return {_kept(str(key)): compact(value) for key, value in data.items()}
    if not isinstance(data, list | tuple):
        return data
    if len(data) > 1 and all(isinstance(row, Mapping) and row and row.keys() == data[0].keys() for row in data):
        return {_MARK: compact({key: [row[key] for row in data] for key in data[0]})}
    return [compact(value) for value in data]


def widened(data: Any) -> Any:
    """Return what `compact` was given, but for the digits.

    >>> widened(compact({"==": [{"=": 1}, {"=": 2}]}))
    {'==': [{'=': 1}, {'=': 2}]}
    """
    if isinstance(data, list):
        return [widened(value) for value in data]
    if not isinstance(data, dict):
        return data
    if data.keys() == {_MARK}:
        columns = widened(data[_MARK])
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return {key[1:] if key.startswith(_MARK) else key: widened(value) for key, value in data.items()}


def _kept(key: str) -> str:
    return f"{_MARK}{key}" if key.startswith(_MARK) else key


def _short(number: float) -> float:
    short = float(f"{number:.{_DIGITS}g}")
    return int(short) if short.is_integer() and abs(short) < 2**53 else short

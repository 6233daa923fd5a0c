"""Error rates of strings: words, characters, and digits, by the least number of edits (jiwer).

rate = (substitutions + deletions + insertions) / units of the truth          of all strings together, may exceed 1
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

from ...errors import InputError
from ...extras import check_extra


class ErrorRates(TypedDict):
    """``words`` (WER) and ``characters`` (CER): edits over units of the truth, from 0."""

    words: float
    characters: float


def error_rates(truth: Sequence[str], said: Sequence[str]) -> ErrorRates:
    """Word and character error rate of the strings that were ``said``; an empty truth is refused.

    Strings of digits apart by blanks have their digit error rate under 'words'. Nothing is done to capitals and
    punctuation: bring both sides into one form before.
    """
    check_extra("tasks", "jiwer", "an error rate")
    import jiwer

    if not truth or len(truth) != len(said):
        raise InputError(f"{len(said)} strings cannot be compared with {len(truth)}")
    for place, string in enumerate(truth):
        if not string.split():
            raise InputError(f"string {place} of the truth is empty", "leave the sample out")
    return {"words": float(jiwer.wer(list(truth), list(said))), "characters": float(jiwer.cer(list(truth), list(said)))}

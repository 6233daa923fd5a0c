r"""How well the next token of a text is told.

    perplexity a word   exp(L / words)                L = - sum of log p(token | the tokens before), in nats
    bits a character    L / (log 2 * characters)

Words and characters are those of the original text (`dataset.TextUnits`), whatever a model's tokens are, so that models
of bytes and of words can be held against each other. Of a text that writes rare words as <unk> they are that text's.
"""

from __future__ import annotations

import math
from typing import TypedDict

from ... import arguments
from ...errors import InputError
from ..dataset import TextUnits


class TextScores(TypedDict):
    """``perplexity`` a word, from 1; ``bits_a_character``, from 0."""

    perplexity: float
    bits_a_character: float


def text_scores(nats: float, units: TextUnits) -> TextScores:
    """Both figures of a text whose tokens have the negative log likelihood ``nats`` in all.

    >>> found = text_scores(1000 * math.log(2), TextUnits(characters=500, words=100))
    >>> {name: round(value, 9) for name, value in found.items()}
    {'perplexity': 1024.0, 'bits_a_character': 2.0}
    """
    nats = arguments.number(nats, "the negative log likelihood", 0)
    if units.characters < 1 or units.words < 1:
        raise InputError(f"a text of {units.characters} characters and {units.words} words has no perplexity")
    exponent = nats / units.words
    perplexity = math.exp(exponent) if exponent < 700 else math.inf
    return {"perplexity": perplexity, "bits_a_character": nats / math.log(2) / units.characters}

"""Networks to compare with: the same data, budget and trainer, as near to one number of parameters as they come.

Each reads x (T, batch, inputs) and gives r (T, batch, classes): what it says after every step of that step and those
before. A class, or labels, of the whole sequence are asked of the mean of r over the steps that count, as of ours.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ... import arguments
from ...choices import BASELINES as NAMES
from ...errors import InputError
from ...model.embedding import new_table, rows
from .cnn import CNN
from .linear import Linear, Unigram
from .lstm import LSTM
from .mamba import Mamba
from .rnn import RNN
from .snn import SNN
from .transformer import HEADS, Transformer

KINDS: tuple[Callable[[int, int, int, int], nn.Module], ...] = (
    Transformer,
    Mamba,
    LSTM,
    CNN,
    RNN,
    SNN,
    Linear,
    Unigram,
)
BASELINES = dict(zip(NAMES, KINDS, strict=True))
"""By name: called with inputs, classes, width and layers."""
READ_LAST = ("transformer", "mamba", "lstm", "cnn", "rnn")
"""Those that end in a linear readout of what they ``heard``, of which some rows can be taken alone."""
SIZELESS = ("linear", "unigram")
"""Those whose number of parameters follows from inputs and classes."""
MULTIPLE = HEADS
"""Of which every width is one, that a Transformer's heads are of one size."""
WIDEST = 4096
READINGS = 4
"""Readings of float32 that a class takes a step: float32, float64, and what is made of them."""
_NUMBERS_A_UNIT = 64
"""Numbers that a unit of the width takes a step at most, with what its gradient needs: a Transformer's."""


@dataclass(frozen=True)
class BaselineConfig:
    """A baseline by ``name`` (`BASELINES`): ``inputs`` lines, ``classes``, ``width`` of its ``layers``.

    ``table`` and ``adaptive`` are `NetworkConfig`'s.
    """

    name: str
    inputs: int
    classes: int
    width: int
    layers: int = 1
    table: int = 0
    adaptive: bool = False

    def __post_init__(self) -> None:
        arguments.choice(self.name, NAMES, "baseline")
        for field in ("inputs", "classes", "width", "layers"):
            arguments.whole(getattr(self, field), field, 1)
        if self.width % MULTIPLE and self.name not in SIZELESS:
            raise InputError(f"a {self.name} of width {self.width} has no {MULTIPLE} heads", "give a multiple of it")
        arguments.whole(self.table, "table", 0)
        if self.adaptive and self.name not in READ_LAST:
            raise InputError(f"a {self.name} has no adaptive softmax: it ends in no readout", "give train.softmax=full")

    @property
    def plain(self) -> dict[str, Any]:
        """The fields as a file holds them."""
        later = {"table": self.table, "adaptive": self.adaptive}
        return {name: value for name, value in asdict(self).items() if name not in later or value}

    @property
    def step_bytes(self) -> int:
        """About how many bytes a step of one sequence takes in float32."""
        return 4 * (self.inputs + READINGS * self.classes + _NUMBERS_A_UNIT * self.width * self.layers)

    @property
    def parameters(self) -> int:
        """How many numbers it learns; none is allocated."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in Baseline(self).parameters())


class Baseline(nn.Module):
    """A baseline as training and prediction see it; its weights are drawn from torch's generator."""

    def __init__(self, config: BaselineConfig) -> None:
        super().__init__()
        self.config = config
        if config.table:
            self.table = new_table(config.table, config.inputs)
        self.reads = BASELINES[config.name](config.inputs, config.classes, config.width, config.layers)

    def forward(self, x: Tensor) -> Tensor:
        """Read x (T, batch, inputs), or tokens (T, batch, 1), give r (T, batch, classes)."""
        r: Tensor = self.reads(self.embedded(x))
        return r

    def embedded(self, x: Tensor) -> Tensor:
        """Return x itself, or the rows of tokens (T, batch, 1) in the table."""
        return rows(self.table, x) if self.config.table else x

    def before_readout(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return (heard, 1), (T, batch, width + 1), and the readout's (W, b), (classes, width + 1), of `READ_LAST`."""
        reads: Any = self.reads
        heard, readout = reads.heard(self.embedded(x)), reads.readout
        w = torch.cat([readout.weight, readout.bias[:, None]], 1)
        return torch.cat([heard, torch.ones_like(heard[..., :1])], -1), w


def sized(name: str, inputs: int, classes: int, parameters: int, layers: int = 1, **of_tokens: Any) -> BaselineConfig:
    """Return a baseline whose width is the multiple of 4 that comes nearest to a number of parameters.

    ``of_tokens`` are its table and whether its softmax is adaptive.
    """

    def of(width: int) -> BaselineConfig:
        return BaselineConfig(name, inputs, classes, width, layers, **of_tokens)

    if arguments.choice(name, NAMES, "baseline") in SIZELESS:
        return of(1)
    low, high = 1, WIDEST // MULTIPLE
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if of(MULTIPLE * middle).parameters < parameters else (low, middle)
    near = [of(MULTIPLE * part) for part in (low - 1, low) if part]
    return min(near, key=lambda config: abs(config.parameters - parameters))


def mean_of(r: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the mean of r (T, batch, classes) over the steps that count, (batch, classes)."""
    if lengths is None:
        return r.mean(0)
    counts = torch.arange(len(r), device=r.device)[:, None] < lengths
    return (r * counts[..., None]).sum(0) / lengths[:, None]

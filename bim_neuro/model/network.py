r"""The network: encoded input, BIM blocks, a leaky integrator a class; the logits are its mean over the steps.

r_t = gamma r_{t-1} + W_o s_t + b_o          logits = mean_t r_t
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import InputError
from ..nodes.table import MOST_ROWS
from .block import BIMBlock, Variant, _projection
from .embedding import new_table, rows
from .selective_scan import BlockState

MOST_LEAKS = 4
"""Groups of channels: each is a scan and a LIF, and so a core or more, of its own."""
LEAST_DECAY = 1e-4
"""Of a readout, and of 1 less its decay: nearer to 0 or 1 its logit would hardly learn."""
LEAST_DT, MOST_DT = 1e-6, 10.0
"""Of the first dt: a state that keeps a millionth less a step, and one that is gone in a step."""
_FIRST_LOGIT = 2.0
"""Of a readout whose decay is not given."""
_SIZES = ("inputs", "classes", "channels", "states", "taps", "blocks")


@dataclass(frozen=True)
class NetworkConfig:
    """The shape: ``inputs`` source lines, ``channels`` D, ``states`` N, ``taps`` K, ``blocks``, ``classes``.

    With ``skips`` a block and the readout hear the spikes of all blocks before, not of the last one alone.
    ``thresholds`` a channel, ``leaks`` of up to four groups of channels and the ``norm`` are `BIMBlock`'s.
    ``readout_decay`` is the readout's leak gamma before training, between 0 and 1; without it, .88.
    ``dt_min`` and ``dt_max`` bound the steps dt of the states before training (log-uniform, as in Mamba): a state n
    remembers about 1 / (n dt) steps.
    With a ``table`` of so many tokens the input is tokens, and the lines hear their rows (`embedding`). Where the
    softmax is ``adaptive`` the last of the ``classes`` are clusters of tokens (tasks/clusters.py).
    """

    inputs: int
    classes: int
    channels: int = 128
    states: int = 8
    taps: int = 4
    blocks: int = 1
    skips: bool = False
    thresholds: bool = False
    leaks: int = 1
    norm: bool = False
    readout_decay: float | None = None
    dt_min: float = 0.01
    dt_max: float = 0.5
    table: int = 0
    adaptive: bool = False

    def __post_init__(self) -> None:
        for name in _SIZES:
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= 1_000_000:
                raise InputError(f"model config: {name} is {value!r}, it must be a whole number from 1 to 1,000,000")
        for name in ("skips", "thresholds", "norm", "adaptive"):
            if type(getattr(self, name)) is not bool:
                raise InputError(f"model config: {name} is {getattr(self, name)!r}, it must be true or false")
        if type(self.table) is not int or not 0 <= self.table <= MOST_ROWS:
            raise InputError(
                f"model config: table is {self.table!r}, it must be a whole number from 0 to {MOST_ROWS:,}"
            )
        if type(self.leaks) is not int or not 1 <= self.leaks <= min(MOST_LEAKS, self.channels):
            most = f"it must be a whole number from 1 to {min(MOST_LEAKS, self.channels)}"
            raise InputError(f"model config: leaks is {self.leaks!r}, {most}", "each group is a layer of its own")
        decay = self.readout_decay
        if decay is not None and (type(decay) is not float or not LEAST_DECAY <= decay <= 1 - LEAST_DECAY):
            limits = f"it must be a number from {LEAST_DECAY} to {1 - LEAST_DECAY}"
            raise InputError(f"model config: readout_decay is {decay!r}, {limits}", "training moves it from there")
        for name in ("dt_min", "dt_max"):
            dt = getattr(self, name)
            if type(dt) is not float or not LEAST_DT <= dt <= MOST_DT:
                raise InputError(f"model config: {name} is {dt!r}, it must be a number from {LEAST_DT} to {MOST_DT}")
        if self.dt_min > self.dt_max:
            raise InputError(
                f"model config: dt_min is {self.dt_min}, it must not be above dt_max, {self.dt_max}", "give both"
            )

    @property
    def plain(self) -> dict[str, Any]:
        """The fields as a file holds them; what an older version does not know is there only where it is used."""
        fields = asdict(self)
        new = {name: kind.default for name, kind in self.__dataclass_fields__.items() if name not in _SIZES}
        return {name: value for name, value in fields.items() if name not in new or value != new[name]}

    @property
    def parameters(self) -> int:
        """How many numbers the network learns; none is allocated."""
        with torch.device("meta"):
            return sum(parameter.numel() for parameter in BIMNetwork(self).parameters())

    @property
    def first_readout_logit(self) -> Tensor:
        """The logit of a readout's decay before training, of the network's own as of those for local credit."""
        decay = self.readout_decay
        return torch.tensor(_FIRST_LOGIT if decay is None else math.log(decay / (1 - decay)))

    def heard(self, index: int) -> list[tuple[int, slice]]:
        """Return the blocks whose spikes block ``index`` hears (the readout is the last), and its columns of each."""
        if not self.skips:
            return [(index - 1, slice(0, self.channels))] if index else []
        return [(below, slice(below * self.channels, (below + 1) * self.channels)) for below in range(index)]

    def width(self, index: int) -> int:
        """Return how many lines block ``index`` hears, or the readout."""
        return self.channels * (index if self.skips else 1) if index else self.inputs


class NetworkState(NamedTuple):
    """State of every block and of the readout."""

    blocks: tuple[BlockState, ...]
    r: Tensor


class BIMNetwork(nn.Module):
    """Blocks in series and a leaky readout."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = [config.width(index) for index in range(config.blocks + 1)]
        variant = Variant(config.thresholds, config.leaks, config.norm)
        self.blocks = nn.ModuleList(
            BIMBlock(m, config.channels, config.states, config.taps, (config.dt_min, config.dt_max), variant=variant)
            for m in widths[:-1]
        )
        if config.table:
            self.table = new_table(config.table, config.inputs)
        self.w_o = _projection(config.classes, widths[-1])
        self.b_o = nn.Parameter(torch.zeros(config.classes))
        self.readout_logit = nn.Parameter(config.first_readout_logit)

    @property
    def readout_decay(self) -> Tensor:
        """The readout's leak gamma, one scalar in (0, 1)."""
        return torch.sigmoid(self.readout_logit)

    def spikes(self, x: Tensor) -> list[Tensor]:
        """Return the spikes of each block, (T, batch, D), for x (T, batch, inputs), or tokens (T, batch, 1)."""
        x = self.embedded(x)
        layers: list[Tensor] = []
        for block in self.blocks:
            layers.append(block(self.heard(layers, x)))
        return layers

    def embedded(self, x: Tensor) -> Tensor:
        """Return what the input lines carry (..., inputs): x itself, or the rows of tokens (..., 1) in the table."""
        return rows(self.table, x) if self.config.table else x

    def heard(self, layers: list[Tensor], x: Tensor) -> Tensor:
        """Return what the block or readout behind these blocks hears of their spikes; the first hears ``x``."""
        if not layers:
            return x
        return torch.cat(layers, -1) if self.config.skips else layers[-1]

    @torch.no_grad()
    def measure_norms(self, x: Tensor, lengths: Tensor | None = None) -> None:
        """Set the norms of all blocks on typical input x (T, batch, inputs), from the first block on; then they stay.

        ``lengths`` (batch,) are the steps that count. Without norms nothing happens.
        """
        layers: list[Tensor] = []
        x = self.embedded(x)
        counts = torch.arange(len(x), device=x.device)[:, None] < (len(x) if lengths is None else lengths)
        counts = counts.expand(x.shape[:2])
        for block in self.blocks if self.config.norm else ():
            assert isinstance(block, BIMBlock)
            heard = self.heard(layers, x)
            block.measure_norm(heard[counts])
            layers.append(block(heard))

    def forward(self, x: Tensor) -> Tensor:
        """Sequence form: x (T, batch, inputs) to logits (batch, classes)."""
        return self.read(self.heard(self.spikes(x), x))

    def read(self, s: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Spikes that the readout hears (T, batch, D) to logits: the mean of the leaky readout over the steps.

        The mean is linear, so the readout's loop is summed in closed form: spikes at step t weigh
        1 + gamma + ... + gamma^(T - t - 1), added up, as (1 - gamma^(T - t)) / (1 - gamma) is 0 / 0 where gamma is 1.
        ``lengths`` (batch,) are the steps T of each sequence; what stands after them is not read.
        """
        steps = len(s)
        passed = torch.arange(steps, dtype=s.dtype, device=s.device)
        summed = torch.exp(passed * F.logsigmoid(self.readout_logit)).cumsum(0)
        if lengths is not None:
            left = lengths - 1 - torch.arange(steps, device=s.device)[:, None]
            weights = torch.where(left >= 0, summed[left.clamp(min=0)], 0) / lengths  # (T, batch)
            return torch.einsum("tb,tbd->bd", weights, s) @ self.w_o.T + weights.sum(0)[:, None] * self.b_o
        weight = summed.flip(0)
        return (torch.einsum("t,tbd->bd", weight, s) @ self.w_o.T + weight.sum() * self.b_o) / steps

    def initial(self, batch: int) -> NetworkState:
        blocks = tuple(block.initial(batch) for block in self.blocks if isinstance(block, BIMBlock))
        return NetworkState(blocks, self.b_o.new_zeros(batch, self.config.classes))

    def step(self, x: Tensor, state: NetworkState) -> tuple[Tensor, NetworkState]:
        """Step form: x (batch, inputs), or tokens (batch, 1), to the readout r_t (batch, classes)."""
        x = self.embedded(x)
        states: list[BlockState] = []
        layers: list[Tensor] = []
        for block, before in zip(self.blocks, state.blocks, strict=True):
            assert isinstance(block, BIMBlock)
            s, after = block.step(self.heard(layers, x), before)
            layers.append(s)
            states.append(after)
        r = self.readout_decay * state.r + self.heard(layers, x) @ self.w_o.T + self.b_o
        return r, NetworkState(tuple(states), r)

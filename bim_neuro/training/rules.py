r"""The learning rules, by name: what each keeps of the exact gradient, and what it adds.

    dw = -eta lambda dL/dw + eta_s (1 - lambda) Omega          eq 4; the paper prints +dL/dw, which climbs

    name         gradient of the blocks                                                 w_u besides
    bptt         autograd through time                                                  -
    tbptt        the same within segments, no memory of the blocks between them         -
    rtrl         exact forward traces (of the top block; credit below it: online.py)    -
    hybrid       as rtrl                                                                eq 4 with pair STDP
    s-tllr       as rtrl                                                                S-TLLR instead
    stdp         none: readout by its gradient, the rest of the blocks stays            pair STDP alone
    e-prop       traces of each channel's own synapses; dropped: the gradient through   -
                 the reset, and what the block remembers of the shared projections B, C
    e-prop-like  as e-prop, and what the readout remembers of them                      -
    no-trace     the last step's own path: every trace is forgotten at every step       -

The readout's gradient is exact in all but no-trace. Omega is divided by steps and batch, and |w_u| stays below
`BOUND` times its first bound where it is added: pair STDP alone has no other limit.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn

from .. import arguments
from ..choices import CREDIT, CREDITS, SEGMENT
from ..denormals import denormals_flushed
from ..errors import InputError
from ..model.block import BIMBlock
from ..model.network import BIMNetwork, NetworkConfig
from . import operator
from .events import pays
from .local_readouts import LocalReadouts
from .online import Credit, ForwardGradient
from .readout import Loss
from .spike_terms import SpikeTerms
from .stdp import PairWindow
from .threads import torch_in_one_thread
from .traces import Keep
from .truncated import truncated_gradient
from .whole_loss import rate_above, whole_loss

BOUND = 4.0


@dataclass(frozen=True)
class Rule:
    """What a rule keeps, whether gradients pass the reset, and what it does with w_u."""

    keep: Keep | None = None
    reset_gradient: bool = True
    spikes: str | None = None  # "pair" or "three-factor"
    gradient: bool = True  # False: the blocks get none
    mixes: bool = False  # lambda has an effect


RULES: dict[str, Rule] = {
    "bptt": Rule(),
    "tbptt": Rule(),
    "rtrl": Rule(Keep()),
    "hybrid": Rule(Keep(), spikes="pair", mixes=True),
    "s-tllr": Rule(Keep(), spikes="three-factor"),
    "stdp": Rule(Keep(), spikes="pair", gradient=False),
    "e-prop": Rule(Keep(shared=False), reset_gradient=False),
    "e-prop-like": Rule(Keep(shared=False, shared_readout=False), reset_gradient=False),
    "no-trace": Rule(Keep.nothing()),
}


@dataclass(frozen=True)
class Learning:
    """Which rule, and how. ``mix`` is the paper's lambda; ``online`` updates the weights every that many steps.

    ``traces`` is how exact traces are computed: dense, events (events.py), or auto, by the input's activity.
    ``segment`` is the length of a segment, for truncated backpropagation and for credit by segments.
    ``rate_penalty`` weighs what spikes above ``rate_target``, a share of channels a step, add to the loss of bptt.
    """

    rule: str = "bptt"
    mix: float = 0.9
    credit: str = CREDIT
    segment: int = SEGMENT
    traces: str = "auto"
    online: int | None = None
    stdp_rate: float = 1.0
    window: PairWindow = field(default_factory=PairWindow)
    sparsity: float | None = None
    rate_penalty: float = 0.0
    rate_target: float = 0.0

    def __post_init__(self) -> None:
        arguments.choice(self.rule, tuple(RULES), "rule")
        arguments.choice(self.credit, CREDITS, "credit")
        arguments.whole(self.segment, "segment: give its number of steps", 1)
        arguments.choice(self.traces, ("auto", "dense", "events"), "traces")
        if self.traces == "events" and self.law.keep != Keep():
            raise InputError(
                f"rule {self.rule} has no event-driven traces: they keep every trace", "choose --rule rtrl"
            )
        arguments.instance(self.window, PairWindow, "window")
        if not 0 <= arguments.number(self.mix, "lambda") <= 1:
            raise InputError(f"lambda is {self.mix}, it must lie in [0, 1]", "1 uses only the gradient, 0 only STDP")
        if self.sparsity is not None and not 0 <= arguments.number(self.sparsity, "sparsity") < 1:
            raise InputError(f"sparsity {self.sparsity} is outside [0, 1)", "0.7 prunes 70 % of the synapses")
        arguments.number(self.stdp_rate, "stdp_rate", 0.0)
        arguments.number(self.rate_penalty, "rate_penalty", 0.0)
        arguments.number(self.rate_target, "rate_target", 0.0, 1.0)
        if self.rate_penalty and self.rule != "bptt":
            raise InputError(f"rule {self.rule} has no rate penalty: it backpropagates none", "choose --rule bptt")
        if self.online is not None:
            arguments.whole(self.online, "give the number of steps between updates", 1)
        if self.online is not None and self.sparsity is not None:
            raise InputError("online updates and pruning cannot be combined", "leave out one of the two")
        if self.law.keep is None and (self.online is not None or self.credit == "local"):
            raise InputError(
                f"{self.rule} needs the whole sequence for each update",
                "choose --rule rtrl for online or local credit",
            )

    @property
    def law(self) -> Rule:
        return RULES[self.rule]

    @property
    def weight_of_gradient(self) -> float:
        """Lambda, as far as the rule has one."""
        return self.mix if self.law.mixes else float(self.law.gradient)


def check_head(learning: Learning, head: str, *, padded: bool) -> None:
    """Refuse a head that a rule cannot learn, and padding where the rule would learn from it."""
    if learning.rule != "bptt":
        Loss.of_head(head, torch.empty(0, 0), online=learning.online is not None)
    if padded and learning.law.spikes is not None:
        hint = "choose --rule rtrl, or sequences of one length"
        raise InputError(f"rule {learning.rule} pairs the spikes of padding too", hint)


def check_tokens(learning: Learning, config: NetworkConfig) -> None:
    """Refuse a table, or an adaptive softmax, where the rule keeps forward traces: there are none of their rows."""
    if learning.rule in ("bptt", "tbptt"):
        return
    for asked, what, hint in (
        (config.table, "a table of tokens", "--encoder token"),
        (config.adaptive, "an adaptive softmax", "--set train.softmax=full"),
    ):
        if asked:
            raise InputError(
                f"rule {learning.rule} has no traces for {what}", f"choose --rule bptt or tbptt, or {hint}"
            )


class Learner:
    """Sets the gradients of a network by a rule, and takes the optimiser's step with what the rule adds."""

    def __init__(self, network: BIMNetwork, learning: Learning) -> None:
        self.network, self.learning = network, learning
        law = learning.law
        check_tokens(learning, network.config)
        self.blocks = [block for block in network.blocks if isinstance(block, BIMBlock)]
        for block in self.blocks:
            block.reset_gradient = law.reset_gradient
        local = learning.credit == "local" and network.config.blocks > 1
        self.local = LocalReadouts(network).to(network.w_o.device) if local else None
        self._passes: dict[tuple[int, bool], ForwardGradient] = {}
        self.traces: list[str] = []
        self.omega: dict[int, Tensor] = {}

    @property
    def trainable(self) -> list[nn.Parameter]:
        """All parameters the optimiser steps, the network's first."""
        return [*self.network.parameters(), *(self.local.parameters() if self.local is not None else ())]

    @property
    def omegas(self) -> list[Tensor]:
        """The STDP term of each block for the next step; none without pair STDP."""
        return list(self.omega.values())

    @property
    def trace_bytes(self) -> int:
        """Bytes of traces of the largest batch so far; 0 for bptt, which keeps the whole sequence instead."""
        return max((gradient.nbytes for gradient in self._passes.values()), default=0)

    @torch_in_one_thread()
    @denormals_flushed()
    def gradients(
        self,
        x: Tensor,
        y: Tensor,
        smoothing: float = 0.0,
        step: Callable[[], None] | None = None,
        *,
        head: str = "class",
        lengths: Tensor | None = None,
    ) -> float:
        """Set .grad of every trainable parameter for x (T, batch, inputs), y (batch, ...); return the loss.

        ``y`` is what the ``head`` asks for (bim_neuro/tasks/heads.py); ``lengths`` (batch,) are the steps that count.
        With online learning ``step`` is called after every ``online`` steps, and the last is left to the caller.
        """
        if self.learning.rule == "bptt":
            return self._backpropagate(x, y, smoothing, head, lengths)
        online = self.learning.online
        loss = Loss.of_head(head, y, smoothing, online=online is not None)
        mask = None if lengths is None else torch.arange(len(x), device=x.device)[:, None] < lengths
        check_head(self.learning, head, padded=mask is not None)
        if self.learning.rule == "tbptt":
            return self._backpropagate_segments(x, loss, mask)
        forward = self._forward(x)
        self.traces = [traces.form for traces in forward.traces]
        spikes = SpikeTerms(self, x.shape[1])
        records = math.ceil(len(x) / forward.record_steps)

        def after_record() -> None:
            nonlocal records
            records -= 1
            if online is not None and records and step is not None:
                self._set(forward.take(), spikes)
                step()

        value = forward.sequence(
            x, loss, mask=mask, listeners=[spikes.listen], finish=spikes.finish, after_record=after_record
        )
        self._set(forward.take(), spikes)
        return value

    @torch.no_grad()
    def step(self, optimiser: torch.optim.Optimizer) -> None:
        """Take the optimiser's step, with w_u's share scaled by lambda, and add the STDP term."""
        share, mixing = self.learning.weight_of_gradient, self.learning.law.spikes == "pair"
        before = [block.w_u.detach().clone() for block in self.blocks] if mixing else []
        optimiser.step()
        rate = optimiser.param_groups[0]["lr"] * self.learning.stdp_rate * (1 - share)
        for index, old in enumerate(before):
            block = self.blocks[index]
            bound = BOUND * math.sqrt(3.0 / block.w_u.shape[1])
            block.w_u.copy_((old + share * (block.w_u - old) + rate * self.omega[index]).clamp(-bound, bound))

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs besides network and optimiser."""
        return {} if self.local is None else dict(self.local.state_dict())

    def load_state(self, state: dict[str, Any]) -> None:
        """Continue from `state`."""
        if self.local is not None:
            self.local.load_state_dict(state)

    def _forward(self, x: Tensor) -> ForwardGradient:
        learning, batch = self.learning, x.shape[1]
        events = learning.traces == "events" or (learning.traces == "auto" and pays(x))
        if (batch, events) not in self._passes:
            by_segment = learning.credit == "segment" and len(self.blocks) > 1
            self._passes[batch, events] = ForwardGradient(
                self.network, batch, keep=learning.law.keep, local=self.local, events=events,
                credit=cast("Credit", learning.credit),
                record_steps=learning.online or (learning.segment if by_segment else None),
            )  # fmt: skip
        return self._passes[batch, events]

    def _backpropagate(self, x: Tensor, y: Tensor, smoothing: float, head: str, lengths: Tensor | None) -> float:
        self.network.zero_grad(set_to_none=True)
        spikes = operator.spikes(self.network, x)
        loss = whole_loss(self.network, self.network.heard(spikes, x), y, smoothing, head, lengths)
        if self.learning.rate_penalty:
            over = sum(rate_above(layer, self.learning.rate_target, lengths) for layer in spikes)
            loss = loss + self.learning.rate_penalty * over
        loss.backward()
        return float(loss.detach())

    def _backpropagate_segments(self, x: Tensor, loss: Loss, mask: Tensor | None) -> float:
        value, gradients = truncated_gradient(self.network, x, loss, self.learning.segment, mask)
        for name, parameter in self.network.named_parameters():
            parameter.grad = gradients[name]
        return value

    def _set(self, gradients: dict[str, Tensor], spikes: SpikeTerms) -> None:
        """Hand the gradients to the parameters; what a rule leaves alone gets none."""
        gradients.update(spikes.take())
        parameters = dict(self.network.named_parameters())
        if self.local is not None:
            parameters.update({f"local.{name}": value for name, value in self.local.named_parameters()})
        for name, parameter in parameters.items():
            frozen = name.startswith("blocks.") and not self.learning.law.gradient
            parameter.grad = None if frozen else gradients[name]

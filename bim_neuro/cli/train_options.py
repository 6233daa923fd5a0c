"""Where each option of bim-train has an effect; see `options`."""

from __future__ import annotations

from typing import Any

from .. import arguments
from .options import Condition, Values, needs


def _rule(values: Values) -> Any:
    """Return the learning rule, which must be one by now."""
    from ..training.rules import RULES

    return RULES[arguments.choice(values["rule"], tuple(RULES), "rule")]


def _several_blocks(values: Values) -> bool:
    from ..training.recipes import DEFAULTS

    default = DEFAULTS.get(values["task"])
    return (values["blocks"] or (default.blocks if default else 1)) > 1


def _keeps_traces(values: Values) -> bool:
    return values["rule"] not in ("bptt", "tbptt") and _rule(values).gradient


def _in_segments(values: Values) -> bool:
    credit = values["train.credit"] == "segment" and _several_blocks(values)
    return values["rule"] == "tbptt" or (_keeps_traces(values) and credit)


def _reads_table(values: Values) -> bool:
    from ..training.recipes import DEFAULTS

    default = DEFAULTS.get(values["task"])
    return (values["encoder"] or (default.encoder if default else "graded")) == "table"


_GRADIENT = needs(
    _keeps_traces,
    "with this rule, which keeps no forward traces",
    "choose --rule rtrl or hybrid",
)

_SEGMENTED = needs(
    _in_segments, "without segments", "add --rule tbptt, or --rule rtrl with credit by segment and several --blocks"
)
_PENALISED = needs(lambda v: v["train.rate_penalty"], "without a penalty", "add --set train.rate_penalty=0.1")
_ANEW = needs(lambda v: v["more_epochs"] is None, "with --more-epochs, which keeps the model's own", "leave it out")
_BIM = needs(lambda v: v["train.model"] == "bim", "with a baseline", "leave it out, or leave out train.model")
_BASELINE = needs(lambda v: v["train.model"] != "bim", "without a baseline", "add --set train.model=lstm")
_ALWAYS = (
    "task", "output", "seed", "train.patience", "batch", "learning_rate", "device", "more_epochs", "max_updates",
    "train.csv", "train.checkpoint_minutes", "train.tensorboard", "config", "settings", "listed", "restart", "final",
    "baseline", "json", "run.max_memory", "debug", "version",
)  # fmt: skip

OPTIONS: dict[str, tuple[Condition, ...]] = {
    **dict.fromkeys(_ALWAYS, ()),
    **dict.fromkeys(
        ("epochs", "seeds", "channels", "states", "blocks", "train.taps", "encoder", "train.model"), (_ANEW,)
    ),
    **dict.fromkeys(
        (
            *("train.thresholds", "train.leaks", "train.norm", "train.readout_decay", "train.dt_min", "train.dt_max"),
            *("rule", "prune"),
        ),
        (_ANEW, _BIM),
    ),
    "train.parameters": (_ANEW, _BASELINE),
    "train.embedding": (_ANEW, needs(_reads_table, "without a table", "add --encoder table")),
    "train.softmax": (_ANEW,),  # `TrainingPlan` refuses it for another head than next
    "data": (),  # `load_task` refuses it for a task that makes its own
    "layout": (),  # and this one for every task but 'own'
    "train.accumulate": (),  # `train` refuses it with online updates
    "train.lambda": (_ANEW, needs(lambda v: _rule(v).mixes, "without --rule hybrid", "add --rule hybrid")),
    "train.skips": (_ANEW, needs(_several_blocks, "with one block", "add --blocks 2")),
    "train.credit": (_ANEW, _GRADIENT, needs(_several_blocks, "with one block", "add --blocks 2")),
    "train.traces": (_ANEW, _GRADIENT),
    "train.segment": (_ANEW, _SEGMENTED),
    "train.rate_penalty": (_ANEW, _BIM),  # `Learning` refuses it with other rules than bptt
    "train.rate_target": (_ANEW, _BIM, _PENALISED),
    "train.online": (_ANEW,),  # `Learning` refuses it where it cannot be done
}

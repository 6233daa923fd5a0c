"""Options: where each of bim-compile and bim-report has an effect; one that has none there is refused, not ignored.

    COMPILE["run.lava_timeout"] = (during(RUN), _LAVA)      has an effect if a model is run, and if Lava is used

Every option of a command has an entry here; `tests/cli/test_options.py` checks it. A typed option counts as given,
even if it equals the default.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import typer

from ..errors import InputError
from ..jobs.settings import EVENTS
from ..nodes.switches import SWITCHES
from .model_kind import is_nir, is_s4d, says_less

Values = Mapping[str, Any]
"""What an option or argument was given as, or its default, by its name in Python."""


class Lack(NamedTuple):
    """Why an option has no effect, as 'without --learn', and how to mend it."""

    where: str
    mend: str
    of_mode: bool = False
    """Whether the action itself is the reason; a file for --config may hold options for other actions."""


Condition = Callable[[Values], "Lack | None"]
"""None where the option has an effect."""

RUN, CHECK, SELF_TEST, LIST = "a run", "--check", "--self-test", "--list"


def refuse_without_effect(
    context: typer.Context, conditions: Mapping[str, tuple[Condition, ...]], settings: Values, defaults: Values
) -> None:
    """Refuse, all in one `InputError`, the options and settings that were given and have no effect there."""
    values = {**defaults, **context.params, **settings}
    refused: dict[str, Lack] = {}
    for name, shown, typed in _given(context, settings):
        lacks = (condition(values) for condition in conditions[name])
        lack = next((lack for lack in lacks if lack is not None and (typed or not lack.of_mode)), None)
        if lack is not None:
            refused[shown] = lack
    if refused:
        sentences = [f"{option} has no effect {lack.where}" for option, lack in refused.items()]
        raise InputError("; ".join(sentences), "; ".join(dict.fromkeys(lack.mend for lack in refused.values())))


def _given(context: typer.Context, settings: Values) -> Iterator[tuple[str, str, bool]]:
    """Give each option and setting that was given: its name, how a user writes it, and whether it was typed."""
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "DEFAULT_MAP"):
            yield name, _shown(parameter), source.name == "COMMANDLINE"
    typed = {pair.partition("=")[0].strip() for pair in context.params.get("settings") or ()}
    for name in settings:
        yield name, name, name in typed


def mode_of(values: Values) -> str:
    """Return the action that bim-compile was asked for."""
    asked = {LIST: values["listed"] is not None, SELF_TEST: values["self_test"], CHECK: values["check"]}
    return next((mode for mode, wanted in asked.items() if wanted), RUN)


def during(*modes: str) -> Condition:
    """Hold in these modes of bim-compile."""

    def condition(values: Values) -> Lack | None:
        mode = mode_of(values)
        return None if mode in modes else Lack(f"with {mode}", f"leave it out, or leave out {mode}", of_mode=True)

    return condition


def needs(holds: Callable[[Values], bool], where: str, mend: str, *, of_mode: bool = False) -> Condition:
    """Hold where ``holds`` does."""
    return lambda values: None if holds(values) else Lack(where, mend, of_mode)


def _shown(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return str(parameter.name).upper()
    return next(str(option) for option in parameter.opts if option.startswith("--"))


def _foreign(why: str, mend: str = "leave it out", kind: Callable[[Path], bool] = says_less) -> Condition:
    """Hold for the files of others."""
    return needs(lambda v: v["model"] is None or kind(v["model"]), f"with a model.pt, {why}", mend)


def _without(name: str, option: str) -> Condition:
    """Hold where an option that says the same is not given; it wins over a setting of a file."""
    return needs(lambda v: v.get(name) is None, f"beside {option}", "leave one of the two out", of_mode=True)


def _has_cores(target: str) -> bool:
    from ..hardware import load_profile

    return load_profile(target).usable_cores is not None


def _has_static_power(target: str) -> bool:
    from ..hardware import load_profile

    return load_profile(target).static_mw.published


_SIMULATES = during(RUN)
_BUILDS = during(RUN, CHECK)
_NIR = _foreign("which says how long its steps are", "leave --dt out")
_FOREIGN = _foreign("which brings its own dialect", kind=is_nir)
_ENCODES = _foreign("which brings its own encoder")
_S4D = needs(
    lambda v: v["model"] is None or is_s4d(v["model"]), "with a model that is no S4D's state dict", "leave it out"
)
_RECORDED = needs(lambda v: v["expect"] is not None, "without --expect", "name a recording, as --expect io.npz")
_LEARN = needs(lambda v: v["learn"] != "none", "without --learn", "name a rule, as --learn rtrl")
_LAVA = needs(
    lambda v: "lava" in (v["backend"], v["verify"]), "without the lava backend", "add --verify lava or --backend lava"
)
_IN_SHARDS = needs(
    lambda v: v["verify"] is None and v["backend"] != "lava", "with --verify or Lava, which runs whole", "leave it out"
)
_READS = needs(
    lambda v: not v["check"] or v["input"] is not None or v["expect"] is not None,
    "with --check where there is no --input",
    "give --input, whose first 32 samples calibrate",
    of_mode=True,
)
_OF_A_TASK = needs(
    lambda v: v["input"] is None or v["learn"] != "none",
    "with --input, which replaces the task's recordings", "leave out one of the two",
)  # fmt: skip
_FILE = needs(
    lambda v: any(v.get(name) is not None for name in ("input", "learn.test", "expect")),
    "without --input: the layout of a task is known", "leave it out",
)  # fmt: skip
_STREAMS = needs(
    lambda v: v["learn"] == "none",
    "with --learn, which streams the train split and is measured on the test split", "leave it out",
)  # fmt: skip
_OTHER_BACKEND = needs(
    lambda v: v["verify"] != v["backend"],
    "with the backend that already runs the model", "name another to compare with",
)  # fmt: skip
_CORES = needs(lambda v: _has_cores(v["target"]), "on a simulation, which has no cores", "name a chip with --target")
_STILL = needs(
    lambda v: _has_static_power(v["target"]),
    "on a target without a published static power", "name a chip that has one with --target",
)  # fmt: skip
_WORDS = needs(
    lambda v: v.get("learn.placement") != "tags",
    "with learn.placement=tags: a tag always has 9 bits", "leave it out, or choose neurons or host",
)  # fmt: skip
_LEARNS_NOTHING = needs(
    lambda v: v["learn"] == "none", "with --learn: a weight that learns has 9 bits", "leave one of them out"
)
_STATIC = needs(
    lambda v: v["learn"] == "none", "with --learn: on-chip learning needs fused neurons", "leave one of them out"
)
_FUSED = needs(
    lambda v: v["lowering"] is None, "with --lowering, whose weights have exponents", "leave one of them out"
)
_LOWERED = needs(lambda v: v["lowering"] is not None, "without --lowering", "add --lowering stock")
_SEVERAL_GROUPS = needs(
    lambda v: v["learn"] != "three-factor",
    "with --learn three-factor, by which only the readout learns", "leave it out, or choose another rule",
)  # fmt: skip

COMPILE: dict[str, tuple[Condition, ...]] = {
    "model": (during(RUN, CHECK, SELF_TEST),),
    "target": (_BUILDS,),
    "dt": (_BUILDS, _NIR),
    "dialect": (_BUILDS, _FOREIGN),
    **{f"dialect.{name}": (_BUILDS, _FOREIGN) for name in (*SWITCHES, "layers")},
    "input": (_BUILDS,),
    "data": (_SIMULATES, _OF_A_TASK),
    "samples": (_BUILDS, _READS),
    "split": (_BUILDS, _READS, _STREAMS),
    "layout": (_BUILDS, _FILE),
    "encoder": (_BUILDS, _ENCODES),
    **dict.fromkeys((setting.name for setting in EVENTS), (_BUILDS, _FILE)),
    "steps": (_BUILDS, _READS),
    "backend": (_SIMULATES,),
    "verify": (_SIMULATES, _OTHER_BACKEND),
    "check": (during(CHECK),),
    "strict": (_BUILDS,),
    "learn": (_BUILDS,),
    "quantise.weight_bits": (_BUILDS, _LEARNS_NOTHING, _FUSED),
    "lowering": (_BUILDS, _STATIC),
    "lowering.segments": (_BUILDS, _LOWERED),
    "lowering.decay_bits": (_BUILDS, _LOWERED),
    "s4d.activation": (_BUILDS, _S4D),
    **dict.fromkeys(("prune.share", "nir.for", "netx.write"), (_BUILDS,)),
    "learn.test": (_SIMULATES, _LEARN),
    "learn.samples": (_SIMULATES, _LEARN),
    "learn.placement": (_BUILDS, _LEARN),
    "learn.bits": (_BUILDS, _LEARN, _WORDS),
    "learn.rate": (_BUILDS, _LEARN),
    "learn.rounding": (_BUILDS, _LEARN),
    "learn.synapses": (_BUILDS, _LEARN, _SEVERAL_GROUPS),
    "learn.prune": (_BUILDS, _LEARN),
    "learn.replay": (_BUILDS, _LEARN),
    "learn.seed": (_BUILDS, _LEARN),
    "min_agreement": (_SIMULATES,),
    "max_energy": (_SIMULATES,),
    "max_latency": (_SIMULATES,),
    "max_cores": (_BUILDS, _CORES),
    "optimise": (_BUILDS, _CORES),
    "output": (_SIMULATES,),
    "board.kit": (_SIMULATES,),
    "boundary": (_SIMULATES, _CORES),
    "sample_rate": (_SIMULATES, _CORES, _STILL),
    "power.boundary": (_SIMULATES, _CORES, _without("boundary", "--boundary")),
    "power.sample_rate": (_SIMULATES, _CORES, _STILL, _without("sample_rate", "--sample-rate")),
    "expect": (_BUILDS, _STREAMS),
    "run.float_bits": (_SIMULATES, _RECORDED),
    "expect.voltages": (_SIMULATES, _RECORDED),
    "expect.currents": (_SIMULATES, _RECORDED),
    "run.lava_timeout": (_SIMULATES, _LAVA),
    "run.executor": (_SIMULATES, _IN_SHARDS),
    "run.max_memory": (during(RUN, CHECK, SELF_TEST),),
    "self_test": (during(SELF_TEST),),
    "config": (),
    "settings": (),
    "listed": (during(LIST),),
    "json_output": (),
    "debug": (),
    "version": (),
}

_OF_REPORTS = ("output", "config", "json_output", "debug")
REPORT: dict[str, tuple[Condition, ...]] = dict.fromkeys(("folder", "opened", *_OF_REPORTS, "version"), ())
FIT: dict[str, tuple[Condition, ...]] = dict.fromkeys(("files", "target", "prices", *_OF_REPORTS), ())
COMPARE: dict[str, tuple[Condition, ...]] = dict.fromkeys(("folders", *_OF_REPORTS), ())
RUNS: dict[str, tuple[Condition, ...]] = dict.fromkeys(("places", *_OF_REPORTS), ())
BEST: dict[str, tuple[Condition, ...]] = dict.fromkeys(("folder", "least", "min", "max", *_OF_REPORTS[1:]), ())

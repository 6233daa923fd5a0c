"""Where each option of bim-sweep has an effect; see `options`."""

from __future__ import annotations

from ..jobs.settings import SWEEP
from .options import Condition, needs

_DRAWN = needs(lambda v: v["proposals"] != "grid", "with --proposals grid", "choose random or optuna")
_SLURM = needs(
    lambda v: (v["executor"] or "").startswith("submitit:slurm"),
    "without --executor submitit:slurm",
    "add it, or leave this out",
)
_OF_SLURM = {setting.name: (_SLURM,) for setting in SWEEP if setting.name.startswith("slurm.")}

OPTIONS: dict[str, tuple[Condition, ...]] = {
    **dict.fromkeys(("model", "vary", "fix", "train", "seeds", "objective", "proposals", "trials", "executor"), ()),
    **dict.fromkeys(("config", "settings", "listed", "output", "json_output", "debug", "version", "sweep.keep"), ()),
    "sweep.seed": (_DRAWN,),
    **_OF_SLURM,
}

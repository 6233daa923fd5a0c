"""summary.json as typed models: each key with its type, unit and description, in one place.

Summary            the whole file; the sections are its fields
made, read, plain  models from our own values, models from a file, and back
schema_of          the JSON Schema of a model: docs/summary.schema.json
"""

from .asked import Asked, Hashes, Sequences
from .costs import (
    AtRate,
    BusyLink,
    BusyTime,
    Dense,
    Energy,
    Latency,
    LayerEnergy,
    PowerLine,
    Processor,
    Sensitivity,
    StepTime,
    TermTime,
)
from .expect import Expect, ExpectLayer, FirstBin, Undecided
from .learning import Learning, LearningVerification
from .parts import Backend, Judge, Objective, Quantity, Range
from .plain import Misshapen, OtherKeys, made, plain, read
from .program import Constant, Cores, Encoder, Finding, MapCut, Placement, WorstCore
from .run import (
    Accuracy,
    Agreement,
    Answers,
    Compared,
    Confusion,
    Interval,
    Layer,
    Metrics,
    NeuroBench,
    Sides,
    Verification,
)  # fmt: skip
from .schema import schema_of
from .summary import VERSION, Summary

__all__ = [
    "VERSION",
    "Accuracy",
    "Agreement",
    "Answers",
    "Asked",
    "AtRate",
    "Backend",
    "BusyLink",
    "BusyTime",
    "Compared",
    "Confusion",
    "Constant",
    "Cores",
    "Dense",
    "Encoder",
    "Energy",
    "Expect",
    "ExpectLayer",
    "Finding",
    "FirstBin",
    "Hashes",
    "Interval",
    "Judge",
    "Latency",
    "Layer",
    "LayerEnergy",
    "Learning",
    "LearningVerification",
    "MapCut",
    "Metrics",
    "Misshapen",
    "NeuroBench",
    "Objective",
    "OtherKeys",
    "Placement",
    "PowerLine",
    "Processor",
    "Quantity",
    "Range",
    "Sensitivity",
    "Sequences",
    "Sides",
    "StepTime",
    "Summary",
    "TermTime",
    "Undecided",
    "Verification",
    "WorstCore",
    "made",
    "plain",
    "read",
    "schema_of",
]

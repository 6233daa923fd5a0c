"""summary.json whole: every section, in the order of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Literal

from .asked import Asked, Sequences
from .costs import AtRate, Boundary, Dense, Energy, Latency, PowerLine, Sensitivity, StepTime
from .expect import Expect
from .learning import Learning
from .parts import Amount, Backend, Count, Judge, Objective, Range, Some
from .plain import plain
from .program import Constant, Cores, Encoder, Finding, Placement
from .run import Accuracy, Agreement, Answers, Layer, NeuroBench, Verification
from .says import Items, Unit, Within

VERSION: Literal[2] = 2


@dataclass(frozen=True)
class Summary:
    """What bim-compile writes to OUT/summary.json.

    Counts are totals over `samples` samples; energy is per sample, in pJ.
    """

    schema_version: Annotated[Literal[2], "Version of these keys; a file without it is of version 1."]
    bim_neuro: Annotated[str, "The version of bim-neuro that wrote the file."]
    command: Annotated[str, "The command line, quoted for a shell."]
    request: Annotated[Asked, "Everything requested and read."]
    model: Annotated[str, "Path of the compiled model, as given."]
    task: Annotated[str, "The task the model was trained on: digits, ecg, own, ..."]
    input: Annotated[str, "Where the samples come from: a path, or a task and its split."]
    sequences: Annotated[Sequences, "Which sequences were run."]
    target: Annotated[str, "Name of the hardware profile."]
    backend: Annotated[
        Backend, "What computed the integers of `layers`; `engine` may be the numpy law, see docs/engine.md."
    ]
    dt: Annotated[float, "Duration of one step of the model.", Unit("s"), Within(above=0)]
    samples: Annotated[Some, "Samples that were run; counts are totals over them."]
    steps: Annotated[Some, "Steps of one sample."]
    period: Annotated[Some, "Steps from one sample to the next: its own, and the silent ones that flush the delays."]
    latency_steps: Annotated[Count, "Steps between a sample entering and the output answering its first step."]
    optimise: Annotated[
        Objective | None,
        "What the placement was chosen for with --optimise; null where none was asked for.",
    ]
    assumptions: Annotated[tuple[str, ...], "Assumptions of the result, one sentence each."]
    findings: Annotated[tuple[Finding, ...], "Findings of the compiler, then of the run."]
    constants: Annotated[tuple[Constant, ...], "Each constant of the model in float and as the integers hold it."]
    encoder: Annotated[Encoder, "The scale of the input."]
    cores: Annotated[Cores, "Cores of the chip."]
    placement: Annotated[Placement | None, "How good the placement is; null for a simulation."]
    layers: Annotated[tuple[Layer, ...], "Every node but the input, sources first.", Items(1)]
    latency: Annotated[Latency, "How long the run takes on the chip."]
    energy: Annotated[Energy, "What the run costs on the chip."]
    dense: Annotated[Dense, "What the same model costs computed densely."]
    neurobench: Annotated[NeuroBench, "The metrics of NeuroBench."]
    accuracy: Annotated[
        Accuracy | None,
        "Share of right answers on the samples that were run; null where their labels are not known.",
    ]
    agreement: Annotated[
        tuple[Agreement, ...],
        "Effect of fixed point: float compared with integers, a row for each spiking layer and readout.",
    ]
    verify: Annotated[
        Verification | None, "Comparison with a second backend, value by value; null where none was asked for."
    ]
    learning: Annotated[Learning | None, "On-chip learning before the run; null if nothing was learnt."]
    judge: Annotated[dict[str, Judge], "For each node, whose process runs it on Lava."]
    seconds: Annotated[dict[str, Amount], "Time spent in each stage, in order.", Unit("s")]
    expect: Annotated[
        Expect | None, "The recording of --expect, by a framework or a chip, beside this run; left out without one."
    ] = None
    time: Annotated[StepTime | None, "What a step waits for; this key and all below are not in older files."] = None
    boundary: Annotated[Boundary | None, "The boundary whose static power `energy` and `at_rate` count."] = None
    sample_rate_hz: Annotated[float | None, "The task's rate.", Unit("samples a second"), Within(above=0)] = None
    duty: Annotated[Range | None, "Share of the time that the chip computes at that rate; above 1 it is too slow."] = (
        None
    )
    at_rate: Annotated[AtRate | None, "A sample at that rate."] = None
    power: Annotated[
        dict[Boundary, PowerLine] | None,
        "Power at that rate by boundary, each of which contains the one before; without those of unknown static power.",
    ] = None
    sensitivity: Annotated[
        tuple[Sensitivity, ...] | None, "The prices that decide the energy, the one that moves it most first."
    ] = None
    interval_pj: Annotated[
        Range | None, "Energy of a sample over random prices: quantiles of 5 %, 50 % and 95 %.", Unit("pJ a sample")
    ] = None
    dynamic_interval_pj: Annotated[Range | None, "The same of the dynamic energy.", Unit("pJ a sample")] = None
    answers: Annotated[Answers | None, "Figures of a model that is asked for more than one class a sequence."] = None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON holds them."""
        return dict(plain(self))

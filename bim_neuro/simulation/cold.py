"""Cold start: whether the numpy law has ended a run before the kernels of the engine would be compiled.

Both give the same integers and counts (tests/simulation). So after an installation, or where nothing can be kept on the
disk, a short run need not wait for a compiler; what a run costs is estimated, not tried, from the size of its arrays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..graph import IntegerGraph
from ..jit import is_kept
from ..nodes import Conv
from ..nodes.arithmetic import ceil_div
from .kernels import run
from .ready import are_kept
from .reference import BATCH

if TYPE_CHECKING:
    from .compiled import Engine

SHORT = 3.0
"""Seconds of a run that is not worth the compiler, which takes three to five on two idle cores of an AMD EPYC."""
CALL = 15e-6  # seconds of a node or a synapse, a step of a batch, on the same core
WORD = 20e-9  # of a message, a state, or a sum of one synapse's messages, of a sample, a step
WEIGHT = 4e-9  # of a synapse, a step of a batch: its weights are turned into float64
TAP = 0.25e-9  # of a synapse of a convolution, a step of a sample
_played = [0.0]  # seconds of the short runs of this process, as estimated


def kernels_are_ready(engine: Engine) -> bool:
    """Whether this process, or the disk, has the machine code of all kernels that runs of an engine call."""
    return is_kept(run) and are_kept(engine.plan, probed=True)


def is_short(graph: IntegerGraph, samples: int, steps: int) -> bool:
    """Whether the numpy law has ended a run, and those of this process before it, before kernels would be compiled.

    So a process that plays one short run after another, as the worker of a sweep does, compiles after a few.
    """
    seconds = numpy_seconds(graph, samples, steps)
    if _played[0] + seconds >= SHORT:
        return False
    _played[0] += seconds
    return True


def numpy_seconds(graph: IntegerGraph, samples: int, steps: int) -> float:
    """Estimate how long the numpy law takes."""
    words = sum(node.neurons * (1 + node.state_words) for node in graph.nodes.values())
    listed = [edge for edge in graph.edges if not isinstance(edge.synapse, Conv)]
    synapses = sum(edge.synapse.count for edge in listed)
    words += sum(graph.nodes[edge.target].neurons for edge in listed)
    taps = sum(edge.synapse.count for edge in graph.edges if isinstance(edge.synapse, Conv))
    calls = (len(graph.nodes) + len(graph.edges)) * CALL + synapses * WEIGHT
    total = graph.period(steps) + max(graph.depth.values())
    return total * (ceil_div(samples, BATCH) * calls + samples * (words * WORD + taps * TAP))

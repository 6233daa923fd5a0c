"""The trace process: the compiled kernel is the numpy law, the law is the gradient, and its words keep it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plastic_models import Case, plastic_case

from benchmarks.chip_traces import by_kernel, by_law, cosines, float_gradient, gradient, real_network
from bim_neuro.compilers.plasticity.roles import roles_of
from bim_neuro.errors import DoesNotFit
from bim_neuro.plasticity.noise import noise
from bim_neuro.plasticity.request import ROUNDINGS
from bim_neuro.plasticity.trace_process.law import NAMES, TraceProcess, round_words
from bim_neuro.simulation.compiled import Engine


@st.composite
def cases(draw: st.DrawFn) -> tuple[Case, int]:
    """Draw a small plastic block, and by how many bits its trace words are too narrow."""
    case = plastic_case(
        draw(st.integers(0, 999)),
        samples=3,
        steps=9,
        spiking=draw(st.booleans()),
        channels=draw(st.integers(1, 7)),
        states=draw(st.integers(1, 4)),
        taps=draw(st.integers(1, 4)),
        trace_bits=draw(st.sampled_from((6, 12, 16))),
        rounding=draw(st.sampled_from(ROUNDINGS)),
        seed=draw(st.integers(0, 2**31 - 1)),
    )
    return case, draw(st.sampled_from((0, 0, 5)))


def narrowed(process: TraceProcess, bits: int) -> TraceProcess:
    return replace(process, units={name: unit - bits for name, unit in process.units.items()})


@settings(max_examples=25)
@given(drawn=cases(), first=st.integers(0, 10**6), begin=st.sampled_from((0, 0, 4, 8)))
def test_the_kernel_is_the_law(drawn: tuple[Case, int], first: int, begin: int) -> None:
    case, too_narrow = drawn
    block = replace(case.block, process=narrowed(case.block.process, too_narrow))
    law = by_law(block, case.x[0], first=first, begin=begin)
    kernel, lost = by_kernel(block, case.x[0], first=first, begin=begin)
    np.testing.assert_array_equal(kernel.spikes, law.spikes)
    np.testing.assert_array_equal(kernel.output, law.output)
    for name in NAMES:
        np.testing.assert_array_equal(kernel.traces[name], law.traces[name], err_msg=name)
    assert not lost or too_narrow


def test_a_readout_read_from_a_later_step_is_that_of_the_steps_since() -> None:
    case = plastic_case(samples=3, steps=9)
    late = replace(case.block, read_from=6)
    law, (kernel, _) = by_law(late, case.x[0]), by_kernel(late, case.x[0])
    np.testing.assert_array_equal(kernel.output, law.output)
    until, _ = by_kernel(case.block, case.x[0][:6])
    np.testing.assert_array_equal(kernel.output, by_law(case.block, case.x[0]).output - until.output)
    assert kernel.output.any()


def test_words_too_narrow_saturate_and_are_counted() -> None:
    block = plastic_case(trace_bits=12).block
    x = plastic_case().x[0]
    assert by_kernel(block, x)[1] == 0
    narrow = replace(block, process=narrowed(block.process, 5))
    kernel, lost = by_kernel(narrow, x)
    assert lost > 0
    assert max(int(np.abs(trace).max()) for trace in kernel.traces.values()) == 2**11 - 1


@pytest.mark.parametrize("spiking", [False, True])
@pytest.mark.parametrize("taps", [1, 4])
def test_the_forward_pass_is_the_engines(spiking: bool, taps: int) -> None:
    case = plastic_case(3, spiking=spiking, taps=taps)
    record = Engine(case.block.graph).run(case.x, probe=True)
    spikes = record.probes[f"{roles_of(case.block.graph).lif}.message"]
    for sample, x in enumerate(case.x):
        kernel, _ = by_kernel(case.block, x)
        np.testing.assert_array_equal(kernel.output, record.output[sample])
        np.testing.assert_array_equal(kernel.spikes, spikes[sample, : len(x)])
    assert spikes.any()


# ---- the law is the gradient


def agreement(case: Case, process: TraceProcess) -> float:
    """The smallest cosine of any group between the law without rounding and the float gradient.

    Over the samples in which float and integer block spike alike: elsewhere they are gradients of other functions.
    """
    alike, network = [], real_network(case.checkpoint, case.block)
    for sample, x in enumerate(case.x):
        y = int(case.y[sample])
        spikes, wanted = float_gradient(network, case.checkpoint.encoder.to_float(x), y)
        played = by_law(case.block, x, process=process)
        if np.array_equal(played.spikes, spikes):
            alike.append(cosines(gradient(case.block, played, y, process), wanted))
    assert len(alike) >= len(case.x) / 2
    return min(min(cosine.values()) for cosine in alike)


GRADIENT_CASES: list[dict[str, Any]] = [
    {"model": 0}, {"model": 1, "taps": 1}, {"model": 2, "states": 1},
    {"model": 3, "spiking": True},  # membranes far below the threshold: the tail of psi counts
    {"model": 7, "spiking": True},  # small delta: B u alone is larger than any state
]  # fmt: skip


@pytest.mark.parametrize("shape", GRADIENT_CASES, ids=str)
def test_without_rounding_the_law_is_the_gradient(shape: dict[str, Any]) -> None:
    """What is left is the block's own rounding: 16-bit factors, and a psi table that is right to 0.3 %."""
    case = plastic_case(steps=20, **shape)
    assert agreement(case, case.block.process.exact()) > 1 - 1e-4


def no_direct_term(process: TraceProcess) -> TraceProcess:
    return replace(process, skip_shift=-60)


def no_gradient_through_the_reset(process: TraceProcess) -> TraceProcess:
    return replace(process, v_factor=0)


def no_decay_in_dt(process: TraceProcess) -> TraceProcess:
    return replace(process, rate=0 * process.rate)


def a_unit_wrong_by_one_bit(process: TraceProcess) -> TraceProcess:
    return replace(process, drive_shift=process.drive_shift + 1)


def a_psi_too_narrow(process: TraceProcess) -> TraceProcess:
    return replace(process, psi_factor=2 * process.psi_factor)


@pytest.mark.parametrize(
    "fault",
    [no_direct_term, no_gradient_through_the_reset, no_decay_in_dt, a_unit_wrong_by_one_bit, a_psi_too_narrow],
    ids=lambda fault: fault.__name__,
)
def test_a_wrong_law_is_not_the_gradient(fault: Any) -> None:
    case = plastic_case(steps=20)
    assert agreement(case, fault(case.block.process.exact())) < 1 - 1e-3


# ---- words


@pytest.mark.parametrize("total", [1, 40_000, -1, -40_000, 123_456, -7_654_321])
def test_stochastic_rounding_is_right_on_average(total: int) -> None:
    rounded = round_words(np.full(10_000, total), 16, "stochastic", 0, 0)
    assert set(rounded - (total >> 16)) <= {0, 1}
    assert abs(rounded.mean() - total / 2**16) < 4 * 0.5 / 100  # four standard errors at most


def test_a_trace_of_one_last_bit_decays_on_average_only_if_rounding_is_stochastic() -> None:
    factor, left = 60_000, {}
    for rounding in ROUNDINGS:
        word = np.ones(10_000, np.int64)
        for step in range(20):
            word = round_words(word * factor, 16, rounding, 0, step << 28)
        left[rounding] = word.mean()
    assert left["stochastic"] == pytest.approx((factor / 2**16) ** 20, abs=0.02)
    assert left["nearest"] == 1
    assert left["truncate"] == 0


def test_draws_do_not_depend_on_how_they_are_cut() -> None:
    whole = noise(7, 100, (6, 4), 16)
    np.testing.assert_array_equal(whole[2:], noise(7, 108, (4, 4), 16))
    assert (whole != noise(8, 100, (6, 4), 16)).any()


def fidelity(bits: int, rounding: str) -> dict[str, float]:
    """The mean cosine of each group between the words' gradient and the exact one on the same trajectory."""
    case = plastic_case(1, steps=30, channels=12, samples=8, trace_bits=bits, rounding=rounding)
    rows, exact = [], case.block.process.exact()
    for index, (x, y) in enumerate(zip(case.x, case.y, strict=True)):
        words, whole = by_law(case.block, x, first=index * len(x)), by_law(case.block, x, process=exact)
        rows.append(cosines(gradient(case.block, words, int(y)), gradient(case.block, whole, int(y), exact)))
    return {group: float(np.mean([row[group] for row in rows])) for group in rows[0]}


@pytest.mark.parametrize("rounding", ["stochastic", "nearest"])
def test_twelve_bits_keep_the_gradient(rounding: str) -> None:
    assert min(fidelity(12, rounding).values()) > 0.99


def test_six_bits_do_not() -> None:
    assert min(fidelity(6, "stochastic").values()) < 0.95


def test_products_that_could_wrap_are_refused_by_name() -> None:
    case = plastic_case(trace_bits=24, rule="s-tllr", samples=2, steps=500)
    assert case.block.process.bits == 24
    with pytest.raises(DoesNotFit, match=r"layer 'block1.scan': the three-factor update may need \d+ bits"):
        plastic_case(trace_bits=24, rule="s-tllr", samples=2, steps=500, tau_plus=400.0, a_plus=50.0)

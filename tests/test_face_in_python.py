"""What a user meets in a notebook: objects that show themselves briefly, a program that answers for itself."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import ROOT

import bim_neuro
from bim_neuro.estimates.energy import price
from bim_neuro.estimates.latency import latency
from bim_neuro.hardware import load_profile
from bim_neuro.jobs.learn import learning_key
from bim_neuro.model.checkpoint import load_checkpoint
from bim_neuro.pipeline import Program
from bim_neuro.plasticity.request import Plasticity
from bim_neuro.printable import outline
from bim_neuro.record import RunRecord
from bim_neuro.tasks.dataset import Dataset

DIGITS = ROOT / "examples" / "digits.pt"


@pytest.fixture(scope="module")
def program() -> Program:
    return bim_neuro.compile(DIGITS)


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).uniform(0, 16, (3, 8, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def record(program: Program, x: np.ndarray) -> RunRecord:
    return program.run(x, probe=True)


def parts(value: Any) -> Iterator[Any]:
    """Yield every dataclass in a value, itself first."""
    if is_dataclass(value) and not isinstance(value, type):
        yield value
        inside = [getattr(value, field.name) for field in fields(value)]
    else:
        inside = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list | tuple) else []
    for part in inside:
        yield from parts(part)


def test_everything_in_a_program_and_its_results_shows_itself_in_a_few_lines(
    program: Program, record: RunRecord, x: np.ndarray
) -> None:
    reports = (price(program.placed, record, program.profile), latency(program.placed, record, program.profile))
    roots = (program, record, program.artefact(x), load_checkpoint(DIGITS), *reports)
    shown = {type(part).__name__: repr(part) for part in parts(roots)}
    assert {"IntegerScan", "IntegerLIF", "Dense", "Edge", "Core", "Placement", "HardwareProfile"} <= set(shown)
    texts = [repr(part) for part in parts(roots)]
    assert [text[:80] for text in texts if len(text) > 500 or text.count("\n") >= 5] == []


def test_an_outline_shows_numbers_as_they_are_and_arrays_by_type_and_shape(program: Program) -> None:
    lif = program.graph.nodes["block1.lif"]
    assert repr(lif).startswith(f"IntegerLIF(size={lif.neurons}, du={lif.du}, dv={lif.dv}, ")
    assert "bias_mant=<int64 (128,)>" in repr(lif)
    assert outline(program.profile).endswith(" more)")


def test_what_a_learning_run_is_known_by_holds_every_number_of_the_chip(program: Program, x: np.ndarray) -> None:
    """The profile shows itself cut short: that must not make two chips one."""
    data, profile = Dataset(x, np.zeros(3, np.int64)), load_profile("loihi2")
    other = replace(profile, learning=replace(profile.learning, epoch_steps=profile.learning.trace_bits))
    keys = {learning_key(replace(program, profile=p), Plasticity(), data, {}) for p in (profile, other)}
    assert repr(profile) == repr(other)
    assert len(keys) == 2


def test_the_command_line_says_a_hint_once(tmp_path: Path) -> None:
    words = (DIGITS, "--target", "loihi3", "-o", tmp_path / "out")
    for debug in ((), ("--debug",)):
        script = "from bim_neuro.cli import compile_main; compile_main()"
        command = [sys.executable, "-c", script, *map(str, words), *debug]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=100, check=False)
        assert ended.returncode in (1, 2)
        assert ended.stderr.count("loihi2,") == 1, ended.stderr

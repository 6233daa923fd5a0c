"""Modules of frameworks: what their own exporters make of them is what they play.

Of the frameworks only norse is installed beside the suite; `make frameworks` compiles the nets of all four
(scripts/check_live_nets.py).
"""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from live_nets import NETS, norse_mlp
from torch import nn

import bim_neuro
from bim_neuro.errors import InputError
from bim_neuro.frameworks import FRAMEWORKS, module
from bim_neuro.frameworks.switches import switches_of

ROOT = Path(__file__).parent.parent
DT = 1e-3
norse = pytest.importorskip("norse.torch")


@pytest.mark.parametrize("name", [name for name in NETS if name.startswith("norse")])
def test_a_module_of_norse_becomes_what_it_plays(name: str) -> None:
    torch.manual_seed(5)
    net, sample, dt, x, play = NETS[name]()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with torch.no_grad():
        theirs = play(x).transpose(0, 1).numpy()
    program = bim_neuro.compile(net, sample=sample, dt=dt)
    ours = program.run_float(x.transpose(0, 1).flatten(2).numpy()).probes[f"{program.graph.output}.message"]
    assert theirs.sum() > 50
    assert np.count_nonzero(ours != theirs) == 0
    assert program.reference.dt == DT  # as its cells say
    assert program.reference.extra["assumptions"][:2] == [
        "the module was exported by norse 1.1.0, resets were read off its layers", "a step takes dt = 0.001 s",
    ]  # fmt: skip
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())


def test_the_versions_that_make_frameworks_installs_are_those_tested() -> None:
    said = (ROOT / "scripts/frameworks.txt").read_text() + (ROOT / "scripts/frameworks").read_text()
    installed = dict(re.findall(r"(\w+)(?:\[\w+\])?==([\d.]+)", said))
    assert {each.name: installed[each.name] for each in FRAMEWORKS} == {
        each.name: each.versions[-1] for each in FRAMEWORKS
    }


def test_another_version_is_refused_with_the_tested_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "version", lambda _name: "1.2.0")
    net, sample, *_ = norse_mlp()
    with pytest.raises(InputError, match=r"norse 1\.2\.0 is installed, its export is tested in 1\.1\.0") as caught:
        bim_neuro.compile(net, sample=sample)
    assert "norse.torch.to_nir(net, sample, dt=1.0)" in caught.value.hint


def compiled(net: nn.Module, sample: Any = None, **more: Any) -> None:
    bim_neuro.compile(net, sample=np.zeros((1, 6)) if sample is None else sample, **more)


def of(*layers: nn.Module, lines: int = 6) -> None:
    """Compile layers of norse that read so many lines."""
    bim_neuro.compile(norse.SequentialState(*layers), sample=np.zeros((1, lines)))


LIF = norse.LIFBoxCell
REFUSED: dict[str, tuple[Any, str]] = {
    "no sample": (lambda: bim_neuro.compile(norse_mlp()[0]), "a module of norse needs a sample"),
    "another dt": (lambda: compiled(*norse_mlp()[:2], dt=2e-3), "the module has dt = 0.001 s, dt says 0.002 s"),
    "two dt": (
        lambda: of(nn.Linear(6, 4), LIF(dt=1e-3), nn.Linear(4, 4), LIF(dt=2e-3)),
        "layers have dt = 0.001, 0.002 s, one is needed",
    ),
    "another dialect": (
        lambda: compiled(*norse_mlp()[:2], dialect="sinabs"),
        "the module is of norse, dialect says sinabs",
    ),
    "a dialect of 5": (lambda: compiled(*norse_mlp()[:2], dialect=5), "dialect is 5, a name or a table"),
    "a config": (lambda: compiled(*norse_mlp()[:2], config={}), "config has no effect on a module"),
    "no framework": (lambda: bim_neuro.compile(nn.Linear(6, 4), dt=DT), "a Linear with layers of none of norse, snn"),
    "a BatchNorm": (
        lambda: of(nn.Linear(6, 4), nn.BatchNorm1d(4), LIF()),
        r"norse 1\.1\.0 does not export layer '1' \(BatchNorm1d\)",
    ),
    "a v_reset": (
        lambda: of(nn.Linear(6, 4), LIF(norse.LIFBoxParameters(v_reset=torch.tensor(-0.5)))),
        r"layer '1' \(LIFBoxCell\) has v_reset other than 0",
    ),
    "another width": (
        lambda: of(nn.Linear(6, 4), LIF(), lines=5),
        r"norse 1\.1\.0 does not export this module: RuntimeError: mat1 and mat2",
    ),
    "a number": (lambda: bim_neuro.compile(3), "model is 3"),
    "an unknown argument": (lambda: bim_neuro.compile("x.pt", dtt=1), "unexpected keyword argument 'dtt'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_module_is_refused_by_name(name: str) -> None:
    act, said = REFUSED[name]
    with pytest.raises((InputError, TypeError), match=said):
        act()


def layer(**fields: Any) -> Any:
    return SimpleNamespace(**fields)


class MembraneReset:
    """Stands for sinabs' own, which is not installed here."""


def test_the_switches_of_layers_that_differ_are_said_layer_by_layer() -> None:
    leaky = {"inhibition": False, "state_quant": False, "graded_spikes_factor": 1.0}
    zero = layer(reset_mechanism="zero", reset_delay=False, recurrent=None, **leaky)
    subtract = layer(reset_mechanism="subtract", **leaky)
    assert switches_of("snntorch", {"1": zero, "2": nn.Linear(1, 1), "3": subtract}) == {
        "layers": "1.lif.reset=zero,1.lif.reset_when=same"
    }
    assert switches_of("snntorch", {"1": subtract, "3": subtract}) == {}
    sinabs = {"norm_input": False, "reset_fn": MembraneReset(), "spike_threshold": torch.ones(1)}
    one = layer(spike_fn=layer(__name__="SingleSpike"), min_v_mem=torch.tensor(-1.0), **sinabs)
    assert switches_of("sinabs", {"1": one}) == {
        "input": "whole", "counts": "one", "reset": "zero", "floor": "threshold",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"min_v_mem -0\.5"):
        switches_of("sinabs", {"1": layer(spike_fn=layer(__name__="MultiSpike"), min_v_mem=-0.5, **sinabs)})
    with pytest.raises(InputError, match="reset_mechanism"):
        switches_of("snntorch", {"1": layer(reset_mechanism="none", **leaky)})

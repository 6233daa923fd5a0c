"""Pruning without training: the same zeros as PyTorch's own l1_unstructured, and a run that says what it lost."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from commands import bim_compile, save_input, save_model
from small_models import small_checkpoint

from bim_neuro.compilers.prune import pruned
from bim_neuro.errors import InputError
from bim_neuro.model.export import export
from bim_neuro.nodes import Dense
from bim_neuro.reading import read_model
from bim_neuro.report.files import read_summary


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_zeros_are_those_of_pytorchs_own_pruning(share: float) -> None:
    torch = pytest.importorskip("torch")
    from torch.nn.utils import prune

    graph = export(small_checkpoint())
    kept = {edge.name: edge.synapse for edge in pruned(graph, share).edges}
    dense = [edge for edge in graph.edges if isinstance(edge.synapse, Dense)]
    assert dense
    for edge in dense:
        layer = torch.nn.Linear(edge.synapse.weight.shape[1], edge.synapse.weight.shape[0]).double()
        layer.weight.data = torch.from_numpy(np.array(edge.synapse.weight, np.float64))
        prune.l1_unstructured(layer, "weight", amount=share)
        assert np.array_equal(kept[edge.name].weight, layer.weight.detach().numpy())


def test_a_share_of_all_is_refused() -> None:
    with pytest.raises(InputError, match="share of 1 of the weights"):
        pruned(export(small_checkpoint()), 1.0)


def test_a_compile_prunes_before_it_quantises_and_says_so(tmp_path: Path) -> None:
    model, samples = save_model(tmp_path / "small.pt"), save_input(tmp_path / "xy.npz", y=np.arange(6) % 4)
    for name, setting in (("all", ()), ("half", ("--set", "prune.share=0.5"))):
        assert bim_compile(model, "--input", samples, *setting, "-o", tmp_path / name).code == 0
    whole, half = (read_summary(tmp_path / name) for name in ("all", "half"))
    assert any("of their squares" in line for line in half.assumptions)
    assert not any("of their squares" in line for line in whole.assumptions)
    sparse = {layer.name: layer.weight_sparsity for layer in half.layers}
    assert all(sparse[name] >= 0.45 for name in ("readout",)), sparse
    assert read_model(tmp_path / "half" / "model.nir").extra["assumptions"] != []
    assert half.request.options["prune"] == 0.5
    assert "prune" not in whole.request.options

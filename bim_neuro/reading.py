"""A model as a float graph: from model.pt, .nir or lava-dl's .net, told apart by their first bytes and the name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import arguments
from .errors import InputError
from .extras import check_extra
from .graph import FloatGraph
from .intake import is_hdf5, opened

AnyDialect = Any
"""What a .nir of another framework does not say; see `nir_bridge.dialect`, which is imported where one is read."""


def read_model(
    path: str | Path, dt: float | None = None, dialect: AnyDialect = None, encoder: str | None = None
) -> FloatGraph:
    """Read a float graph from model.pt, .nir or .net, told apart by their first bytes and the name."""
    path = arguments.path(path, "model")
    if dt is not None:
        dt = arguments.duration(dt, "dt")
    with opened(path, empty=path.suffix == ".bimn") as file:
        hdf5 = is_hdf5(file)
    if path.suffix == ".net":
        if dialect:
            raise InputError(f"{path} is lava-dl's, which says how its neurons step", "leave --dialect out")
        from .netx import read_net

        return read_net(path, dt, encoder=encoder)
    if path.suffix == ".nir" or hdf5:
        from .nir_bridge import read_nir

        return read_nir(path, dt=dt, dialect=dialect, encoder=encoder)
    if path.suffix == ".bimn":
        raise InputError(f"{path} is a compiled artefact", "give the model it was made from, or add --self-test")
    if encoder is not None:
        raise InputError(f"{path} is a model.pt, which brings its own encoder", "leave --encoder out")
    if dialect:
        raise InputError(f"{path} is a model.pt, which brings its own dialect", "leave --dialect out")
    check_extra("train", "torch", f"{path}, a model.pt,")
    from .model.checkpoint import load_checkpoint
    from .model.export import export

    checkpoint = load_checkpoint(path)
    if not checkpoint.ranges:
        hint = "run the same bim-train again: it goes on after the training"
        raise InputError(f"{path} was not calibrated: its training was stopped right after the last epoch", hint)
    graph = export(checkpoint)
    if dt is not None and dt != graph.dt:
        raise InputError(f"{path} was trained with dt = {graph.dt:g} s, --dt says {dt:g} s", "leave --dt out")
    return graph

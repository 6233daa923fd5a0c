"""A model as a float graph: from model.pt, .nir or lava-dl's .net, told apart by their first bytes and the name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import arguments
from .choices import ACTIVATIONS, ENCODERS
from .errors import InputError
from .extras import check_extra
from .graph import FloatGraph
from .intake import is_hdf5, opened

_NO_S4D = "is no state dict of an S4D: s4d.activation has no effect"
AnyDialect = Any
"""What a .nir of another framework does not say; see `nir_bridge.dialect`, which is imported where one is read."""


def read_model(
    path: str | Path,
    dt: float | None = None,
    dialect: AnyDialect = None,
    encoder: str | None = None,
    activation: str | None = None,
) -> FloatGraph:
    """Read a float graph from model.pt, .nir, .net or the state dict of an S4D, told apart by content and name.

    ``activation`` is that of an S4D.
    """
    path = arguments.path(path, "model")
    if dt is not None:
        dt = arguments.duration(dt, "dt")
    with opened(path, empty=path.suffix == ".bimn") as file:
        hdf5 = is_hdf5(file)
    if activation is not None and (hdf5 or path.suffix in (".net", ".nir", ".bimn")):
        raise InputError(f"{path} {_NO_S4D}", "leave it out")
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
    check_extra("train", "torch", f"{path}, a model.pt,")
    from .model.checkpoint import checkpoint_in, load_plain
    from .model.export import export
    from .model.s4d import is_s4d

    content = load_plain(path)
    if dialect:
        raise InputError(f"{path} is a PyTorch file, which needs no dialect", "leave --dialect out")
    if "format" not in content and is_s4d(content):
        return s4d_in(content, str(path), dt, encoder, activation)
    if activation is not None:
        raise InputError(f"{path} {_NO_S4D}", "leave it out")
    checkpoint = checkpoint_in(content, path)
    if encoder is not None:
        raise InputError(f"{path} is a model.pt, which brings its own encoder", "leave --encoder out")
    if not checkpoint.ranges:
        hint = "run the same bim-train again: it goes on after the training"
        raise InputError(f"{path} was not calibrated: its training was stopped right after the last epoch", hint)
    graph = export(checkpoint)
    if dt is not None and dt != graph.dt:
        raise InputError(f"{path} was trained with dt = {graph.dt:g} s, --dt says {dt:g} s", "leave --dt out")
    return graph


def s4d_in(
    content: Mapping[Any, Any], whose: str, dt: float | None, encoder: str | None = None, activation: str | None = None
) -> FloatGraph:
    """Return the float graph of the state dict of an S4D; ``whose`` names it in a refusal."""
    from .model.s4d import read_s4d
    from .model.s4d_graph import s4d_graph
    from .nodes import Encoder

    if dt is None:
        raise InputError(f"{whose} does not say how long a step is", "give --dt, in seconds")
    kind = arguments.choice(encoder or "graded", ENCODERS, "encoder")
    activation = arguments.choice(activation or ACTIVATIONS[0], ACTIVATIONS, "activation")
    try:
        weights = read_s4d(content, activation)
        return s4d_graph(weights, arguments.duration(dt, "dt"), Encoder.of_graph(kind, weights.w_in.shape[1]))
    except InputError as error:
        raise InputError(f"{whose}: {error.message}", error.hint) from None

"""Notebook output of a program: a raster plot of messages, and a table of its layers."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import arguments
from ..errors import InputError
from ..graph import IntegerGraph
from ..printable import plain
from ..record import RunRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROW_INCHES = 1.6


def raster(graph: IntegerGraph, record: RunRecord, names: Collection[str]) -> Figure:
    """Draw a dot for each message of the first sequence of a probed run, a row of axes a layer."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, ROW_INCHES * len(names) + 0.6), layout="constrained")
    rows = figure.subplots(len(names), sharex=True, squeeze=False)[:, 0]
    for axes, name in zip(rows, names, strict=True):
        steps, neurons = np.nonzero(record.probes[f"{name}.message"][0])
        axes.scatter(steps, neurons, s=4, marker="|")
        axes.set(ylabel=plain(name), ylim=(-0.5, graph.nodes[name].neurons - 0.5))
    rows[-1].set(xlabel="step", xlim=(-0.5, record.period - 0.5))
    return figure


def drawn(graph: IntegerGraph, layers: Collection[str] | None) -> list[str]:
    """Return the layers to draw: those that spike unless some are named."""
    if layers is None:
        spiking = [name for name in graph.order if graph.nodes[name].message_bits == 1]
        return spiking or list(graph.order)
    named = [layers] if isinstance(layers, str) else list(layers) if isinstance(layers, Collection) else []
    for name in named:
        if name not in graph.nodes:
            near = get_close_matches(str(name), graph.nodes, n=1) or list(graph.nodes)
            raise InputError(f"no layer is called '{name!s:.60}'", f"one of: {', '.join(near)}")
    if not named:
        found = "empty" if isinstance(layers, Collection) else arguments.said(layers)
        raise InputError(f"layers is {found}, at least one name is needed", "leave it out for all that spike")
    return named


def as_html(title: str, layers: list[dict[str, Any]]) -> str:
    """Return the table of layers that a notebook shows; every text in it is escaped."""
    columns = ("name", "kind", "neurons", "synapses", "cores")
    head = "".join(f"<th>{column}</th>" for column in columns)
    rows = ("".join(f"<td>{_cell(layer[column])}</td>" for column in columns) for layer in layers)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return f"<table><caption>{escape(title)}</caption><tr>{head}</tr>{body}</table>"


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else escape(plain(value))

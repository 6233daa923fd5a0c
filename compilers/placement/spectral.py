"""Spectral: a first guess of where cores stand, from the slowest modes of their traffic.

The eigenvectors of the graph's Laplacian with the smallest eigenvalues but one (Fiedler 1973; Hall 1970) lay cores in
the plane so that those that talk lie near each other; the plane is then folded onto the mesh by cutting both in halves.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import laplacian
from scipy.sparse.linalg import eigsh

from ...nodes.arithmetic import Array
from .mesh import Mesh
from .traffic import Traffic

_SHIFT = -1e-6  # just below the smallest eigenvalue, which is 0


def spectral(traffic: Traffic, mesh: Mesh) -> Array:
    """Return a place for every core, (cores,), an index into the mesh's places; there are at least four cores."""
    cores = len(traffic.starts) - 1
    share = traffic.messages / traffic.messages.max()
    talk = csr_matrix((share, traffic.partners, traffic.starts), shape=(cores, cores))
    _, modes = eigsh(laplacian(talk).tocsc(), k=3, sigma=_SHIFT, v0=1 + np.arange(cores) / cores)
    sites = np.zeros(cores, np.int64)
    position = np.stack(mesh.position(mesh.places), axis=1)
    _fold(np.arange(cores), modes[:, 1:], np.arange(len(position)), position, sites)
    return sites


def _fold(cores: Array, at: Array, places: Array, position: Array, sites: Array) -> None:
    """Cut the places (their ``position``) and the cores (``at``) in halves along one axis until each has its place."""
    if not len(cores):
        return
    if len(places) == 1:
        sites[cores] = places
        return
    axis = int(np.argmax(np.ptp(position[places], axis=0)))
    places = places[np.lexsort((position[places, 1 - axis], position[places, axis]))]
    cores = cores[np.argsort(at[cores, axis], kind="stable")]
    half = len(places) // 2
    free = len(places) - len(cores)
    share = min(max(round(len(cores) * half / len(places)), half - free), half)
    _fold(cores[:share], at, places[:half], position, sites)
    _fold(cores[share:], at, places[half:], position, sites)

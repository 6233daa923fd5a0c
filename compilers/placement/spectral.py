"""Spectral: an initial placement of cores from the Laplacian of their traffic graph.

The eigenvectors of the second and third smallest eigenvalue (Fiedler 1973; Hall 1970) are coordinates in which cores
with much common traffic are close; they are mapped to the mesh by recursive bisection.
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
    """Return the place of every core, (cores,), as an index into the mesh's places; needs at least four cores."""
    cores = len(traffic.starts) - 1
    share = traffic.messages / traffic.messages.max()
    talk = csr_matrix((share, traffic.partners, traffic.starts), shape=(cores, cores))
    _, modes = eigsh(laplacian(talk).tocsc(), k=3, sigma=_SHIFT, v0=1 + np.arange(cores) / cores)
    sites = np.zeros(cores, np.int64)
    position = np.stack(mesh.position(mesh.places), axis=1)
    _fold(np.arange(cores), modes[:, 1:], np.arange(len(position)), position, sites)
    return sites


def _fold(cores: Array, at: Array, places: Array, position: Array, sites: Array) -> None:
    """Bisect the places (by ``position``) and the cores (by ``at``) along one axis until each core has its place."""
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

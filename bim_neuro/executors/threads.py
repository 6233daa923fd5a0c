"""One thread: a worker computes on one core, as there are as many workers as cores."""

from __future__ import annotations

import os

import threadpoolctl  # type: ignore[import-untyped,unused-ignore]

VARIABLES = ("BIM_NEURO_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What the simulation, PyTorch, BLAS libraries and numba read where they are loaded."""


def one_thread() -> None:
    """Let this process compute with one thread, in libraries that are loaded and in those that will be."""
    os.environ.update(dict.fromkeys(VARIABLES, "1"))
    threadpoolctl.threadpool_limits(1)

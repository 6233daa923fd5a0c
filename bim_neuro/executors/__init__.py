"""Executors: where the calls of a sweep or of a long run are computed; each is a `concurrent.futures.Executor`.

    processes:4              four processes of this machine, one thread each
    dask:4                   a dask cluster of this machine
    dask:tcp://host:8786     a dask scheduler that runs already
    submitit:slurm           jobs of Slurm; submitit:local and submitit:debug try the same here
    module:factory           any module's function without arguments that returns an executor

Workers run what the scheduler sends them: they trust it, and whoever may send to it. Only functions of this package
and plain values are sent; files are opened on the worker by the same safe readers as here.
"""

from .pool import Pool, Slurm, open_pool
from .threads import one_thread

__all__ = ["Pool", "Slurm", "one_thread", "open_pool"]

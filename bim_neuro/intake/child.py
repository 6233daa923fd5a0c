"""The child process: a reader runs in a short-lived fork under limits and returns JSON values and arrays.

The fork may use the memory of its budget and a few seconds of CPU; it opens and writes no further file and prints
nothing. It sends one JSON text and the bytes of arrays over a pipe, never a pickle; the parent checks them. A reader
that crashes, hangs or runs out of memory becomes one `InputError`.
"""

from __future__ import annotations

import codecs
import ctypes
import faulthandler
import gc
import json
import os
import resource
import select
import signal
import time
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError, first_line
from .kind import Opened, above_streams, opened
from .limits import HINT, Budget

Array = NDArray[Any]
Answer = tuple[Any, dict[str, Array]]
"""JSON values, and arrays by name."""
Reader = Callable[[Opened, Budget], Answer]

SECONDS = 8.0
"""CPU seconds to read any file, plus one second per `BYTES_A_SECOND`."""
BYTES_A_SECOND = 4 * 2**20
KINDS = "biufcSU"
"""Kinds of arrays that are handed back: numbers and texts."""
_ROOM_BYTES = 64 * 2**20  # memory of a library itself, without its arrays
_WORDS_BYTES = 64 * 2**20
_GOING_SECONDS = 5.0  # time for a process that closed its pipe to exit
_DAMAGED = "copy or export the file again"
_HARM = "the file is damaged or malicious; nothing in it was used"
_TOLD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # a terminal signals the whole group; the parent ends the child
_libc = ctypes.CDLL(None)
_codecs = [codecs.lookup(name) for name in ("ascii", "utf-8", "latin-1", "cp437")]
"""Python loads these from files on first use, and the child cannot open files."""


@dataclass(frozen=True)
class Format:
    """How messages name a kind of file, "PATH is damaged or not ``name``", and the hint."""

    name: str
    hint: str = _DAMAGED


def read(path: Path, reader: Reader, form: Format, *, files: bool = False) -> Answer:
    """Run ``reader`` on a file in a child; ``files`` lets it open further ones (of names that were checked before)."""
    with opened(Path(path)) as file:
        budget = Budget.of_file(file.size)
        seconds = SECONDS + file.size / BYTES_A_SECOND
        answer = _run(lambda: reader(file, budget), file, form, budget.limit, seconds, files=files)
    return answer


def _run(work: Callable[[], Answer], file: Opened, form: Format, memory: int, seconds: float, *, files: bool) -> Answer:
    inlet, outlet = _pipe()
    child, status = 0, 0
    told = signal.pthread_sigmask(signal.SIG_BLOCK, _TOLD)  # the child must not run handlers of ours
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12 warns of threads; ours take no lock with them
            child = os.fork()
        if child == 0:
            _child(work, file, outlet, memory, seconds, files=files)
        signal.pthread_sigmask(signal.SIG_SETMASK, told)
        os.close(outlet)
        outlet = -1
        return _received(inlet, file.path, form, memory, time.monotonic() + 2 * seconds)
    except _Late:
        status = -signal.SIGXCPU
    except _Ended:
        status = _status(child)  # its exit status tells the reason
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, told)
        if child:
            _stop(child)
        for end in (inlet, outlet):
            if end >= 0:
                os.close(end)
    raise _why(status, file.path, form, seconds)


def _pipe() -> tuple[int, int]:
    """Return a pipe whose ends are no standard stream, also where those are closed."""
    inlet, outlet = os.pipe()
    return above_streams(inlet), above_streams(outlet)


# ---- in the child


def _child(
    work: Callable[[], Answer], file: Opened, outlet: int, memory: int, seconds: float, *, files: bool
) -> NoReturn:
    """Do the work, write the answer, and exit without touching the parent's streams, locks and exit handlers."""
    try:
        _confine(file, outlet, memory, seconds, files=files)
        try:
            words, arrays = work()
            header = json.dumps({"words": words, "arrays": _described(arrays)})
        except InputError as error:
            header, arrays = json.dumps({"refused": [error.message, error.hint]}), {}
        except MemoryError:
            header, arrays = json.dumps({"memory": True}), {}
        except BaseException as error:  # noqa: BLE001  damaged bytes lead a library to raise anything
            header, arrays = json.dumps({"damaged": first_line(error)}), {}
        _write(outlet, header, arrays)
    finally:
        os._exit(0)


def _confine(file: Opened, outlet: int, memory: int, seconds: float, *, files: bool) -> None:
    """Lower every limit that the reader could use against us."""
    faulthandler.disable()
    gc.disable()  # a garbage collection would touch, and so copy, every page of the parent
    for number in _TOLD:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    _libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: do not outlive the parent
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)
    low, high = sorted((file.descriptor, outlet))
    for first, last in ((3, low), (low + 1, high), (high + 1, 65_536)):
        os.closerange(max(first, 3), last)
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    _lower(resource.RLIMIT_AS, mapped + 2 * memory + file.size + _ROOM_BYTES)
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
    _lower(resource.RLIMIT_CORE, 0)
    _lower(resource.RLIMIT_FSIZE, 0)
    if not files:
        _lower(resource.RLIMIT_NOFILE, 0)


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    least = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (least, least))


def _described(arrays: dict[str, Array]) -> list[list[Any]]:
    described = []
    for name, array in arrays.items():
        if array.dtype.kind not in KINDS:
            raise InputError(f"'{name}' holds {array.dtype}, numbers or texts are needed")
        described.append([name, array.dtype.str, list(array.shape)])
    return described


def _write(outlet: int, header: str, arrays: dict[str, Array]) -> None:
    text = header.encode()
    words = (memoryview(len(text).to_bytes(8, "little")), memoryview(text))
    for left in (*words, *(_bytes(array) for array in arrays.values())):
        while left:
            left = left[os.write(outlet, left[: 2**20]) :]


def _bytes(array: Array) -> memoryview:
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")


# ---- in the parent


class _Ended(Exception):
    """The child ended before its answer was complete."""


class _Late(_Ended):
    """The child ran out of time."""


def _received(inlet: int, path: Path, form: Format, memory: int, deadline: float) -> Answer:
    """Return the child's answer, every part of which is checked."""
    size = int.from_bytes(_exactly(inlet, 8, deadline), "little")
    if size > _WORDS_BYTES:
        raise InputError(
            f"{path} holds {size:,} bytes of text and numbers outside arrays, at most {_WORDS_BYTES:,} are read", _HARM
        )
    try:
        header = json.loads(_exactly(inlet, size, deadline))
    except (ValueError, RecursionError):
        raise InputError(f"{path} is damaged or not {form.name}", form.hint) from None
    if "refused" in header:
        message, hint = header["refused"]
        raise InputError(message if str(path) in message else f"{path}: {message}", hint)
    if "memory" in header:
        raise InputError(f"{path} needs more memory than the {memory:,} bytes that its size allows", HINT)
    if "damaged" in header:
        raise InputError(f"{path} is damaged or not {form.name}: {header['damaged']}", form.hint)
    return header["words"], _arrays(inlet, path, header["arrays"], memory, deadline)


def _arrays(inlet: int, path: Path, described: list[list[Any]], memory: int, deadline: float) -> dict[str, Array]:
    arrays: dict[str, Array] = {}
    left = memory
    for name, kind, shape in described:
        dtype = np.dtype(str(kind))
        size = dtype.itemsize * prod(shape)
        if dtype.kind not in KINDS or min(shape, default=0) < 0 or size > left:
            raise InputError(f"{path}: '{name}' came back as {size:,} bytes of {dtype}", _HARM)
        left -= size
        array = np.empty(shape, dtype)
        if size:
            _fill(inlet, array.reshape(-1).view(np.uint8).data, deadline)
        arrays[str(name)] = array
    return arrays


def _exactly(inlet: int, size: int, deadline: float) -> bytes:
    content = bytearray(size)
    _fill(inlet, memoryview(content), deadline)
    return bytes(content)


def _fill(inlet: int, part: memoryview, deadline: float) -> None:
    """Read until ``part`` is full; `_Ended` or `_Late` where the child's end or the deadline comes first."""
    poll = select.poll()
    poll.register(inlet, select.POLLIN)
    while part:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(1000 * left):
            raise _Late
        count = os.readv(inlet, [part])
        if count == 0:
            raise _Ended
        part = part[count:]


def _status(child: int) -> int:
    """Return how the child that closed its pipe ended, as `os.waitstatus_to_exitcode` tells it; 0 while it runs."""
    deadline = time.monotonic() + _GOING_SECONDS
    while time.monotonic() < deadline:
        status = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if status is not None:
            return status.si_status if status.si_code == os.CLD_EXITED else -status.si_status
        time.sleep(0.002)
    return 0


def _stop(child: int) -> None:
    """Kill the child and reap it."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGKILL)
    with suppress(ChildProcessError):  # another part of this process waits for all its children
        os.waitpid(child, 0)


def _why(status: int, path: Path, form: Format, seconds: float) -> InputError:
    if status == -signal.SIGXCPU:
        return InputError(f"{path} could not be read within {seconds:.0f} seconds", _HARM)
    if status < 0:
        name = signal.Signals(-status).name
        return InputError(f"{path} is damaged or not {form.name}: it crashes the library that reads it ({name})", _HARM)
    return InputError(f"{path} is damaged or not {form.name}: its reader ended without an answer", form.hint)

"""Arrays of an ``.npz`` file: headers first, then the requested data; nothing is unpickled."""

from __future__ import annotations

import ast  # noqa: F401  numpy loads these three with the first header, where no file can be opened any more
import os
import struct
import tokenize  # noqa: F401
import zipfile
from collections.abc import Callable, Collection, Iterator
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from ..errors import InputError, first_line
from .child import KINDS, Answer, Array, Format, read
from .kind import Opened
from .limits import Budget
from .zip_archive import open_member, open_zip, read_into

NPZ = Format("an .npz archive of arrays", "numpy.savez writes one, of numbers without Python objects")
Wanted = Callable[[str], bool]
_SUFFIX = ".npy"
_PIECE = 2**20
_LOCAL_HEADER, _AT_LENGTHS = 30, 26
"""Bytes of a zip member's local header, and where it has the lengths of the name and the rest (APPNOTE.TXT, 4.3.7)."""
_STAYING = "biuf"
"""Kinds of arrays that may stay in their file: numbers."""
_MAX_AXES = 32
_LAST_CHARACTER = 0x10FFFF
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


class Header(NamedTuple):
    """The header of an array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    fortran: bool = False

    @property
    def nbytes(self) -> int:
        return self.dtype.itemsize * prod(self.shape)


class ArrayPlace(NamedTuple):
    """Where the bytes of an array begin in its file, in C order, and the `status_of` that file."""

    offset: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    status: tuple[int, ...]


def read_npz(
    path: Path, names: Collection[str] | Wanted | None = None, records: Collection[str] = ()
) -> dict[str, Array]:
    """Return the arrays of an ``.npz`` file by name: all, or those of ``names`` that it has; the others are not read.

    ``names`` may be a function too, that says of a name whether its array is wanted. `InputError` names the file, the
    array and the amount for what is missing, damaged, of another kind or too large. An array of ``records``
    may hold several numbers an entry, and then comes as one array a field, 'events/t'.
    """
    wanted = names if callable(names) else lambda name: names is None or name in names
    _, arrays = read(path, lambda file, budget: _read(file, budget, wanted, records), NPZ)
    return arrays


def read_npz_headers(path: Path) -> dict[str, Header]:
    """Return dtype and shape of every array of an ``.npz`` file; no data is read."""
    words, _ = read(path, _read_headers, NPZ)
    return {name: Header(np.dtype(kind), tuple(shape)) for name, kind, shape in words}


def find_array(path: Path, name: str) -> ArrayPlace | None:
    """Return where an array of numbers lies in an ``.npz`` file; None if it is compressed or in Fortran order.

    All that `read_npz` refuses is refused; the array is read through once, for the checksum of the archive.
    """
    found, _ = read(path, lambda file, budget: _find(file, name), NPZ)
    if found is None:
        return None
    place = ArrayPlace(found[0], np.dtype(found[1]), *map(tuple, found[2:]))
    end = place.offset + Header(place.dtype, place.shape).nbytes
    if place.dtype.kind not in _STAYING or min(place.offset, *place.shape, end) < 0 or end > place.status[2]:
        raise InputError(f"array '{name}' of {path} does not lie in the file", NPZ.hint)
    return place


def status_of(descriptor: int) -> tuple[int, ...]:
    """Return what tells one state of a file from another: device, number, size and time of the last change."""
    status = os.fstat(descriptor)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _find(file: Opened, name: str) -> Answer:
    with _archive(file) as archive:
        info, header = archive.getinfo(name + _SUFFIX), _header(archive, name)
        if info.compress_type != zipfile.ZIP_STORED or header.fortran or header.dtype.kind not in _STAYING:
            return None, {}
        with open_member(archive, name + _SUFFIX) as member:
            _next_header(member, name, info.file_size)
            before = member.tell()
            while member.read(_PIECE):
                pass
        of_name, of_extra = struct.unpack("<HH", os.pread(file.descriptor, 4, info.header_offset + _AT_LENGTHS))
        offset = info.header_offset + _LOCAL_HEADER + of_name + of_extra + before
        return [offset, header.dtype.str, header.shape, status_of(file.descriptor)], {}


def _read_headers(file: Opened, budget: Budget) -> Answer:
    with _archive(file) as archive:
        headers = {name: _header(archive, name) for name in _names(archive)}
    return [[name, header.dtype.str, header.shape] for name, header in headers.items()], {}


def _read(file: Opened, budget: Budget, wanted: Wanted, records: Collection[str]) -> Answer:
    with _archive(file) as archive:
        names = [name for name in _names(archive) if wanted(name)]
        for name in names:
            header = _header(archive, name)
            if header.dtype.kind not in KINDS and not (name in records and _of_records(header.dtype)):
                what = "Python objects" if header.dtype.hasobject else str(header.dtype)
                raise InputError(f"{_who(name, file)} holds {what}, numbers or texts are read", NPZ.hint)
            budget.take(_who(name, file), header.nbytes * (1 if header.dtype.names is None else 2))
        arrays = {name: _array(archive, name) for name in names}
        return None, dict(column for name, array in arrays.items() for column in _columns(name, array))


def _of_records(dtype: np.dtype[Any]) -> bool:
    """Whether every entry is a record of single numbers, as event cameras write them."""
    parts = [] if dtype.names is None else [dtype[name] for name in dtype.names]
    return bool(parts) and all(part.kind in "biuf" for part in parts)


def _columns(name: str, array: Array) -> Iterator[tuple[str, Array]]:
    if array.dtype.names is None:
        yield name, array
    else:
        yield from ((f"{name}/{part}", np.ascontiguousarray(array[part])) for part in array.dtype.names)


def _who(name: str, file: Opened) -> str:
    return f"array '{name}' of {file.path}"


def _archive(file: Opened) -> zipfile.ZipFile:
    source = open(file.descriptor, "rb", closefd=False)  # noqa: SIM115  (the archive closes with the child)
    if source.read(len(npy.MAGIC_PREFIX)) == npy.MAGIC_PREFIX:
        raise InputError(f"{file.path} is one bare array, an .npz archive is needed", "numpy.savez(path, x=x)")
    source.seek(0)
    return open_zip(source, file.size)


def _names(archive: zipfile.ZipFile) -> Iterator[str]:
    """Return the names of the arrays; what else an archive holds is left alone."""
    return (name.removesuffix(_SUFFIX) for name in archive.namelist() if name.endswith(_SUFFIX))


def _header(archive: zipfile.ZipFile, name: str) -> Header:
    with open_member(archive, name + _SUFFIX) as member:
        return _next_header(member, name, archive.getinfo(name + _SUFFIX).file_size)


def _next_header(member: IO[bytes], name: str, size: int) -> Header:
    """Read the header of an array and hold it against the ``size`` of its member."""
    try:
        shape, fortran, dtype = _HEADERS[npy.read_magic(member)](member)
    except Exception as error:  # noqa: BLE001  numpy evaluates the header and raises what that leads to
        raise InputError(f"array '{name}' has a damaged header: {first_line(error)}") from None
    header = Header(dtype, shape, fortran)
    held = size - member.tell()
    if len(shape) > _MAX_AXES or min(shape, default=0) < 0 or (not dtype.hasobject and header.nbytes > held):
        raise InputError(f"array '{name}' declares {dtype} of shape {shape}, the file holds {held:,} bytes for it")
    return header


def _array(archive: zipfile.ZipFile, name: str) -> Array:
    with open_member(archive, name + _SUFFIX) as member:
        header = _next_header(member, name, archive.getinfo(name + _SUFFIX).file_size)
        array = np.empty(header.shape[::-1] if header.fortran else header.shape, header.dtype)
        read_into(member, array)
        member.read()  # to the end, where the checksum is compared
    if array.dtype.kind == "U" and array.nbytes and _largest(array) > _LAST_CHARACTER:
        raise InputError(f"array '{name}' holds texts of no characters")
    return array.T if header.fortran else array


def _largest(texts: Array) -> int:
    """Return the largest code of a character: Python makes no text of one that is too large."""
    order: Any = texts.dtype.byteorder
    codes = texts.reshape(-1).view(np.dtype(np.uint32).newbyteorder(order))
    return int(codes.max())

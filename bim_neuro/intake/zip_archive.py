"""A zip archive checked before any member is read: names, counts, sizes, overlaps, compression ratio."""

from __future__ import annotations

import zipfile
from typing import IO, BinaryIO

import numpy as np

from ..errors import InputError
from .child import Array
from .limits import check_claim

MAX_MEMBERS = 100_000
_PIECE = 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 1


def open_zip(file: BinaryIO, size: int) -> zipfile.ZipFile:
    """Open the archive in ``file`` of ``size`` bytes; `InputError` names the member that is damaged or forged."""
    archive = zipfile.ZipFile(file)
    members = sorted(archive.infolist(), key=lambda member: member.header_offset)
    if len(members) > MAX_MEMBERS:
        raise InputError(f"it is an archive of {len(members):,} members, at most {MAX_MEMBERS:,} are read")
    if len({member.filename for member in members}) < len(members):
        raise InputError("it is an archive with two members of one name")
    end = size
    for member in reversed(members):
        _check(member, end)
        end = member.header_offset
    return archive


def _check(member: zipfile.ZipInfo, end: int) -> None:
    """Refuse a member that reaches beyond ``end``, or declares an impossible size."""
    who = f"member '{member.filename}'"
    if member.flag_bits & _ENCRYPTED:
        raise InputError(f"{who} is encrypted")
    if member.compress_type not in _METHODS:
        raise InputError(f"{who} is compressed by method {member.compress_type}, deflate is read")
    if member.header_offset + member.compress_size > end:
        raise InputError(f"{who} overlaps the next one or the end of the file")
    check_claim(who, member.file_size, member.compress_size)
    if member.compress_type == zipfile.ZIP_STORED and member.file_size != member.compress_size:
        raise InputError(f"{who} is stored uncompressed, in {member.compress_size:,} bytes for {member.file_size:,}")


def open_member(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    """Open a member for reading; what zipfile says of a damaged one holds bytes of the file, so it is said here."""
    try:
        return archive.open(name)
    except zipfile.BadZipFile:
        raise InputError(f"member '{name}' does not begin where the directory of the archive says") from None


def read_into(source: IO[bytes], array: Array) -> None:
    """Fill a contiguous array with the next bytes of a member; `InputError` where they end before it is full."""
    left = array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")
    while left:
        piece = source.read(min(_PIECE, len(left)))
        if not piece:
            raise InputError(f"it ends {len(left):,} bytes too early")
        left[: len(piece)] = piece
        left = left[len(piece) :]

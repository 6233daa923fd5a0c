"""A file of torch.save read without torch: its zip members, its pickle with an allow list, its tensors as arrays.

torch before 2.6 runs a TorchScript archive before it checks ``weights_only`` (CVE-2025-32434), so torch never gets
untrusted bytes. The pickle may build dicts, lists, tuples, numbers, texts and dense tensors, and nothing else.
"""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ..errors import InputError
from .child import Answer, Array, Format, read
from .kind import Opened
from .limits import Budget
from .torch_pickle import HINT, Name, Storage, Tensor, Unpickler, UnreadTensor
from .zip_archive import open_member, open_zip, read_into

PYTORCH = Format("a PyTorch file", "bim-train writes model.pt files")
MAX_PICKLE_BYTES = 32 * 2**20
MAX_VALUES = 1_000_000
MAX_WORD_BYTES = 32 * 2**20
MAX_DEPTH = 64
_MAX_AXES = 16
_LONG = 2**63
Where = tuple[Any, ...]
"""A place among the values: that of what holds it, and its key or index there; of the whole content it is empty."""

_STORAGES = {
    "DoubleStorage": "<f8",
    "FloatStorage": "<f4",
    "HalfStorage": "<f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "<i8",
    "IntStorage": "<i4",
    "ShortStorage": "<i2",
    "CharStorage": "|i1",
    "ByteStorage": "|u1",
    "BoolStorage": "|b1",
    "ComplexFloatStorage": "<c8",
    "ComplexDoubleStorage": "<c16",
}
_TOO_MANY = f"it holds more than {MAX_VALUES:,} values or {MAX_WORD_BYTES:,} bytes of text"
_PROGRAM = "{path} is a TorchScript program, not a bim-neuro model; it holds code, which was not run"
_EXPORTED = "{path} is an exported program (.pt2), not a bim-neuro model; nothing in it was run"
_OTHER_FORMS = (
    (0, b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.", "of PyTorch's old form"),
    (0, b"\x80", "a bare pickle"),
    (257, b"ustar", "a tar archive"),
)


def read_torch(path: Path) -> Any:
    """Return what a PyTorch file holds, as plain values with an array for every tensor (bfloat16 as float32).

    `InputError` names every value of another type, and every tensor larger than its storage.
    """
    words, arrays = read(path, _read, PYTORCH)
    return _rebuilt(words, arrays)


def _read(file: Opened, budget: Budget) -> Answer:
    source = open(file.descriptor, "rb", closefd=False)  # noqa: SIM115  (it closes with the child)
    _check_form(source, file)
    archive = open_zip(source, file.size)
    folder = _folder(archive, file)
    pickled = archive.getinfo(f"{folder}/data.pkl")
    if pickled.file_size > MAX_PICKLE_BYTES:
        raise InputError(f"its pickle takes {pickled.file_size:,} bytes, at most {MAX_PICKLE_BYTES:,} are read")
    with open_member(archive, pickled.filename) as member:
        content = Unpickler(member, encoding="utf-8").load()
    if _count(content, {}, MAX_DEPTH) > MAX_VALUES:
        raise InputError(_TOO_MANY, HINT)
    plain = _Plain(archive, folder, budget)
    return plain.value(content, (), MAX_DEPTH), plain.arrays


def _count(value: Any, known: dict[int, int], depth: int) -> int:
    """Return how many values a value holds: what is in several places is looked at once, and counts in each.

    One that holds itself ends there; it is refused for its depth.
    """
    kind = type(value)
    if depth == 0 or kind not in (list, tuple, dict, OrderedDict):
        return 1
    if id(value) not in known:
        parts = value.values() if kind in (dict, OrderedDict) else value
        known[id(value)] = 1
        known[id(value)] = 1 + sum(_count(part, known, depth - 1) for part in parts)
    return known[id(value)]


def _check_form(source: BinaryIO, file: Opened) -> None:
    """Refuse what is no zip archive, by its name where it has one."""
    head = source.read(512)
    source.seek(0)
    for offset, mark, name in _OTHER_FORMS:
        if head[offset:].startswith(mark):
            hint = "only the zip form, of torch 1.6 and newer, is read; nothing in the file was executed"
            raise InputError(f"{file.path} is not a plain PyTorch file but {name}", hint)
    if not head.startswith(b"PK"):
        raise InputError(f"{file.path} is damaged or not {PYTORCH.name}", PYTORCH.hint)


def _folder(archive: zipfile.ZipFile, file: Opened) -> str:
    """Return the folder that holds the data of the archive; programs are refused by their kind."""
    names = set(archive.namelist())
    folders = {name.partition("/")[0] for name in names}
    program = [name for name in names if name.partition("/")[2].startswith(("constants.pkl", "code/"))]
    if program:
        raise InputError(_PROGRAM.format(path=file.path), HINT)
    if any(name.rpartition("/")[2] in ("archive_format", "serialized_exported_program.json") for name in names):
        raise InputError(_EXPORTED.format(path=file.path), HINT)
    found = [folder for folder in folders if f"{folder}/data.pkl" in names]
    if len(found) != 1:
        raise InputError(f"{file.path} is an archive, but not {PYTORCH.name}", PYTORCH.hint)
    order = f"{found[0]}/byteorder"
    if order in names and _content(archive, order) != b"little":
        raise InputError(f"{file.path} was written on a machine of another byte order", "save it on this one")
    return found[0]


def _content(archive: zipfile.ZipFile, name: str) -> bytes:
    with open_member(archive, name) as member:
        return member.read(MAX_WORD_BYTES)


# ---- from what the pickle built to words and arrays


class _Plain:
    """One walk over the content: every value is checked, every tensor read; a value met twice counts twice."""

    def __init__(self, archive: zipfile.ZipFile, folder: str, budget: Budget) -> None:
        self.archive, self.folder, self.budget = archive, folder, budget
        self.arrays: dict[str, Array] = {}
        self.storages: dict[str, Array] = {}
        self.handed: set[int] = set()
        self.values = self.word_bytes = 0

    def value(self, value: Any, where: Where, depth: int) -> Any:
        """Return a value as JSON holds it: a list says its type first, so that tuples and keys keep theirs."""
        self._count(value, where, depth)
        if value is None or type(value) in (bool, float, str):
            return value
        if type(value) is int and -_LONG <= value < _LONG:
            return value
        if type(value) in (list, tuple):
            parts = [self.value(part, (where, index), depth - 1) for index, part in enumerate(value)]
            return [type(value).__name__, *parts]
        if type(value) in (dict, OrderedDict):
            return ["dict", *(self._item(key, part, where, depth) for key, part in value.items())]
        if type(value) is Tensor:
            name = str(len(self.arrays))
            self.arrays[name] = self._tensor(value, _said(where))
            return ["array", name]
        what = (
            value.what
            if type(value) is UnreadTensor
            else f"the name {value.name}"
            if type(value) is Name
            else _kind(value)
        )
        raise InputError(f"{_said(where)} is {what}, which no bim-neuro model holds", HINT)

    def _count(self, value: Any, where: Where, depth: int) -> None:
        if depth == 0:
            raise InputError(f"it is nested more than {MAX_DEPTH} deep", HINT)
        self.values += 1
        self.word_bytes += len(value) if type(value) is str else 0
        if self.values > MAX_VALUES or self.word_bytes > MAX_WORD_BYTES:
            raise InputError(_TOO_MANY, HINT)

    def _item(self, key: Any, part: Any, where: Where, depth: int) -> list[Any]:
        if type(key) not in (str, int):
            raise InputError(f"{_said(where)} has a key that is {_kind(key)}, texts and numbers are", HINT)
        return [self.value(key, where, depth), self.value(part, (where, key), depth - 1)]

    def _tensor(self, tensor: Tensor, who: str) -> Array:
        """Return the array of a tensor, whose every element must lie in its storage."""
        size, stride, offset = tensor.size, tensor.stride, tensor.offset
        if not isinstance(tensor.storage, Storage) or not _naturals(size) or not _naturals(stride):
            raise InputError(f"{who} is not a valid tensor")
        if not _naturals((offset,)) or len(size) != len(stride) or len(size) > _MAX_AXES:
            raise InputError(f"{who} is not a valid tensor: size {size}, stride {stride}, offset {offset}"[:300])
        values = self._storage(tensor.storage, who)
        count = prod(size)
        last = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True))
        if count and (count > values.size or last >= values.size):
            reach = f"{count:,} elements up to place {last:,}"
            raise InputError(f"{who} has {reach}, its storage holds {values.size:,}", "save it with .clone()")
        steps = [step * values.itemsize for step in stride]
        view = np.lib.stride_tricks.as_strided(values[offset:] if count else values[:0], size, steps, writeable=False)
        if count < values.size or id(values) in self.handed:  # one that is the whole storage costs no more than that
            self.budget.take(who, count * values.itemsize)
        self.handed.add(id(values))
        return np.ascontiguousarray(view).reshape(size)

    def _storage(self, storage: Storage, who: str) -> Array:
        """Return the numbers of a storage, read once."""
        kind = _STORAGES.get(storage.dtype) if isinstance(storage.dtype, str) else None
        if kind is None or type(storage.key) is not str or not _naturals((storage.count,)):
            raise InputError(f"{who} has dtype {_short(storage.dtype)}, which no bim-neuro model holds", HINT)
        name = f"{kind} {storage.key}"
        if name not in self.storages:
            self.storages[name] = self._numbers(storage, kind, who)
        if self.storages[name].size != storage.count:
            raise InputError(
                f"{who}: its storage is declared twice, with {storage.count:,} numbers and with another count"
            )
        return self.storages[name]

    def _numbers(self, storage: Storage, kind: str, who: str) -> Array:
        member = f"{self.folder}/data/{storage.key}"
        stored = np.dtype({"bfloat16": "<u2", "|b1": "|u1"}.get(kind, kind))
        size = storage.count * stored.itemsize
        held = self.archive.NameToInfo[member].file_size if member in self.archive.NameToInfo else 0
        if size != held:
            raise InputError(f"{who}: its storage declares {size:,} bytes, the file holds {held:,}")
        self.budget.take(who, size)
        numbers: Array = np.empty(storage.count, stored)
        if size:
            with open_member(self.archive, member) as opened:
                read_into(opened, numbers)
                opened.read()  # to the end, where the checksum is compared
        if kind == "bfloat16":
            self.budget.take(who, size)
            return (numbers.astype(np.uint32) << 16).view(np.float32)
        return numbers != 0 if kind == "|b1" else numbers


def _naturals(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and 0 <= value < _LONG for value in values)


def _said(where: Where) -> str:
    keys: list[str] = []
    while where:
        where, key = where
        keys.append(str(key))
    return f"'{'.'.join(reversed(keys))[:100]}'" if keys else "its content"


def _short(value: Any) -> str:
    return f"{value if isinstance(value, str) else type(value).__name__:.60}"


def _kind(value: Any) -> str:
    return "a number of more than 64 bits" if type(value) is int else f"a {type(value).__name__.strip('_')}"


# ---- in the parent


def _rebuilt(words: Any, arrays: dict[str, Array]) -> Any:
    if not isinstance(words, list):
        return words
    kind, *parts = words
    if kind == "array":
        return arrays[parts[0]]
    if kind == "dict":
        return {_rebuilt(key, arrays): _rebuilt(part, arrays) for key, part in parts}
    values = [_rebuilt(part, arrays) for part in parts]
    return tuple(values) if kind == "tuple" else values

"""An HDF5 file as a tree of groups, arrays and texts: only what lies in the file itself, each object once, and bounded.

Links to names and to other files, external storage and virtual datasets are refused by name. An array is held against
its header, the bytes the file has for it and the budget before any of it is read.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from math import prod
from pathlib import Path
from struct import Struct
from typing import Any, NamedTuple, Union

import h5py
import numpy as np

from ..errors import InputError, first_line
from .child import Answer, Array, Format, read
from .kind import Opened
from .limits import Budget, check_claim

HDF5 = Format("an HDF5 file", "copy or export the file again")
MAX_ITEMS = 20_000
MAX_DEPTH = 48
MAX_TEXTS = 200_000

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_HEAP = b"GCOL\x01"
_SIZE, _OBJECT = Struct("<Q"), Struct("<H6xQ")
_FILTERS = (h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32, h5py.h5z.FILTER_LZF)
_NUMBERS = "fiub"

Wanted = Callable[[tuple[str, ...]], bool]


class Unread(NamedTuple):
    """An object that is neither group, numbers nor text; ``what`` names it."""

    what: str


Texts = list[Any]
"""Texts in the shape they have in the file, as nested lists."""
Tree = dict[str, Union["Tree", Array, str, Texts, Unread]]


def read_hdf5(path: Path, wanted: Wanted, *, attributes: bool = False) -> Tree:
    """Return groups as dicts, numbers as arrays, texts as str or lists; of the paths for which ``wanted`` is true.

    With ``attributes`` a group holds its own too, single numbers and texts, under their names behind an '@'.

    `InputError` names what is no hard link, what is reached twice, and what declares more bytes than the file holds.
    """
    words, arrays = read(path, lambda file, budget: _Walk(file, budget, wanted, attributes).answer(), HDF5)
    tree = _rebuilt(words, arrays)
    assert isinstance(tree, dict)  # the root is a group
    return tree


class _Walk:
    """One walk through the file, groups first to last; what is read is counted in ``budget``."""

    def __init__(self, file: Opened, budget: Budget, wanted: Wanted, attributes: bool) -> None:
        self.file, self.budget, self.wanted, self.attributes = file, budget, wanted, attributes
        self.seen: dict[Any, str] = {}
        self.items = self.stored = 0
        self.arrays: dict[str, Array] = {}

    def answer(self) -> Answer:
        with open(self.file.descriptor, "rb", closefd=False) as source:
            content = source.read()
        if _SIGNATURE not in (content[start : start + 8] for start in (0, *(512 << power for power in range(12)))):
            raise InputError(f"{self.file.path} is not an HDF5 file")
        check_heaps(content)
        with h5py.File(io.BytesIO(content), "r") as file:
            return self._group(file, ()), self.arrays

    def _group(self, group: h5py.Group, path: tuple[str, ...]) -> Any:
        self._once(group, path)
        self.items += len(group) + (len(group.attrs) if self.attributes else 0)
        if self.items > MAX_ITEMS or len(path) > MAX_DEPTH:
            raise InputError(f"it holds more than {MAX_ITEMS:,} items, or groups nested more than {MAX_DEPTH} deep")
        names = [_checked(name) for name in group]
        tree = {name: self._item(group, (*path, name)) for name in names if self.wanted((*path, name))}
        said = [_checked(name) for name in group.attrs] if self.attributes else []
        return tree | {f"@{name}": self._attribute(group, (*path, f"@{name}")) for name in said}

    def _attribute(self, group: h5py.Group, path: tuple[str, ...]) -> Any:
        who, name = f"'/{'/'.join(path)}'"[:300], path[-1][1:]
        attribute = group.attrs.get_id(name)
        if attribute.shape != ():
            return ["unread", "an attribute of several values"]
        self.budget.take(f"attribute {who}", attribute.get_storage_size())
        value = group.attrs[name]
        if isinstance(value, str | bytes):
            return ["text", _decoded(value, who)]
        if np.asarray(value).dtype.kind not in _NUMBERS:
            return ["unread", "an attribute that is no number and no text"]
        self.arrays[who] = np.asarray(value)
        return ["array", who]

    def _item(self, group: h5py.Group, path: tuple[str, ...]) -> Any:
        who, name = f"'/{'/'.join(path)}'"[:300], path[-1]
        try:
            link = group.get(name, getlink=True)
        except TypeError:
            link = None
        if not isinstance(link, h5py.HardLink):
            target = "/".join(str(part) for part in vars(link).values())[:100] if link else "something else"
            raise InputError(f"{who} is a link to '{target}', only what lies in the file itself is read")
        item = group[name]
        if isinstance(item, h5py.Group):
            return self._group(item, path)
        if not isinstance(item, h5py.Dataset):
            return ["unread", "a type"]
        self._once(item, path)
        return self._dataset(item, who)

    def _once(self, item: Any, path: tuple[str, ...]) -> None:
        """Refuse an object that two links lead to: shared parts or loops would never end."""
        address = h5py.h5o.get_info(item.id).addr
        who = f"/{'/'.join(path)}"[:300]
        if address in self.seen:
            raise InputError(f"'{who}' and '{self.seen[address]}' are the same object, an object may appear only once")
        self.seen[address] = who

    def _dataset(self, dataset: h5py.Dataset, who: str) -> Any:
        try:
            dtype, text = dataset.dtype, h5py.check_string_dtype(dataset.dtype)
        except (TypeError, ValueError, RuntimeError) as error:
            return ["unread", f"of a type that is not read: {first_line(error)}"]
        if dataset.shape is None:
            return ["unread", "empty"]
        if text is None and dtype.kind not in _NUMBERS:
            return ["unread", f"an array of {dtype.name}"[:80]]
        size = prod(dataset.shape) * dataset.id.get_type().get_size()
        self._check_storage(dataset, size, who)
        self.budget.take(f"array {who}", size)
        if text is None:
            self.arrays[who] = np.asarray(dataset[()])
            return ["array", who]
        if prod(dataset.shape) > MAX_TEXTS:
            raise InputError(f"{who} holds {prod(dataset.shape):,} texts, at most {MAX_TEXTS:,} are read")
        return ["text", _decoded(dataset[()], who)]

    def _check_storage(self, dataset: h5py.Dataset, size: int, who: str) -> None:
        """Refuse data stored in other files, and sizes that the bytes of the file cannot justify."""
        plist = dataset.id.get_create_plist()
        layout = plist.get_layout()
        if layout == h5py.h5d.VIRTUAL:
            raise InputError(f"{who} is a virtual dataset of other files, which is not read")
        if plist.get_external_count():
            name = plist.get_external(0)[0].decode(errors="replace")
            raise InputError(f"{who} stores its numbers in another file ('{name}'), which is not read")
        for index in range(plist.get_nfilters()):
            if plist.get_filter(index)[0] not in _FILTERS:
                raise InputError(f"{who} is compressed by filter {plist.get_filter(index)[0]}, gzip and lzf are read")
        stored = dataset.id.get_storage_size()
        self.stored += stored
        if self.stored > self.file.size:
            raise InputError(f"{who}: the arrays so far declare {self.stored:,} bytes in a file of {self.file.size:,}")
        check_claim(who, size, stored)
        if layout == h5py.h5d.CHUNKED:
            chunk = prod(plist.get_chunk()) * dataset.id.get_type().get_size()
            check_claim(f"a piece of {who}", chunk, stored)
            Budget(self.budget.limit).take(f"a piece of {who}", chunk)


def check_heaps(content: bytes) -> None:
    """Refuse a file with a broken global heap (where HDF5 keeps texts): the HDF5 library would loop for ever.

    A heap is 8 bytes of signature, its size, and objects of index (2 bytes), count (2), nothing (4), size (8) and
    content padded to 8; index 0 is the free space. HDF5 file format 3.0, III.E; free space of size 0 hangs the library.
    No byte is walked twice.
    """
    start = content.find(_HEAP)
    while 0 <= start <= len(content) - 16:
        end = start + _SIZE.unpack_from(content, start + 8)[0]
        position = start + 16
        while position + 16 <= end <= len(content):
            index, size = _OBJECT.unpack_from(content, position)
            step = size if index == 0 else 16 + (size + 7) // 8 * 8
            if step < 16:
                raise InputError("its table of texts is broken", HDF5.hint)
            position += step
        start = content.find(_HEAP, position)


def _checked(name: Any) -> str:
    """Return the name of a link, which must be valid UTF-8."""
    try:
        name.encode()
    except (UnicodeEncodeError, AttributeError):  # h5py gives bytes where it finds no text
        raise InputError(f"the name {name[:60]!a} in it is no UTF-8 text") from None
    return str(name)


def _decoded(value: Any, who: str) -> Any:
    """Return a text, or texts as nested lists."""
    if isinstance(value, np.ndarray):
        return _decoded(value.tolist(), who)
    if isinstance(value, list):
        return [_decoded(part, who) for part in value]
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError:
        raise InputError(f"{who} is no UTF-8 text") from None


def _rebuilt(words: Any, arrays: dict[str, Array]) -> Any:
    if isinstance(words, dict):
        return {name: _rebuilt(part, arrays) for name, part in words.items()}
    kind, value = words
    return arrays[value] if kind == "array" else Unread(value) if kind == "unread" else value

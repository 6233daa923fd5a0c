"""The pickle of a torch.save: the allow list of names; all of them are inert."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from ..errors import InputError

HINT = "only tensors, numbers, texts, lists and dicts are accepted; nothing in the file was executed"
_DTYPES = ("float", "bfloat", "complex", "int", "uint", "bool", "qint", "quint", "bits")
_UNREAD = {
    "_rebuild_tensor_v3": "a tensor of an unusual dtype",
    "_rebuild_sparse_tensor": "a sparse tensor",
    "_rebuild_sparse_csr_tensor": "a sparse tensor",
    "_rebuild_nested_tensor": "a nested tensor",
    "_rebuild_qtensor": "a quantised tensor",
    "_rebuild_meta_tensor_no_storage": "a tensor without data (meta)",
    "_rebuild_device_tensor_from_numpy": "a tensor of another device",
    "_rebuild_wrapper_subclass": "a tensor of another class",
}


@dataclass
class Storage:
    """Numbers of the archive, not yet read."""

    key: Any
    dtype: Any
    count: Any


@dataclass
class Tensor:
    """A view of a storage, not yet checked."""

    storage: Any
    offset: Any
    size: Any
    stride: Any


@dataclass
class UnreadTensor:
    """A tensor of a kind that is refused; the error is raised when its key is known."""

    what: Any


@dataclass
class Name:
    """A dtype, a layout or a class of storages, by name."""

    name: Any


class Unpickler(pickle.Unpickler):
    """Builds plain values only: a name that is not listed here ends the reading."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if module == "torch._utils" and name in _UNREAD:
            return lambda *given: UnreadTensor(_called(name, given))
        if module == "torch._utils" and name in ("_rebuild_tensor", "_rebuild_tensor_v2"):
            return lambda storage, offset, size, stride, *_: Tensor(storage, offset, size, stride)
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_: tensor
        if (module, name) == ("torch", "Size"):
            return tuple
        if (module, name) == ("torch.serialization", "_get_layout"):
            return Name
        if module in ("torch", "torch.storage") and (name.endswith("Storage") or name.startswith((*_DTYPES, "per_"))):
            return Name(name)
        raise InputError(f"not a plain PyTorch file: it holds a {module}.{name}"[:300], HINT)

    def persistent_load(self, pid: Any) -> Any:
        if not isinstance(pid, tuple) or len(pid) != 5 or pid[0] != "storage" or not isinstance(pid[1], Name):
            raise InputError("not a plain PyTorch file: a persistent id in it is not a storage", HINT)
        return Storage(pid[2], pid[1].name, pid[4])


def _called(name: str, given: tuple[Any, ...]) -> str:
    """Name a refused tensor, with its dtype where it has one."""
    dtypes = [part.name for part in given if isinstance(part, Name) and str(part.name).startswith(_DTYPES)]
    return f"{_UNREAD[name]}, {dtypes[0]}" if dtypes else _UNREAD[name]

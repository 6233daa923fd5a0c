"""Untrusted files: the container is checked first, then read in a short-lived child process under limits.

User files are opened for reading only here: a pipe, a device, a forged archive, a decompression bomb, code in a model
file and a crash of a C library all become one `InputError` that names the file, the amount and the limit.
"""

from .child import Answer, Format, read
from .hdf5 import Tree, Unread, read_hdf5
from .json_file import read_json
from .kind import Opened, check_kind, check_place, is_hdf5, opened
from .limits import HINT, Budget, allow_memory, check_available, check_run_memory, memory_of_a_run
from .npz import NPZ, Header, read_npz, read_npz_headers
from .stored import StoredSamples, is_stored, stored_samples
from .toml import read_toml
from .torch_file import read_torch

NPZ_NAME = NPZ.name

__all__ = [
    "HINT",
    "NPZ_NAME",
    "Answer",
    "Budget",
    "Format",
    "Header",
    "Opened",
    "StoredSamples",
    "Tree",
    "Unread",
    "allow_memory",
    "check_available",
    "check_kind",
    "check_place",
    "check_run_memory",
    "is_hdf5",
    "is_stored",
    "memory_of_a_run",
    "opened",
    "read",
    "read_hdf5",
    "read_json",
    "read_npz",
    "read_npz_headers",
    "read_toml",
    "read_torch",
    "stored_samples",
]

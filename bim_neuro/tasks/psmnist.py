"""Permuted sequential MNIST: 784 pixels of a handwritten digit, one a step, in one random order for all images.

The order is ``numpy.random.default_rng(seed).permutation(784)``: literature that draws another order reports another
task of the same difficulty. A pixel is scaled from 0..255 to 0..1; a step has no duration of its own, one millisecond
is a convention. The last twelfth of the training images (5,000 of 60,000) is the validation split, the official test
images are the test split.

Files: the four IDX files of MNIST (LeCun, Cortes, Burges), as they are or with .gz. Published results on Loihi 2:
Meyer et al., arXiv 2409.15022.
"""

from __future__ import annotations

import gzip
import hashlib
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import InputError
from ..intake import opened
from .dataset import Dataset, Task
from .official import official_file, official_folder

DT_S = 0.001
SIDE = 28
PIXEL_MAX = 255
VALIDATION = 1 / 12
MOST_ITEMS = 1_000_000
"""Images a file may declare; MNIST has 60,000, its extended sets 814,255."""
IMAGES, LABELS = 0x803, 0x801
"""Magic numbers: unsigned bytes in three axes, and in one."""
PUBLISHED_MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
}
"""As torchvision.datasets.MNIST checks them."""


def load_psmnist_task(data: Path | None = None, seed: int = 0) -> Task:
    """The task from a folder of the four IDX files; ``seed`` draws the order of the pixels."""
    folder = official_folder("psmnist", data)
    order = np.random.default_rng(seed).permutation(SIDE * SIDE)
    train, notes = _part(folder, "train", order)
    test, more = _part(folder, "t10k", order)
    held = max(1, round(VALIDATION * len(train)))
    if len(train) <= held:
        raise InputError(f"'{folder}' has {len(train)} training images, 2 are needed")
    return Task(
        name="psmnist",
        title="permuted sequential MNIST, one pixel a step",
        class_names=tuple(str(digit) for digit in range(10)),
        channel_names=("pixel",),
        dt=DT_S,
        train=train.take(slice(-held)),
        validation=train.take(slice(-held, None)),
        test=test,
        notes=(f"the pixels come in the order that seed {seed} draws", *notes, *more),
    )


def _part(folder: Path, part: str, order: NDArray[np.int64]) -> tuple[Dataset, list[str]]:
    """The images (samples, 784, 1) and labels of 'train' or 't10k', and what is worth knowing of the files."""
    paths = [
        official_file("psmnist", folder, *(f"{part}-{kind}{mark}-ubyte{end}" for mark in marks for end in ("", ".gz")))
        for kind, marks in (("images", ("-idx3", ".idx3")), ("labels", ("-idx1", ".idx1")))
    ]
    images, labels = read_idx(paths[0], IMAGES), read_idx(paths[1], LABELS)
    if images.shape[1:] != (SIDE, SIDE):
        raise InputError(f"images of '{paths[0]}' have {images.shape[1]} x {images.shape[2]} pixels, 28 x 28 are read")
    if len(images) != len(labels):
        raise InputError(f"'{paths[0]}' has {len(images):,} images, '{paths[1]}' {len(labels):,} labels")
    if len(labels) and labels.max() > 9:
        raise InputError(f"'{paths[1]}' has the label {labels.max()} at item {labels.argmax()}, 0 to 9 are digits")
    x = images.reshape(len(images), -1)[:, order].astype(np.float32) / np.float32(PIXEL_MAX)
    return Dataset(x[:, :, None], labels.astype(np.int64), place=np.arange(len(x))), list(_other_files(paths))


def read_idx(path: Path, magic: int) -> NDArray[np.uint8]:
    """The array of unsigned bytes in an IDX file, gzipped or not: items first, then rows and columns of images.

    A magic number, then one big-endian 32-bit length an axis, then the bytes. InputError where any of it is not so.
    """
    axes = magic & 0xFF
    with opened(path) as file, open(file.descriptor, "rb", closefd=False) as raw:
        stream = gzip.GzipFile(fileobj=raw) if path.suffix == ".gz" else raw
        try:
            found = int.from_bytes(stream.read(4), "big")
            if found != magic:
                kind = "images" if magic == IMAGES else "labels"
                raise InputError(f"'{path}' begins with {found:#010x}, IDX {kind} with {magic:#010x}",
                                 "download the file again; are images and labels exchanged?")  # fmt: skip
            shape = tuple(int.from_bytes(stream.read(4), "big") for _ in range(axes))
            if shape[0] > MOST_ITEMS or max(shape[1:], default=0) > SIDE:
                raise InputError(f"'{path}' declares {shape} items, {MOST_ITEMS:,} of 28 x 28 are read at most")
            content = stream.read(prod(shape) + 1)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise InputError(f"'{path}' is damaged: {error}", "download the file again") from None
    if len(content) != prod(shape):
        held = "more" if len(content) > prod(shape) else f"{len(content):,}"
        raise InputError(f"'{path}' declares {prod(shape):,} bytes, it holds {held}", "download the file again")
    return np.frombuffer(content, np.uint8).reshape(shape)


def _other_files(paths: list[Path]) -> list[str]:
    """Name files of a published checksum that have another one."""
    other = [
        path.name
        for path in paths
        if path.name in PUBLISHED_MD5
        and hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() != PUBLISHED_MD5[path.name]
    ]
    return [f"{', '.join(other)}: not the bytes of the official MNIST (another MD5)"] if other else []

"""Breaking bytes and archives: flips, cuts and splices; zip members changed, with right checksums."""

from __future__ import annotations

import io
import pickle
import pickletools
import struct
import zipfile
from random import Random

Members = list[tuple[str, bytes]]


def odd_bytes(rng: Random, content: bytes, other: bytes) -> bytes:
    """Return the content flipped, cut, repeated, or spliced with another file; no checksum is mended."""
    whole = bytearray(content)
    action = rng.randrange(6)
    if action <= 1:
        for _ in range(rng.choice((1, 1, 2, 8, 64))):
            whole[rng.randrange(len(whole))] ^= 1 << rng.randrange(8)
    elif action == 2:
        del whole[rng.randrange(len(whole)) :]
    elif action == 3:
        at, length = rng.randrange(len(whole)), rng.choice((1, 4, 16, 300))
        whole[at : at + length] = rng.choice((b"\x00", b"\xff", b"\x7f")) * length
    elif action == 4:
        at, size = rng.randrange(len(whole)), rng.choice((1, 2, 4, 8))
        whole[at : at + size] = rng.choice((0, 1, 2 ** (8 * size) - 1, 2 ** (8 * size - 1))).to_bytes(size, "little")
    else:
        cut, start = rng.randrange(len(whole)), rng.randrange(len(other))
        whole[cut:] = other[start:]
    return bytes(whole)


def unzip(content: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def rezip(members: Members, compress: bool = False) -> bytes:
    """Return an archive whose checksums are right, whatever its members hold."""
    memory = io.BytesIO()
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(memory, "w", kind) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return memory.getvalue()


def odd_zip(rng: Random, content: bytes) -> bytes:
    """Return the archive with members dropped, doubled, renamed, swapped, added, or blown up."""
    members = unzip(content)
    at = rng.randrange(len(members))
    name, held = members[at]
    action = rng.randrange(8)
    if action == 0:
        del members[at]
    elif action == 1:
        members.insert(rng.randrange(len(members) + 1), (name, odd_bytes(rng, held or b"\x00", content)))
    elif action == 2:
        members[at] = (
            rng.choice((name + "x", "../" + name, name.upper(), "/" + name, name + "/", "\x1b[31m", "a" * 300)),
            held,
        )
    elif action == 3:
        other = rng.randrange(len(members))
        members[at], members[other] = (name, members[other][1]), (members[other][0], held)
    elif action == 4:
        folder = name.split("/")[0]
        added = (
            "constants.pkl",
            "code/__torch__.py",
            "data/0",
            "data.pkl",
            "../x",
            "extra.npy",
            "version",
            ".data/serialization_id",
        )
        members.append((f"{folder}/{rng.choice(added)}", rng.choice((b"", b"3\n", b"\x80\x02}.", held))))
    elif action == 5:
        members[at] = (name, bytes(rng.choice((10**6, 3 * 10**7))))
        return rezip(members, compress=True)
    elif action == 6:
        return rezip(members, compress=True) + rng.choice((b"", b"\x00" * 100, content))
    else:
        members[at] = (name, odd_bytes(rng, held or b"\x00", content))
    return rezip(members)


def odd_pickle(rng: Random, content: bytes) -> bytes:
    """Return a pickle with one instruction dropped, doubled, replaced, or one that would run code put in."""
    operations = list(pickletools.genops(content))
    at = rng.randrange(len(operations) - 1)
    start, end = operations[at][2] or 0, operations[at + 1][2] or 0
    action = rng.randrange(6)
    if action == 0:
        middle = b""
    elif action == 1:
        middle = content[start:end] * 2
    elif action == 2:
        middle = bytes([rng.randrange(256)]) + content[start + 1 : end]
    elif action == 3:
        middle = content[start:end] + rng.choice(
            (b"cos\nsystem\n", b"c__builtin__\neval\n", b"ctorch\n_utils\n", b"(dq\x00", b".")
        )
    elif action == 4:
        number = rng.choice((0, 1, 2**31 - 1, 255, 65536))
        middle = b"J" + struct.pack("<i", number)
    else:
        middle = pickle.dumps(rng.choice((None, 2**70, 1e300, "\x1b[31m", ())), 2)[2:-1]
    return content[:start] + middle + content[end:]


def odd_npy(rng: Random, content: bytes) -> bytes:
    """Return an .npy member whose header lies."""
    end = content.index(b"\n") + 1
    header = content[10:end].decode("latin1")
    shape = rng.choice(
        ("(10**9,)", "(1000000000,)", "(3, 1000000, 1000000)", "()", "(0,)", "(-1,)", "(1,)*40", "(2, 2", "'a'")
    )
    changes = (
        lambda h: h[: h.index("'shape'")] + f"'shape': {shape}, }}",
        lambda h: h.replace("False", "True"),
        lambda h: h.replace("<f8", rng.choice(("|O", "<f4", "<U9999999", "|V8", ">i8", "<M8[s]", "|b1", "<c16", "zz"))),
        lambda h: h.replace("<", "|"),
        lambda h: "{" * rng.choice((5, 90)) + h,
        lambda h: h.replace("}", "'x': 1, }"),
    )
    text = rng.choice(changes)(header).strip()
    text += " " * (-(len(text) + 11) % 64) + "\n"
    version = rng.choice((b"\x01\x00",) * 4 + (b"\x02\x00", b"\x03\x00", b"\x09\x00"))
    length = struct.pack("<H" if version == b"\x01\x00" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode("latin1", "replace") + content[end:]

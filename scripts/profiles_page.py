"""Write the tables of targets in docs/hardware.md and hardware_profiles/README.md: python scripts/profiles_page.py"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bim_neuro.hardware import HardwareProfile, list_profiles, load_profile, markdown  # noqa: E402
from bim_neuro.report.targets import target  # noqa: E402

PAGE, INDEX = ROOT / "docs" / "hardware.md", ROOT / "hardware_profiles" / "README.md"
HEADS = ("target", "what it is", "chips", "cores", "messages, bits", "neuron programs of our own", "learning engine",
         "prices", "of them known", "weakest basis", "takes")  # fmt: skip
NUMBERS = "loihi2"
"""The profile of which every number is printed."""


def texts() -> dict[Path, str]:
    """Return both files, with today's tables; what people wrote around them stays."""
    profiles = [load_profile(name) for name in list_profiles()]
    whole = _with(PAGE.read_text(), "target", table(HEADS, map(row, profiles)))
    files = ((f"`{profile.name}.toml`", profile.title) for profile in profiles)
    return {
        PAGE: _with(whole, "key", markdown(load_profile(NUMBERS))),
        INDEX: _with(INDEX.read_text(), "file", table(("file", "target"), files)),
    }


def row(profile: HardwareProfile) -> tuple[str, ...]:
    """Return the cells of a target."""
    found, bits = target(profile), profile.numeric.message_bits
    return (
        f"`{found['name']}`",
        found["title"],
        f"{found['chips']:,}",
        "unlimited" if found["cores"] is None else f"{found['cores']:,}",
        f"{bits.number:g}",
        *("yes" if found[ability] else "no" for ability in ("microcode", "learning")),
        "all in one" if found["scope"] == "all_in" else "a kind of event each",
        f"{found['priced']} of {found['prices']}",
        found["energy_basis"],
        ", ".join(found["takes"]) or "none of ours",
    )


def table(heads: tuple[str, ...], rows: Any) -> str:
    """Return a table in Markdown."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in (heads, ("---",) * len(heads), *rows))


def _with(text: str, first: str, new: str) -> str:
    """Return a text with the one table that begins with this head exchanged."""
    text, found = re.subn(rf"(?<=\n\n)\| {first} \|.*\n(?:\|.*\n)*", lambda _: new, text)
    if found != 1:
        raise SystemExit(f"{found} tables begin with the head '{first}'")
    return text


if __name__ == "__main__":
    for file, content in texts().items():
        file.write_text(content)

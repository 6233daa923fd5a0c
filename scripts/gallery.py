"""Make the pictures of docs/gallery.md: run what each shows, then photograph a section of its page.

python scripts/gallery.py [NAME ...]          make gallery: all of them; results go to out/gallery
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from browsers import Visit, browser  # noqa: E402 (found beside the tests)

import bim_neuro  # noqa: E402
from bim_neuro.graph import Edge, FloatGraph  # noqa: E402
from bim_neuro.nir_bridge import write_nir  # noqa: E402
from bim_neuro.nodes import LIF, Conv, Dense, Encoder, Source  # noqa: E402

MADE, PICTURES, WIDTH = ROOT / "out" / "gallery", ROOT / "docs", 1100
SIDE = 16
"""Of the input of the nets of convolutions."""
MODEL = "examples/digits.pt"


@dataclass(frozen=True)
class Picture:
    """``commands`` make ``page``; the picture shows ``section`` of it, at most ``height`` pixels high."""

    commands: tuple[str, ...]
    page: str
    section: str
    height: int
    prepare: Callable[[], object] = lambda: None
    code: int = 0
    """The exit code of the last command."""


def small_chip() -> None:
    """Write a chip on which the digits model has no room."""
    number = 'low = {0}, high = {0}, unit = "{1}", basis = "assumed", source = "a made example"'
    rows = [f"{key} = {{ value = {value}, {number.format(value, unit)} }}" for key, value, unit in
            (("cores", 1, "cores"), ("mesh_columns", 1, "cores"), ("core_words", 1024, "words"))]  # fmt: skip
    (MADE / "tiny.toml").write_text("\n".join(('extends = "loihi2"', 'name = "tiny"', 'title = "A tiny chip"',
                                               "[capacity]", *rows, "")))  # fmt: skip


def shifted_digits() -> None:
    """Write digits whose rows come in another order, to learn from and to test on."""
    order, digits = np.random.default_rng(0).permutation(8), bim_neuro.load_task("digits")
    for name, data in {"stream": digits.train, "shifted": digits.test}.items():
        np.savez(MADE / f"{name}.npz", x=data.x[:, order], y=data.y, layout="BTC")


def bars() -> None:
    """Write a net of two convolutions with bars that move across its input, and one whose neurons never fire."""
    kernels = np.array([[[-1, 2, -1]] * 3, [[-1] * 3, [2] * 3, [-1] * 3]], float)[:, None] / 6
    for name, gain in {"conv": 1.0, "dead": 0.05}.items():
        first = Conv(gain * kernels, (1, SIDE, SIDE), padding=(1, 1, 1, 1))
        second = Conv(np.full((2, 2, 4, 4), 0.06) * (1 + np.eye(2)[:, :, None, None]), first.out, stride=(4, 4))
        sizes = [int(np.prod(conv.out)) for conv in (first, second)]
        nodes = {
            "input": Source(SIDE**2, graded=False),
            "edges": _lif(sizes[0]),
            "places": _lif(sizes[1]),
            "out": _lif(2),
        }
        which = Dense(np.repeat(np.array([[1.0, -0.5], [-0.5, 1.0]]), sizes[1] // 2, axis=1) / 4)
        joined = zip(("input", "edges", "places"), ("edges", "places", "out"), (first, second, which), strict=True)
        edges = tuple(Edge(pre, post, "i", synapse) for pre, post, synapse in joined)
        encoder = Encoder("spikes", np.ones(SIDE**2), np.zeros(SIDE**2))
        write_nir(FloatGraph(nodes, edges, 1e-3, encoder, labels=("upright", "level")), MADE / f"{name}.nir")
    x = np.zeros((16, 40, SIDE, SIDE))
    for sample, step in np.ndindex(16, 40):
        at = (sample + step // 3) % SIDE
        x[(sample, step, slice(None), at) if sample % 2 == 0 else (sample, step, at)] = 1
    np.savez(MADE / "bars.npz", x=x.reshape(16, 40, -1), y=np.arange(16) % 2, layout="BTC")


def _lif(neurons: int) -> LIF:
    return LIF(neurons, 0.8, 0.5, np.zeros(neurons))


PICTURES_OF = {
    "chip": Picture(
        (f"compile {MODEL} --optimise latency --samples 64 -o OUT/spread",), "spread/report.html", "chip", 900
    ),
    "energy": Picture((f"compile {MODEL} --samples 64 -o OUT/digits",), "digits/report.html", "energy", 900),
    "refusal": Picture(
        (f"compile {MODEL} --target OUT/tiny.toml -o OUT/refused",), "refused/report.html", "main", 900, small_chip, 1
    ),
    "learning": Picture(
        (f"compile {MODEL} --learn rtrl --input OUT/stream.npz --set learn.samples=500 --set learn.test=OUT/shifted.npz"
         " --samples 64 -o OUT/learnt",), "learnt/report.html", "learning", 900, shifted_digits,
    ),
    "maps": Picture(
        ("compile OUT/conv.nir --input OUT/bars.npz -o OUT/maps",), "maps/report.html", "activity", 900, bars,
    ),
    "dead": Picture(
        ("compile OUT/dead.nir --input OUT/bars.npz -o OUT/dead",), "dead/report.html", "glance", 900, bars,
    ),
    "compare": Picture(
        (
            f"compile {MODEL} --samples 64 -o OUT/digits",
            f"compile {MODEL} --samples 64 --set prune.share=0.5 -o OUT/pruned",
            "report compare OUT/digits OUT/pruned -o OUT/compare.html",
        ),
        "compare.html",
        "rows",
        900,
    ),
}  # fmt: skip
"""gallery-NAME.png of docs/."""


def made(picture: Picture, done: set[str]) -> None:
    """Run the commands of a picture that were not run before."""
    picture.prepare()
    for command in picture.commands:
        if command not in done:
            words = command.replace("OUT", str(MADE.relative_to(ROOT))).split()
            code = subprocess.run([sys.executable, "-m", "bim_neuro", *words], cwd=ROOT).returncode
            if code != (picture.code if command == picture.commands[-1] else 0):
                raise SystemExit(f"bim-{command} ended with exit code {code}")
            done.add(command)


def photographed(chromium: Any, name: str, picture: Picture) -> None:
    """Write the picture of a section, in the light theme."""
    visit = Visit(chromium, MADE / picture.page, color_scheme="light")
    visit.page.set_viewport_size({"width": WIDTH, "height": picture.height})
    box = visit.page.locator(f"#{picture.section}").bounding_box()
    height = min(box["height"], picture.height)
    clip = {"x": 0, "y": box["y"], "width": WIDTH, "height": height}
    visit.page.screenshot(path=PICTURES / f"gallery-{name}.png", full_page=True, clip=clip)
    if visit.troubles:
        raise SystemExit(f"{picture.page}: {visit.troubles}")


def main(names: list[str]) -> None:
    """Make the named pictures, or all."""
    if unknown := sorted({*names} - {*PICTURES_OF}):
        raise SystemExit(f"no picture is called {unknown[0]}; known: {', '.join(PICTURES_OF)}")
    shutil.rmtree(MADE, ignore_errors=True)  # a refusal does not replace a finished result
    MADE.mkdir(parents=True)
    wanted = {name: PICTURES_OF[name] for name in names or PICTURES_OF}
    done: set[str] = set()
    for picture in wanted.values():
        made(picture, done)
    with browser() as chromium:
        for name, picture in wanted.items():
            photographed(chromium, name, picture)


if __name__ == "__main__":
    main(sys.argv[1:])

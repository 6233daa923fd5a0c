"""The report: one structure, shown in the terminal and as HTML, written as text, JSON and CSV."""

from .asked import asked
from .assumed import READ_AS
from .compare import compare
from .files import DAMAGE, FILES, read_summary, render_again, write_files
from .over_time import series
from .rasters import RASTER_STEPS
from .side_by_side import render_comparison
from .summary import Facts, known, summarise
from .sweep_text import render_runs, render_sweep, show_runs, show_sweep
from .training_curves import training_curves

__all__ = [
    "DAMAGE",
    "FILES",
    "RASTER_STEPS",
    "READ_AS",
    "Facts",
    "asked",
    "compare",
    "known",
    "read_summary",
    "render_again",
    "render_comparison",
    "render_runs",
    "render_sweep",
    "series",
    "show_runs",
    "show_sweep",
    "summarise",
    "training_curves",
    "write_files",
]

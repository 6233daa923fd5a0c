"""The report: one structure, shown in the terminal, written as text, JSON and CSV."""

from .files import read_summary, write_files
from .summary import Facts, summarise

__all__ = ["Facts", "read_summary", "summarise", "write_files"]

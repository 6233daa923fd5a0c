"""The report: one structure, shown in the terminal, written as text, JSON and CSV."""

from .files import FILES, read_summary, write_files
from .summary import Facts, summarise

__all__ = ["FILES", "Facts", "read_summary", "summarise", "write_files"]

"""The command line: bim-compile, bim-train, bim-sweep, bim-report. Parse, call, print; no arithmetic."""

from .compile_command import compile_main
from .report_command import report_main
from .sweep_command import sweep_main
from .train_command import train_main

__all__ = ["compile_main", "report_main", "sweep_main", "train_main"]

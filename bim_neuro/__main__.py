"""The commands without their scripts: python -m bim_neuro compile MODEL ... is bim-compile MODEL ..."""

from __future__ import annotations

import sys

from . import cli

COMMANDS = {
    "compile": cli.compile_main,
    "train": cli.train_main,
    "sweep": cli.sweep_main,
    "report": cli.report_main,
}


def main() -> None:
    """Run the command that the first argument names, with the others."""
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    if name in ("-h", "--help"):
        sys.stdout.write(f"usage: python -m bim_neuro {{{','.join(COMMANDS)}}} ...\n")
        raise SystemExit(0)
    if name not in COMMANDS:
        sys.stderr.write(f"error: python -m bim_neuro needs a command: {', '.join(COMMANDS)}\n")
        raise SystemExit(2)
    sys.argv = [f"bim-{name}", *sys.argv[2:]]
    COMMANDS[name]()


if __name__ == "__main__":
    main()

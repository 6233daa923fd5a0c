"""The board kit: a program as one readable script and its arrays, for Lava alone, without bim-neuro."""

from .kit import FOLDER, SCRIPT, board_kit

__all__ = ["FOLDER", "SCRIPT", "board_kit"]

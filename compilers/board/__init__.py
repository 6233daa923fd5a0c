"""The board kit: a program as one readable script and its arrays, for Lava alone, without bim-neuro."""

from .kit import ARRAYS, FOLDER, SCRIPT, board_kit, write_board

__all__ = ["ARRAYS", "FOLDER", "SCRIPT", "board_kit", "write_board"]

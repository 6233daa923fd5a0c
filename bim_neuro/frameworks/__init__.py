"""Modules of norse, snnTorch, SpikingJelly and sinabs become NIR by each framework's own exporter.

A framework is imported when a module of it is given, and only in a version that is tested: exporters change what their
files mean. What NIR does not hold, but the module does, as its reset, is read off the module (`switches`).
"""

from .exporters import FRAMEWORKS
from .module import Exported, exported, framework_of

__all__ = ["FRAMEWORKS", "Exported", "exported", "framework_of"]

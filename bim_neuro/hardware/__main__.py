"""`python -m bim_neuro.hardware loihi2` prints every number of a target as a table in Markdown."""

import sys

from .read import load_profile
from .table import markdown

sys.stdout.write("".join(markdown(load_profile(name)) for name in sys.argv[1:]))

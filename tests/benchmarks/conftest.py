"""Benchmarks and tools are in the repository, not in the package."""

import sys

from repository import ROOT

sys.path.insert(0, str(ROOT))

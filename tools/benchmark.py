#!/usr/bin/env python3
"""See segtumor/commands/benchmark/run.py."""

import sys

from segtumor.commands.benchmark.run import main

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""See segtumor/commands/benchmark_speed.py."""

import sys

from segtumor.commands.benchmark_speed import main

if __name__ == "__main__":
    sys.exit(main())

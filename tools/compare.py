#!/usr/bin/env python3
"""See segtumor/commands/compare.py."""

import sys

from segtumor.commands.compare import main

if __name__ == "__main__":
    sys.exit(main())

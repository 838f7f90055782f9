#!/usr/bin/env python3
"""See segtumor/commands/crossval.py."""

import sys

from segtumor.commands.crossval import main

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""See segtumor/commands/prune.py."""

import sys

from segtumor.commands.prune import main

if __name__ == "__main__":
    sys.exit(main())

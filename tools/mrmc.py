#!/usr/bin/env python3
"""See segtumor/commands/mrmc.py."""

import sys

from segtumor.commands.mrmc import main

if __name__ == "__main__":
    sys.exit(main())

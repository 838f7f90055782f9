#!/usr/bin/env python3
"""See segtumor/commands/export.py."""

import sys

from segtumor.commands.export import main

if __name__ == "__main__":
    sys.exit(main())

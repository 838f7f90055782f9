#!/usr/bin/env python3
"""See segtumor/commands/evaluate.py."""

import sys

from segtumor.commands.evaluate import main

if __name__ == "__main__":
    sys.exit(main())

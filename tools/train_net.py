#!/usr/bin/env python3
"""See segtumor/commands/train.py."""

import sys

from segtumor.commands.train import main

if __name__ == "__main__":
    sys.exit(main())

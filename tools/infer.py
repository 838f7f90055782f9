#!/usr/bin/env python3
"""See segtumor/commands/infer.py."""

import sys

from segtumor.commands.infer import main

if __name__ == "__main__":
    sys.exit(main())

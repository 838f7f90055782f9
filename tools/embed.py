#!/usr/bin/env python3
"""See segtumor/commands/embed.py."""

import sys

from segtumor.commands.embed import main

if __name__ == "__main__":
    sys.exit(main())

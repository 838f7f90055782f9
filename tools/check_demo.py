#!/usr/bin/env python3
"""Check that the demo reaches what it must, and that the same model with shuffled weights does not."""

import sys

from segtumor.commands.check_demo import main

if __name__ == "__main__":
    sys.exit(main())

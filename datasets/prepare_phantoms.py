#!/usr/bin/env python3
"""Write a data set of synthetic radiographs (phantoms); see ``--help``."""

import sys

from segtumor.commands.prepare.phantoms import main

if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Convert the BTXRD radiographs to COCO files; see ``--help``."""

import sys

from segtumor.commands.prepare.btxrd import main

if __name__ == "__main__":
    sys.exit(main())

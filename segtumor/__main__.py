"""``python -m segtumor`` does what the console script ``segtumor`` does."""

import sys

from segtumor.commands.cli import main

if __name__ == "__main__":
    sys.exit(main())

"""Files that belong to the repository: what users write beside them is no business of the tests."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent


def tracked(*patterns):
    """Paths of the files of the repository that match one of ``patterns``, such as "configs/*.yaml", sorted.

    Where git does not know them, as in an unpacked archive, all files that are there count.
    """
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=False)
    names = [name for name in listed.stdout.split("\0") if name]
    found = {path for pattern in patterns for path in ROOT.glob(pattern)}
    return sorted(found & {ROOT / name for name in names} if names else found)

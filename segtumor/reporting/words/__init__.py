"""What reports say, in words: prose is YAML beside these files, and Python fills in the numbers.

Not here: numbers and tables as text (``segtumor.texts``), the HTML around them (``segtumor.reporting.pages``).
"""

import functools
import importlib.resources
from collections.abc import Mapping
from typing import Any


@functools.cache
def load_words(name: str) -> Mapping[str, Any]:
    """The content of ``<name>.yaml`` of this folder; read when it is first asked for."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # in C where PyYAML was built with it
    text = importlib.resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    words: Mapping[str, Any] = yaml.load(text, Loader=loader)
    return words
